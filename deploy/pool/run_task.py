"""One image through ilastik on a node, by the rule of true success (batch_ops/headless.py has the contract).

Runs in the task's working directory under the Python that ships with ilastik (3.9 or newer; h5py and
tifffile come with it). Leaves `out/<execution>/` complete or not at all, and `logs/<execution>/` always.
"""

from __future__ import annotations

import collections
import ctypes
import datetime
import errno
import hashlib
import importlib.metadata
import json
import logging
import logging.handlers
import operator
import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, NoReturn

from batch_ops import headless, manifest

LOCAL_IMAGE = "local.h5"  # a link: ilastik takes a name with `.h5` in its middle, `*` or `:` apart
LOCAL_PROJECT = "local.ilp"
ALIAS = "ilastik_batch_input"  # a second name for a dataset whose own would be taken apart
ORIGINAL = "ilastik_batch_original"  # length and MD5 of the image before this script touched its copy
RESERVE = "reserve"  # beside the output: disk space that is given back for the report
RESERVE_BYTES = 2**18
PLAIN_DATASET = re.compile(r"[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*")
VIGRA_TYPE_FLAGS = {"c": 1, "x": 2, "y": 2, "z": 2, "t": 8}
SECONDS_TO_END = 5.0
BLOCK_BYTES = 2**20


class Refusal(Exception):
    """The task can't go on; carries how it ends."""

    def __init__(self, outcome: headless.Outcome) -> None:
        super().__init__(outcome.sentence)
        self.outcome = outcome


class Ended(BaseException):
    """SIGTERM or SIGINT: somebody wants this task to stop."""


@dataclass(frozen=True)
class LocalImage:
    """The image as ilastik gets it: `<file>/<dataset>`, axes in the order of `shape`, MD5 as it came."""

    argument: str
    axes: str
    shape: tuple[int, ...]
    md5: str


@dataclass(frozen=True)
class LocalProject:
    """The project as ilastik gets it; `axes` are those stored for its training images."""

    file: str
    classes: int
    axes: frozenset[str]


@dataclass
class Execution:
    """What is known of this run of the script so far; the report is made from it whatever happens."""

    root: Path
    name: str
    started: datetime.datetime
    seconds: dict[str, float] = field(default_factory=dict)
    task: headless.TaskEnvironment | None = None
    ilastik_exit_code: int | None = None
    log_lines: tuple[str, ...] = ()

    @property
    def partial(self) -> Path:
        return self.root / headless.PARTIAL_FOLDER / self.name

    @property
    def out(self) -> Path:
        return self.root / headless.OUT_FOLDER / self.name

    @property
    def logs(self) -> Path:
        return self.root / headless.LOGS_FOLDER / self.name

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        begin = time.monotonic()
        try:
            yield
        finally:
            self.seconds[name] = round(time.monotonic() - begin, 3)


def refuse(exit_code: int, sentence: str) -> NoReturn:
    raise Refusal(headless.failure(exit_code, sentence))


def main() -> int:
    """Run the task of the current directory and environment; the result is its exit code."""
    started = datetime.datetime.now(datetime.timezone.utc)
    name = f"{started:%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}"
    execution = Execution(Path.cwd(), name, started)
    on_end_signals(_end)
    adopt_orphans()
    with execution.step("total"):
        try:
            outcome = attempt(execution)
            on_end_signals(signal.SIG_IGN)
        except Ended:
            end_descendants()
            sentence = "The task was ended from outside before it was done."
            outcome = headless.failure(headless.EXIT_ENDED, sentence)
    # Before the report, for which a full disk has room only now.
    shutil.rmtree(execution.partial.parent, ignore_errors=True)
    try:
        execution.logs.mkdir(parents=True, exist_ok=True)
        (execution.logs / headless.OUTCOME_NAME).write_bytes(report(execution, outcome).to_json())
    except (OSError, manifest.ManifestError) as exc:
        say(f"The outcome could not be written: {exc}")
    say(f"{outcome.kind.value} (exit code {outcome.exit_code}): {outcome.sentence}")
    return outcome.exit_code


