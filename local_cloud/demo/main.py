"""`python -m local_cloud demo`: drop files, watch, collect, show."""

import argparse
import shlex
import shutil
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from local_cloud.cloud.attached import attached_cloud
from local_cloud.cloud.errors import CloudError, FolderInUseError
from local_cloud.cloud.folder import DataFolder, is_held
from local_cloud.cloud.stack import REPOSITORY
from local_cloud.demo.dropped import DroppedFile, FileRow, FileState, counted, dropped_files, printable
from local_cloud.demo.progress import view_for
from local_cloud.demo.report import faults, summarize, summary_lines
from local_cloud.demo.samples import write_samples
from local_cloud.demo.storage import DemoStorage
from local_cloud.demo.watch import watch

_PROJECT = "demo"
_SAMPLE_PROJECTS = REPOSITORY / "local_cloud/sample_data"
# The project of each tool, and whether its samples are planes: it reads no stacks.
_TOOLS = {
    "ilastik": (".ilp", False),
    "python": (".py", False),
    "imagej": (".ijm", False),
    "cellprofiler": (".cppipe", True),
}
_SUFFIXES = (".h5", ".hdf5", ".ims", ".tif", ".tiff")
_SECONDS_FOR_SAMPLES = 300.0
# What the samples and the services need, and how often an image lies about: stored, on its node, as TIFFs.
_SPACE_FOR_ALL = 100 * 10**6  # bytes
_COPIES_OF_A_FILE = 4


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """`files` empty: the five samples. `time_limit` in seconds, None: as long as it takes.

    `configuration`: of the project, where one lies beside it. `flat`: the samples are planes instead of volumes.
    """

    files: tuple[Path, ...]
    project: Path
    configuration: Path | None
    data: Path
    keep: bool
    time_limit: float | None
    flat: bool = False


def parse(argv: Sequence[str]) -> DemoOptions:
    parser = argparse.ArgumentParser(
        prog="python -m local_cloud demo",
        description="Start the whole cloud on this machine, drop image files, show what becomes of them.",
    )
    parser.add_argument(
        "files", nargs="*", type=Path, metavar="FILE.h5", help="your own images (default: five samples)"
    )
    parser.add_argument(
        "--project",
        type=Path,
        metavar="FILE.ilp",
        help="your own ilastik Pixel Classification project; a configuration FILE.json beside it is taken along",
    )
    parser.add_argument("--tool", choices=_TOOLS, default="ilastik", help="whose sample project is used")
    parser.add_argument(
        "--data", type=Path, default=REPOSITORY / ".demo", help="folder for everything (default: .demo)"
    )
    parser.add_argument("--keep", action="store_true", help="leave the cloud running at the end")
    parser.add_argument("--time-limit", type=float, metavar="SECONDS", help="give up after this time")
    given = parser.parse_args(argv)
    suffix, flat = _TOOLS[given.tool]
    project: Path = given.project or _SAMPLE_PROJECTS / f"default{suffix}"
    configuration = _configuration_of(project)
    for path in [*given.files, project, *([configuration] if configuration else [])]:
        if wrong := _wrong_with(path):
            parser.error(f"{printable(str(path))} {wrong}")
    for path in given.files:
        if path.suffix.lower() not in _SUFFIXES:
            parser.error(
                f"{printable(str(path))} does not end in {', '.join(_SUFFIXES)}: only such files are taken up."
            )
    limit = given.time_limit if given.time_limit or given.files else _SECONDS_FOR_SAMPLES
    return DemoOptions(tuple(given.files), project, configuration, given.data.resolve(), given.keep, limit, flat)


def _configuration_of(project: Path) -> Path | None:
    if not project.is_file():
        return None
    found = project.with_suffix(".json")
    return found if found.exists() else None


def _wrong_with(path: Path) -> str | None:
    """Say why this file can't be uploaded, as the rest of a sentence; None when it can."""
    if not path.is_file():
        return "is not a file."
    try:
        path.name.encode()
        path.open("rb").close()
    except UnicodeEncodeError:
        return "has a name that is no UTF-8 text: rename it."
    except OSError as exc:
        return f"can't be read: {exc.strerror}."
    return None


