"""The results of a file by a tool with a command line, as its profile says (batch_ops/task/tool.py).

The contract is that of every task: a fresh execution folder, the manifest last, outputs that are held against what was
promised. The tool works in a folder of its own; only what its profile names is taken out of it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from batch_ops.task import contract, true_success
from batch_ops.task.objects import ClassCount, ObjectCounts
from batch_ops.task.output import Output
from batch_ops.task.pictures import Contrast
from batch_ops.task.run_plan import RunWarning
from batch_ops.task.segmented import SegmentedImage
from batch_ops.task.strict_json import plain_line
from batch_ops.task.tool import ToolProfile, filled
from batch_ops.task.tool_input import tool_fault
from batch_ops.task.tool_success import ToolRan, judge_tool, quiet_too_long, sorted_out
from batch_ops.task.tool_values import InputForm
from node import plain_tiff
from node.aside import NoAnswer, ask_aside
from node.execution import Execution, publish
from node.files import refuse
from node.image import LINK, LocalImage, LocalImages
from node.measured import pixels_of
from node.pictures import make_pictures
from node.process import Program, ignore_end_signals, run_program
from node.tool_files import as_output, left_aside, left_files, rows_of

MOST_COUNTS = 255  # that a row holds
WORK = "tool"  # in the folder of what is partial
_SECONDS_TO_WRITE = 6 * 3600.0
_SCREEN = ("xvfb-run", "--auto-servernum", "--server-args=-screen 0 1280x1024x24 -nolisten tcp")


@dataclass
class Watch:
    """What is looked for in the lines that a tool prints."""

    profile: ToolProfile
    marker: bool = False
    forbidden: str = ""

    def note(self, line: str) -> None:
        """Look at one line."""
        success = self.profile.success
        if success.marker and line.strip() == success.marker:
            self.marker = True
        if not self.forbidden and any(word in line for word in success.forbidden):
            self.forbidden = line


@dataclass(frozen=True)
class ToolMade:
    """What came of one image."""

    outcome: true_success.TaskOutcome
    files: tuple[Output, ...] = ()
    counts: ObjectCounts | None = None
    contrast: Contrast | None = field(default=None)


def home_of(profile: ToolProfile) -> Path:
    """Return where the start task has installed a tool; refuse a node that has not got it."""
    shared = os.environ.get("AZ_BATCH_NODE_SHARED_DIR", "")
    home = Path(os.environ.get("TOOLS_HOME") or f"{shared}/tools", profile.name)
    if profile.is_installed and not (home / "VERSION").is_file():
        sentence = f"There is no {profile.title} in {home}: the pool's start task has not installed it there."
        refuse(contract.EXIT_NODE, sentence)
    return home


def version_of(profile: ToolProfile, home: Path) -> str:
    """Return name and version of a tool; its profile's fingerprint where it is no program that is installed."""
    with suppress(OSError, UnicodeDecodeError):
        return plain_line(f"{profile.title} {(home / 'VERSION').read_text().strip()}", 100)
    return f"{profile.title} {sys.version.split()[0]}" if "{python}" in profile.run.command else profile.title


def run_tool(
    execution: Execution, task: contract.TaskEnvironment, images: LocalImages, profile: ToolProfile
) -> true_success.TaskOutcome:
    """Make the results of all images of the file and publish them."""
    home = home_of(profile)
    for described in images.described:
        if fault := tool_fault(profile, described):
            refuse(contract.EXIT_BAD_IMAGE, f"The image {task.image_name} {fault}")
    results: list[Output] = []
    segmented = []
    contrast = None
    for index in range(len(images.described)):
        with execution.step("prepare"):
            image = images.make(index)
        done = _run_once(execution, task, image, profile, home)
        if not done.outcome.succeeded:
            return done.outcome
        results += done.files
        segmented.append(SegmentedImage.of(image.described, done.counts))
        contrast = contrast if index else done.contrast
    ignore_end_signals()
    publish(execution, task, images.md5, segmented, (), results, contrast, version_of(profile, home))
    return done.outcome