def attempt(execution: Execution) -> headless.Outcome:
    """Every way to end but a signal, as an outcome."""
    try:
        return run(execution, Path(os.environ["ILASTIK_HOME"]))
    except Refusal as refusal:
        return refusal.outcome
    except headless.TaskEnvironmentError as exc:
        return headless.failure(headless.EXIT_INTERNAL, f"The task was given wrong values: {exc}")
    except ImportError as exc:
        return headless.failure(headless.EXIT_NODE, f"The Python that ships with ilastik is incomplete: {exc}.")
    except Exception as exc:  # the report must be written, whatever the fault is
        traceback.print_exc()
        if is_disk_full(exc):
            free = shutil.disk_usage(execution.root).free
            sentence = f"The node's disk is full ({headless.size(free)} free): {exc}."
            return headless.failure(headless.EXIT_DISK_FULL, sentence)
        sentence = f"The task script failed: {type(exc).__name__}: {exc}"
        return headless.failure(headless.EXIT_INTERNAL, sentence)


def run(execution: Execution, home: Path) -> headless.Outcome:
    root = execution.root
    task = execution.task = headless.TaskEnvironment.from_env(os.environ)
    say(f"Task {task.task_id}, execution {execution.name}, correlation id {task.correlation_id}")
    for folder in (headless.PARTIAL_FOLDER, headless.OUT_FOLDER):
        # An earlier execution in this directory, of which nobody knows how it ended.
        shutil.rmtree(root / folder, ignore_errors=True)
    for made in (execution.partial, execution.logs):
        made.mkdir(parents=True)
    (execution.partial.parent / RESERVE).write_bytes(b"\xff" * RESERVE_BYTES)
    with execution.step("prepare"):
        image = prepare_image(root, task)
        project = prepare_project(root, task, image)
        plan = plan_export(root, task, image, project)
    # The very image may have axes other than the project's training images; its own are the truth.
    command = headless.command(
        str(home / "run_ilastik.sh"),
        project.file,
        image.argument,
        f"{headless.PARTIAL_FOLDER}/{execution.name}/{task.nickname}",
        task.export_source,
        plan,
        ignore_training_axes=bool(project.axes - {image.axes}),
    )
    with execution.step("ilastik"):
        log = run_ilastik(execution, task, command)
    with execution.step("verify"):
        found = [inspect(path, execution.partial) for path in files_below(execution.partial)]
        free = shutil.disk_usage(root).free
        assert execution.ilastik_exit_code is not None
        outcome = headless.verdict(execution.ilastik_exit_code, found, log, plan, task.nickname, free)
        if not outcome.succeeded:
            return outcome
        files = tuple(
            manifest.ManifestFile(f.name, f.length, md5_of(execution.partial / f.name), f.pages) for f in found
        )
    # From here on it is a success: a late signal must not make half of one.
    on_end_signals(signal.SIG_IGN)
    publish(execution, task, image, command, files, home)
    return outcome


def prepare_image(root: Path, task: headless.TaskEnvironment) -> LocalImage:
    """Find the dataset and its axes; an untagged local copy gets its tags, an odd dataset name an alias."""
    path = root / task.image_file
    if not path.is_file():
        refuse(headless.EXIT_STAGING_IN, f"The image {task.image_name} was not brought to the node.")
    md5 = original_md5(path, task)
    with (
        faults_of_file(headless.EXIT_BAD_IMAGE, f"The image {task.image_name}"),
        open_hdf5(path, "r") as file,
    ):
        name = find_dataset(file, task)
        tags = file[name].attrs.get("axistags")
        axes = task.axes if tags is None else axes_of(tags)
        shape = tuple(int(size) for size in file[name].shape)
    if not axes:
        refuse(
            headless.EXIT_BAD_IMAGE,
            f"The dataset {name!r} has no axistags, and no axes are configured for the project.",
        )
    argument = name if PLAIN_DATASET.fullmatch(name) else ALIAS
    if tags is None or argument != name:
        what = f"The local copy of {task.image_name}"
        with faults_of_file(headless.EXIT_BAD_IMAGE, what), open_hdf5(path, "r+") as file:
            file.attrs[ORIGINAL] = json.dumps({"length": task.image_length, "md5": md5})
            if tags is None:
                file[name].attrs["axistags"] = vigra_axistags(axes)
            if argument != name:
                dataset = file[name]
                if ALIAS in file:
                    del file[ALIAS]
                file[ALIAS] = dataset
    link = root / LOCAL_IMAGE
    link.unlink(missing_ok=True)
    link.symlink_to(task.image_file)
    return LocalImage(f"{LOCAL_IMAGE}/{argument}", axes, shape, md5)