def main(argv: Sequence[str]) -> int:
    """Run the demo; 0 only if every file is in the state it should be. Raises CloudError."""
    options = parse(argv)
    try:
        return _run(options)
    except OSError as exc:  # a full disk, most of all
        where = f" ({printable(str(exc.filename))})" if exc.filename else ""
        raise CloudError(f"The demo can't go on: {exc.strerror or exc}{where}.") from exc


def _run(options: DemoOptions) -> int:
    console = Console(highlight=False, soft_wrap=True, markup=False, emoji=False)
    folder = DataFolder(options.data)
    _begin_anew(folder)
    _check_space(folder, options.files)
    with ExitStack() as stack:
        console.print(f"Starting the cloud in {folder.root} ...")
        begun = time.monotonic()
        cloud = stack.enter_context(attached_cloud(folder))
        files = (
            dropped_files(options.files) if options.files else write_samples(folder.root / "samples", flat=options.flat)
        )
        exports = cloud.wait_ready()
        console.print(
            f"It is ready after {time.monotonic() - begun:.1f} s. Dropping {counted(len(files), 'file')}; "
            f"the classifier projects/{_PROJECT}{options.project.suffix.lower()} is {printable(options.project.name)}"
            f"{f' with {printable(options.configuration.name)}' if options.configuration else ''}."
        )
        storage = stack.enter_context(DemoStorage(exports["AZURE_STORAGE_CONNECTION_STRING"], _PROJECT))
        storage.upload_project(options.project, options.configuration)
        with view_for(console, len(files)) as show:
            rows = watch(cloud, storage, files, show, options.time_limit, folder.log("functions"))
        problems = _collect(console, folder, storage, files, rows, options)
        if options.keep:
            cloud.keep()
    return 1 if problems else 0


def _begin_anew(folder: DataFolder) -> None:
    """Clear what the last demo left; never a folder that no cloud has made, nor one in use."""
    if is_held(folder):
        raise FolderInUseError(
            f"A cloud is running in {folder.root}, perhaps kept by an earlier demo. "
            f"End it first: .venv/bin/python -m local_cloud down --data {shlex.quote(str(folder.root))}"
        )
    if folder.root.exists() and any(folder.root.iterdir()):
        if not folder.identity.exists() and not folder.demo_mark.exists():
            raise CloudError(f"{folder.root} holds other things. Name an empty or a new folder with --data.")
        shutil.rmtree(folder.root)
    folder.root.mkdir(parents=True, exist_ok=True)
    folder.demo_mark.touch()


def _check_space(folder: DataFolder, files: Sequence[Path]) -> None:
    """Raise CloudError where the disk has no room: once it is full, some services crash and none can say why."""
    needed = _SPACE_FOR_ALL + _COPIES_OF_A_FILE * sum(path.stat().st_size for path in files)
    free = shutil.disk_usage(folder.root).free
    if free < needed:
        raise CloudError(
            f"The demo needs about {needed // 10**6:,} MB of disk, and {folder.root} has {free // 10**6:,} MB left. "
            "Make room, or name a folder on another disk with --data."
        )


def _collect(
    console: Console,
    folder: DataFolder,
    storage: DemoStorage,
    files: Sequence[DroppedFile],
    rows: Mapping[str, FileRow],
    options: DemoOptions,
) -> list[str]:
    """Fetch the results, print the summary; return what is wrong."""
    pictures: list[Path] = []
    tiffs: dict[str, int] = {}
    problems: list[str] = []
    for file in files:
        saved = storage.download_results(file, folder.root / "results")
        tiffs[file.name] = sum(path.suffix in (".tif", ".tiff") for path in saved)
        if file.name not in rows or rows[file.name].state is not FileState.SUCCEEDED:
            continue
        drawn = {path.stem: path for path in saved if path.suffix == ".png"}
        if picture := drawn.get("overlay") or drawn.get("preview"):
            pictures.append(picture)
        else:
            console.print(f"There is no picture of {printable(file.name)}; its provenance.json may say why.")
    problems += faults(rows, files, tiffs)
    summary = summarize(rows, files, sum(tiffs.values()))
    console.print()
    for line in summary_lines(summary, folder.root, pictures, kept=options.keep):
        console.print(line)
    for problem in problems:
        console.print(f"NOT AS IT SHOULD BE: {problem}", style="red")
    return problems