def _run_once(
    execution: Execution, task: contract.TaskEnvironment, image: LocalImage, profile: ToolProfile, home: Path
) -> ToolMade:
    folder = image.described.folder
    work = execution.partial.parent / WORK / (folder or "image")
    shutil.rmtree(work, ignore_errors=True)
    given, out, done = work / "in", work / "out", work / "done.txt"
    for made in (given, out):
        made.mkdir(parents=True)
    with execution.step("convert"):
        file = _given(execution, task, image, profile, given)
    values = {
        "home": str(home),
        "python": sys.executable,
        "project": str(execution.root / profile.project_file),
        "image": str(file),
        "dataset": image.argument[len(LINK) :].lstrip("/"),
        "image_folder": str(given),
        "out": str(out),
        "stem": task.nickname,
        "done": str(done),
        "memory_mb": str(int(task.ram_mb * profile.run.memory_share)),
        "threads": str(task.threads),
    }
    watch = Watch(profile)
    program = Program(
        profile.title, profile.run.quiet_seconds, lambda seconds: quiet_too_long(profile, seconds), watch.note
    )
    if profile.input.convert:
        values["image"] = _converted(execution, task, profile, program, {**values, "given": str(given)})
    command = [*(_SCREEN if profile.run.display else ()), *filled(profile.run.command, values)]
    execution.command = execution.command or command
    with execution.step("ilastik"):
        log = run_program(execution, task, command, program, dict(profile.run.environment))
    with execution.step("verify"):
        assert execution.ilastik_exit_code is not None
        ran = ToolRan(
            execution.ilastik_exit_code,
            log,
            marker=watch.marker,
            forbidden=watch.forbidden,
            done_text=_text_of(done),
            free_bytes=shutil.disk_usage(execution.root).free,
        )
        left = left_files(out, profile, image.described)
        outcome = judge_tool(profile, ran, left)
        if not outcome.succeeded:
            return ToolMade(replace(outcome, sentence=f"{folder}: {outcome.sentence}") if folder else outcome)
        if aside := left_aside(out, profile):
            sentence = f"{profile.title} left {aside} more file(s) or folder(s), which its profile does not name."
            execution.warn(RunWarning("files-left-aside", sentence), folder)
        place = execution.partial / folder
        place.mkdir(exist_ok=True)
        files: list[Output] = []
        counts: list[ClassCount] = []
        for kept in sorted_out(profile, left):
            for name in kept.names:
                (out / name).replace(place / name)
                path = f"{folder}/{name}" if folder else name
                files.append(as_output(place / name, path, kept.output, image.described))
            if kept.output.counts:
                for name in kept.names:
                    # Of several tables, each says by its name what its rows are.
                    what = kept.output.counts if len(kept.names) == 1 else name.rpartition(".")[0]
                    counts.append(ClassCount(min(len(counts) + 1, MOST_COUNTS), what, (rows_of(place / name),), (0.0,)))
    with execution.step("pictures"):
        pictures, contrast = make_pictures(execution, image, [], task)
    shutil.rmtree(work, ignore_errors=True)
    counted = ObjectCounts("px", 0.0, tuple(counts[:MOST_COUNTS])) if counts else None
    return ToolMade(outcome, (*files, *pictures), counted, contrast)


def _given(
    execution: Execution, task: contract.TaskEnvironment, image: LocalImage, profile: ToolProfile, folder: Path
) -> Path:
    """Make the file that the tool gets: alone in its folder."""
    if profile.input.form is InputForm.HDF5:
        link = folder / f"{task.nickname}.h5"
        link.symlink_to(execution.root / LINK)
        return link
    target = folder / f"{task.nickname}.tif"
    try:
        ask_aside(plain_tiff.__name__, {**pixels_of(execution, image, []), "target": str(target)}, _SECONDS_TO_WRITE)
    except (NoAnswer, subprocess.SubprocessError) as exc:
        if "No space left on device" in str(exc):
            refuse(contract.EXIT_DISK_FULL, f"The node's disk is full: {exc}.")
        refuse(contract.EXIT_UNREAD, f"The image {task.image_name} can't be read to its end: {exc}.")
    return target


def _converted(
    execution: Execution, task: contract.TaskEnvironment, profile: ToolProfile, program: Program, values: dict[str, str]
) -> str:
    """Have the profile's own command make what the tool reads; the TIFF that it was made of goes."""
    image = Path(values["image"])
    target = image.with_name(f"{task.nickname}{profile.input.ending}.new")
    command = filled(profile.input.convert, {**values, "given": str(target)})
    with execution.step("convert"):
        run_program(execution, task, command, program, dict(profile.run.environment))
    if execution.ilastik_exit_code or not target.is_file() or not target.stat().st_size:
        sentence = f"The image could not be made into what {profile.title} reads: its converter ended with exit code"
        refuse(contract.EXIT_BAD_IMAGE, f"{sentence} {execution.ilastik_exit_code}.")
    image.unlink()
    return str(target.rename(target.with_suffix("")))


def _text_of(path: Path) -> str | None:
    with suppress(OSError), path.open("rb") as file:
        return file.read(1000).decode("utf-8", "replace")
    return None