def original_md5(path: Path, task: headless.TaskEnvironment) -> str:
    """MD5 (hex) of the image as it came; refuses one that is not as long as the one that was checked."""
    length = path.stat().st_size
    if length == task.image_length:
        return md5_of(path)
    # An earlier execution in this directory has changed the copy: it left a note.
    with suppress(OSError, KeyError, ValueError, TypeError), open_hdf5(path, "r") as file:
        note = json.loads(file.attrs[ORIGINAL])
        if note["length"] == task.image_length:
            return str(note["md5"])
    refuse(
        headless.EXIT_STAGING_IN,
        f"The image {task.image_name} came with {length} bytes, but the one that was checked has "
        f"{task.image_length}: it was overwritten since, or the transfer was cut off.",
    )


def find_dataset(file: Any, task: headless.TaskEnvironment) -> str:
    """Path of the dataset without leading slash: the configured one, or the only one of 2 to 5 dimensions."""
    import h5py

    name = task.internal_path.strip("/")
    if not name:
        names: list[str] = []
        file.visititems(lambda n, o: names.append(n) if isinstance(o, h5py.Dataset) and 2 <= o.ndim <= 5 else None)
        if len(names) != 1:
            told = f": {', '.join(names[:5])}" if names else ""
            refuse(
                headless.EXIT_BAD_IMAGE,
                f"The image must hold one dataset, or its project name one; there are {len(names)}{told}.",
            )
        name = names[0]
    dataset = file.get(name)
    if not isinstance(dataset, h5py.Dataset):
        refuse(headless.EXIT_BAD_IMAGE, f"The image holds no dataset {name!r}.")
    if dataset.file.filename != file.filename or dataset.is_virtual or dataset.external:
        refuse(headless.EXIT_BAD_IMAGE, f"The dataset {name!r} keeps its pixels in another file.")
    return name


def axes_of(tags: Any) -> str:
    """Letters of a vigra axistags attribute (JSON)."""
    text = tags.decode() if isinstance(tags, bytes) else str(tags)
    return "".join(str(axis["key"]) for axis in json.loads(text)["axes"])


def vigra_axistags(axes: str) -> str:
    """The attribute that h5py, vigra and ilastik read axes from (JSON of vigra.AxisTags)."""
    tags = [{"key": axis, "typeFlags": VIGRA_TYPE_FLAGS[axis], "resolution": 0, "description": ""} for axis in axes]
    return json.dumps({"axes": tags})


def prepare_project(root: Path, task: headless.TaskEnvironment, image: LocalImage) -> LocalProject:
    """Check the digest; a project of an old version is copied and made to fit (see `renew`)."""
    path = root / headless.PROJECT_FILE
    if not path.is_file():
        refuse(headless.EXIT_STAGING_IN, "The project file was not brought to the node.")
    if digest_of(path, hashlib.sha256()) != task.project_digest:
        refuse(headless.EXIT_STAGING_IN, "The project file is not the one that this run was started for.")
    local = root / LOCAL_PROJECT
    local.unlink(missing_ok=True)
    axes = set()
    old = False
    with faults_of_file(headless.EXIT_BAD_PROJECT, "The project file"), open_hdf5(path, "r") as file:
        for info in training_images(file):
            if is_old(info):
                old = True
            elif "axistags" in info:
                axes.add(axes_of(info["axistags"][()]))
        classes = len(file["PixelClassification/LabelNames"])
    if not old:
        return LocalProject(headless.PROJECT_FILE, classes, frozenset(axes))
    shutil.copyfile(path, local)
    with faults_of_file(headless.EXIT_BAD_PROJECT, "The project file"), open_hdf5(local, "r+") as file:
        renew(file, image)
    return LocalProject(LOCAL_PROJECT, classes, frozenset(axes))


def training_images(file: Any) -> Iterator[Any]:
    """The groups that describe a project's images, one for each lane and role."""
    for lane in file["Input Data/infos"].values():
        for info in lane.values():
            if "filePath" in info:
                yield info


def is_old(info: Any) -> bool:
    """Old versions stored neither shape nor axes and looked into the image, which is never on a node."""
    stored = "shape" in info and "axistags" in info
    return not stored and _text_of(info.get("location")) != "ProjectInternal"


def renew(file: Any, image: LocalImage) -> None:
    """Let the lanes of an old project point at this image, and drop the label blocks.

    The stored paths lead anywhere; none of them is followed or created. ilastik 1.4 takes shape and axes
    from the image instead, and fails on label blocks that were saved in another order of axes; they matter
    for training only.
    """
    for info in training_images(file):
        if is_old(info):
            del info["filePath"]
            info["filePath"] = image.argument
    labels = file.get("PixelClassification/LabelSets", {})
    for name in list(labels):
        del labels[name]


def plan_export(
    root: Path, task: headless.TaskEnvironment, image: LocalImage, project: LocalProject
) -> headless.ExportPlan:
    """The plan from the real shape; refuses what classic TIFF or the node's disk can't hold."""
    by_class, bytes_per_value = headless.EXPORT_SOURCES[task.export_source]
    try:
        plan = headless.export_plan(
            image.axes,
            image.shape,
            channels=project.classes if by_class else 1,
            bytes_per_value=bytes_per_value,
        )
    except headless.PlanError as exc:
        refuse(headless.EXIT_BAD_IMAGE, str(exc))
    if not plan.fits_classic_tiff:
        refuse(
            headless.EXIT_BAD_IMAGE,
            f"One TIFF would have {plan.bytes_per_file / 1e9:.1f} GB; ilastik writes at most 4 GB a file.",
        )
    free = shutil.disk_usage(root).free
    if plan.files * plan.bytes_per_file > free:
        raise Refusal(headless.disk_full(plan, free))
    return plan


class LogTee(threading.Thread):
    """Copies a pipe to stdout and a file, and keeps what the verdict and the report need of it.

    It reads to the end even where nothing can be written any more: a full pipe would stop ilastik.
    """

    LINES_AFTER_EVIDENCE = 30
    MOST_EVIDENCE = 400

    def __init__(self, pipe: IO[bytes], path: Path) -> None:
        super().__init__(daemon=True)
        self._pipe, self._path = pipe, path
        self._last: collections.deque[str] = collections.deque(maxlen=manifest.MAX_LAST_LINES)
        self._evidence: list[str] = []
        self._lock = threading.Lock()
        self._file: IO[bytes] | None = None
        self._written = 0

    def run(self) -> None:
        with suppress(OSError):
            # Nothing is lost to the verdict if this file can't be made: the lines are read all the same.
            self._file = self._path.open("wb", buffering=0)
        keep = 0
        for raw in iter(lambda: self._pipe.readline(65536), b""):
            with suppress(OSError):
                sys.stdout.buffer.write(raw)
                sys.stdout.buffer.flush()
            self._write(raw)
            line = raw.decode("utf-8", "replace").rstrip()
            keep = self.LINES_AFTER_EVIDENCE if headless.is_evidence(line) else keep - 1
            with self._lock:
                if keep > 0 and len(self._evidence) < self.MOST_EVIDENCE:
                    self._evidence.append(line)
                self._last.append(line)
        if self._file:
            self._file.close()

    @property
    def last_lines(self) -> tuple[str, ...]:
        with self._lock:
            return tuple(manifest.plain_line(line) for line in self._last)

    @property
    def text(self) -> str:
        """The telling lines, then the last ones."""
        with self._lock:
            return "\n".join([*self._evidence, *self._last])

    def _write(self, raw: bytes) -> None:
        if self._file is None or self._written > headless.LOG_LIMIT_BYTES:
            return
        try:
            self._file.write(raw)
            self._written += len(raw)
        except OSError as exc:
            self._file = None
            with self._lock:
                self._evidence.append(f"The log could not be written: {exc}")


def run_ilastik(execution: Execution, task: headless.TaskEnvironment, command: list[str]) -> str:
    """Run ilastik to its end; sets its exit code and last lines, and returns what its log tells."""
    say("Running: " + json.dumps(command))
    environment = headless.ilastik_environment(os.environ, task.threads, task.ram_mb)
    try:
        # In this script's process group, so that Batch's own kill reaches ilastik even without this script.
        process = subprocess.Popen(
            command,
            cwd=execution.root,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
    except OSError as exc:
        refuse(headless.EXIT_NODE, f"ilastik can't be started on this node: {exc}.")
    assert process.stdout is not None
    tee = LogTee(process.stdout, execution.logs / headless.LOG_NAME)
    tee.start()
    try:
        execution.ilastik_exit_code = process.wait()
        tee.join(SECONDS_TO_END)
    finally:
        # Also after a normal end: what ilastik left running would hold the log and the slot.
        end_descendants()
        tee.join(SECONDS_TO_END)
        execution.log_lines = tee.last_lines
    return tee.text


def end_descendants() -> None:
    """SIGTERM to all processes below this one, SIGKILL to those still there seconds later."""
    deadline = time.monotonic() + SECONDS_TO_END
    asked: set[int] = set()
    while True:
        alive = descendants()
        if not alive:
            return
        late = time.monotonic() > deadline
        for pid in alive if late else alive - asked:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL if late else signal.SIGTERM)
        asked |= alive
        if time.monotonic() > deadline + SECONDS_TO_END:
            return
        time.sleep(0.05)


def descendants() -> set[int]:
    """Ids of the running processes below this one, from Linux's /proc; without it none."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError, ValueError, IndexError):
            state, parent = entry.read_text(errors="replace").rpartition(")")[2].split()[:2]
            if state not in "ZX":
                children.setdefault(int(parent), []).append(int(entry.parent.name))
    found: set[int] = set()
    below = [os.getpid()]
    while below:
        for child in children.get(below.pop(), []):
            if child not in found:
                found.add(child)
                below.append(child)
    return found


def adopt_orphans() -> None:
    """Let processes whose parent died become children of this one, so that none escapes its end."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER of Linux


def files_below(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if not path.is_dir())


def inspect(path: Path, folder: Path) -> headless.FoundTiff:
    """Pages, their shape, and whether all pixels that the pages speak of are inside the file."""
    import tifffile

    name, length = path.relative_to(folder).as_posix(), path.stat().st_size
    try:
        with complaints_of("tifffile") as complaints, tifffile.TiffFile(path) as tiff:
            shapes: set[tuple[int, ...]] = set()
            end = 0
            for page in tiff.pages:
                shapes.add(tuple(page.shape))
                end = max(end, *map(operator.add, page.dataoffsets, page.databytecounts))
            pages = len(tiff.pages)
    except Exception as exc:  # a damaged file may raise nearly anything here
        return headless.FoundTiff(name, length, problem=f"it can't be read ({exc})")
    if end > length:
        problem = f"it ends after {length} bytes, and its pages need {end}"
        return headless.FoundTiff(name, length, pages, problem=problem)
    if complaints:
        return headless.FoundTiff(name, length, pages, problem=f"it can't be read ({complaints[0]})")
    if len(shapes) != 1:
        return headless.FoundTiff(name, length, pages, problem="its pages are not of one size")
    rows, columns = (*shapes.pop(), 0)[:2]
    return headless.FoundTiff(name, length, pages, (int(rows), int(columns)))


@contextmanager
def complaints_of(library: str) -> Iterator[list[str]]:
    """What a library logs as warning or error meanwhile: tifffile reads on past damage and only logs it."""
    told: list[str] = []
    handler = logging.handlers.BufferingHandler(capacity=10**6)
    handler.setLevel(logging.WARNING)
    logger = logging.getLogger(library)
    logger.addHandler(handler)
    try:
        yield told
    finally:
        logger.removeHandler(handler)
        told.extend(record.getMessage() for record in handler.buffer)


def publish(
    execution: Execution,
    task: headless.TaskEnvironment,
    image: LocalImage,
    command: list[str],
    files: tuple[manifest.ManifestFile, ...],
    home: Path,
) -> None:
    """Write the manifest beside the verified TIFFs, then let all of it appear in one step."""
    content = manifest.Manifest(
        execution=execution.name,
        task_id=task.task_id,
        run=task.run,
        attempt=task.attempt,
        correlation_id=task.correlation_id,
        node=os.environ.get("AZ_BATCH_NODE_ID", ""),
        started=utc(execution.started),
        finished=utc(datetime.datetime.now(datetime.timezone.utc)),
        seconds=dict(execution.seconds),
        ilastik_version=ilastik_version(home, task),
        command=tuple(command),
        project_sha256=task.project_digest,
        image=manifest.ManifestImage(task.image_name, task.image_etag, task.image_length, image.md5),
        files=files,
    )
    (execution.partial / headless.MANIFEST_NAME).write_bytes(content.to_json())
    execution.out.parent.mkdir(parents=True, exist_ok=True)
    execution.partial.rename(execution.out)


def report(execution: Execution, outcome: headless.Outcome) -> manifest.Report:
    """The content of outcome.json."""
    task = execution.task
    return manifest.Report(
        kind=outcome.kind.value,
        exit_code=outcome.exit_code,
        sentence=manifest.plain_line(outcome.sentence, manifest.MAX_SENTENCE_CHARS),
        execution=execution.name,
        started=utc(execution.started),
        finished=utc(datetime.datetime.now(datetime.timezone.utc)),
        seconds=execution.seconds,
        last_lines=execution.log_lines,
        ilastik_exit_code=execution.ilastik_exit_code,
        task_id=task.task_id if task else "",
        correlation_id=task.correlation_id if task else "",
        node=os.environ.get("AZ_BATCH_NODE_ID", ""),
    )


def ilastik_version(home: Path, task: headless.TaskEnvironment) -> str:
    """By the installation (a file VERSION, the package, conda's records), else as the task was told."""
    with suppress(OSError, UnicodeDecodeError):
        return manifest.plain_line((home / "VERSION").read_text().strip(), 100)
    with suppress(importlib.metadata.PackageNotFoundError):
        return importlib.metadata.version("ilastik")
    for record in sorted(home.glob("conda-meta/ilastik-*.json")):
        match = re.match(r"ilastik(?:-core)?-([0-9][^-]*)-", record.name)
        if match:
            return match[1]
    return task.ilastik_version or "unknown"


@contextmanager
def faults_of_file(exit_code: int, what: str) -> Iterator[None]:
    """What h5py raises for a file that is not as it should be, as a refusal with this exit code."""
    try:
        yield
    except (OSError, KeyError, ValueError, TypeError, AttributeError, RuntimeError) as exc:
        if is_disk_full(exc):
            raise
        refuse(exit_code, f"{what} can't be used: {type(exc).__name__}: {exc}.")


def open_hdf5(path: Path, mode: str) -> Any:
    import h5py

    return h5py.File(path, mode)


def is_disk_full(exc: Exception) -> bool:
    return getattr(exc, "errno", None) == errno.ENOSPC or "No space left on device" in str(exc)


def digest_of(path: Path, digest: Any) -> str:
    with path.open("rb") as file:
        for block in iter(lambda: file.read(BLOCK_BYTES), b""):
            digest.update(block)
    return str(digest.hexdigest())


def md5_of(path: Path) -> str:
    return digest_of(path, hashlib.md5(usedforsecurity=False))


def utc(moment: datetime.datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def say(sentence: str) -> None:
    with suppress(OSError, UnicodeEncodeError):
        print(sentence, flush=True)


def _text_of(dataset: Any) -> str:
    value = dataset[()] if dataset is not None else ""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def on_end_signals(handler: Any) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, handler)


def _end(_number: int, _frame: object) -> None:
    # A second signal while the first is dealt with would stop the clean-up half-way.
    on_end_signals(signal.SIG_IGN)
    raise Ended


if __name__ == "__main__":
    sys.exit(main())
