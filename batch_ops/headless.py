"""ilastik headless on a node: what is run there, what it must write, and when that counts as success.

Pure and stdlib only, for Python 3.9 (the oldest that ships with ilastik) and newer, which is why its
dataclasses have no slots: the product imports this module, and the same file travels to the node beside
the task script. The contract between the two:

**Brought by the resource files** into the task's working directory: `task/run_task.sh`, `task/run_task.py`,
`task/batch_ops/{__init__,headless,manifest}.py`, `image/<nickname>.h5`, `project.ilp`. The command line is
`COMMAND_LINE`; everything else arrives as environment variables (`TaskEnvironment`).

**Written by the task**, for an execution id such as `20261122T085551Z-1f0c3a9e` (a fresh one each time the
script starts, as Batch may run a task twice):

    partial/<execution>/            ilastik writes here; nothing uploads it
    out/<execution>/<name>.tiff     moved here in one step, complete, verified, with
    out/<execution>/manifest.json   (manifest.py); on failure there is no such folder
    logs/<execution>/ilastik.log    what ilastik printed, at most LOG_LIMIT_BYTES
    logs/<execution>/outcome.json   an `Outcome`: kind, sentence, exit code, timings, last lines

**Uploaded by the output files** (`OUTPUT_FILES`) under the task's folder in `staging`:

    <task id>/<execution>/*.tiff, manifest.json     on success only
    <task id>/logs/<execution>/*                    always
    <task id>/logs/stdout.txt, stderr.txt           always

**Exit codes**: 0 success; EXIT_* below where the script itself found the reason; otherwise ilastik's own
(137 killed for memory, 139 crashed; death by signal N is 128 + N). An ilastik that itself ends with one of
the EXIT_* codes, or with 0 although its log shows an unhandled exception, becomes 1.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

COMMAND_LINE = "/bin/bash task/run_task.sh"
PROJECT_FILE = "project.ilp"
PARTIAL_FOLDER, OUT_FOLDER, LOGS_FOLDER = "partial", "out", "logs"
MANIFEST_NAME, LOG_NAME, OUTCOME_NAME = "manifest.json", "ilastik.log", "outcome.json"
LOG_LIMIT_BYTES = 64 * 2**20

EXIT_NO_OUTPUT = 81  # ilastik said success, but the TIFFs are missing or not as they must be
EXIT_DISK_FULL = 82  # the node's disk is too small for this image
EXIT_BAD_IMAGE = 83  # found only here: no such dataset, axes that do not fit, too large for TIFF
EXIT_BAD_PROJECT = 84  # found only here: not HDF5, or without its parts
EXIT_STAGING_IN = 85  # a file is missing or is not the one that was checked
EXIT_NODE = 86  # no ilastik on this node
EXIT_INTERNAL = 87  # a fault in the task script or in its environment variables
EXIT_ENDED = 143  # SIGTERM: the task was ended from outside
_RESERVED = range(EXIT_NO_OUTPUT, EXIT_INTERNAL + 1)


@dataclass(frozen=True)
class OutputRule:
    """Files to upload: `pattern` from the working directory, `folder` is appended to the task's own."""

    pattern: str
    folder: str
    always: bool


OUTPUT_FILES = (
    OutputRule("out/**/*", "", always=False),
    OutputRule("logs/**/*", "/logs", always=True),
    OutputRule("../std*.txt", "/logs", always=True),
)

SEQUENCE = "multipage tiff sequence"
SINGLE_FILE = "multipage tiff"

AXES = "tzyxc"
# ilastik writes classic TIFF, whose offsets are 32 bits; the writer keeps a reserve for its tags.
CLASSIC_TIFF_LIMIT_BYTES = 2**32 - 2**25
# Upper bounds of what stands beside the pixels: one directory of tags a page, one OME description a file.
_TAGS_BYTES_PER_PAGE = 256
_TAGS_BYTES_PER_FILE = 4096


class PlanError(ValueError):
    """The axes and the shape do not describe an image that ilastik could export as TIFF."""


@dataclass(frozen=True)
class ExportPlan:
    """The TIFF files that one image becomes.

    `page_shape` is (rows, columns) = (y, x) in pixels, `pages_per_file` counts z (and t, and channels,
    where they stand in one file), `bytes_per_file` is an upper estimate of one file's length.
    """

    output_format: str
    files: int
    pages_per_file: int
    page_shape: tuple[int, int]
    bytes_per_file: int

    @property
    def is_sequence(self) -> bool:
        return self.output_format == SEQUENCE

    @property
    def fits_classic_tiff(self) -> bool:
        return self.bytes_per_file <= CLASSIC_TIFF_LIMIT_BYTES

    def file_names(self, nickname: str) -> tuple[str, ...]:
        """Names in the order of t; the number is zero-padded to the digits of the number of files."""
        if not self.is_sequence:
            return (f"{nickname}.tiff",)
        digits = len(str(self.files))
        return tuple(f"{nickname}{index:0{digits}}.tiff" for index in range(self.files))


def export_plan(axes: str, shape: Sequence[int], *, channels: int = 1, bytes_per_value: int = 1) -> ExportPlan:
    """How ilastik exports an image of these axes ("tzyxc" letters, in the order of `shape`).

    The image's own channels do not count: a segmentation has one (`channels`, uint8), probabilities have
    one a class (float32, `bytes_per_value` 4). The sequence (one file a time point, one page a z) steps
    along the *first* axis that is longer than 1 and needs all of t, z, y and x to be so; hence it is taken
    only where that first axis is t. Everything else becomes one file with a page for each t, z and channel.
    Raises PlanError for axes that are unknown, repeated, without x and y, or do not fit the shape.
    """
    if len(axes) != len(shape):
        raise PlanError(f"The axes '{axes}' name {len(axes)} dimensions, but the image has {len(shape)}.")
    if len(set(axes)) != len(axes) or not set(axes) <= set(AXES):
        raise PlanError(f"The axes '{axes}' are not made of different letters out of '{AXES}'.")
    if not {"x", "y"} <= set(axes):
        raise PlanError(f"The axes '{axes}' lack x or y; ilastik needs both.")
    if min(shape) < 1 or channels < 1:
        raise PlanError(f"The image is empty: its shape is {tuple(shape)}.")
    size = {axis: int(shape[index]) for index, axis in enumerate(axes)}
    long_axes = [axis for axis in axes if axis != "c" and size[axis] > 1]
    t, z = size.get("t", 1), size.get("z", 1)
    sequence = len(long_axes) == 4 and long_axes[0] == "t"
    files, pages = (t, z * channels) if sequence else (1, t * z * channels)
    rows, columns = size["y"], size["x"]
    return ExportPlan(
        output_format=SEQUENCE if sequence else SINGLE_FILE,
        files=files,
        pages_per_file=pages,
        page_shape=(rows, columns),
        bytes_per_file=pages * (rows * columns * bytes_per_value + _TAGS_BYTES_PER_PAGE) + _TAGS_BYTES_PER_FILE,
    )


# What ilastik can export as TIFF: does each class make a channel, and bytes of one value.
EXPORT_SOURCES = {"Simple Segmentation": (False, 1), "Probabilities": (True, 4), "Uncertainty": (False, 4)}

_NICKNAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,63}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_LEAST_RAM_MB = 500  # lazyflow refuses less


class TaskEnvironmentError(ValueError):
    """The environment variables of a task are incomplete or wrong; all faults in one text."""


@dataclass(frozen=True)
class TaskEnvironment:
    """All that a task is told, beside its files; travels as `ILASTIK_TASK_<FIELD>` in upper case.

    `internal_path` is the dataset inside the image ("" = the only one). `axes` are the letters for an image
    without axistags ("" = it has its own). `image_length` in bytes and `project_digest` (SHA-256, hex) are
    those of the checked and frozen blobs. `threads` and `ram_mb` (MB = 2^20 bytes) are the slot's share.
    """

    nickname: str
    internal_path: str
    axes: str
    export_source: str
    image_name: str
    image_etag: str
    image_length: int
    project_digest: str
    correlation_id: str
    task_id: str
    run: int
    attempt: int
    threads: int
    ram_mb: int
    ilastik_version: str = ""

    PREFIX = "ILASTIK_TASK_"  # no annotation, so no field

    def to_env(self) -> dict[str, str]:
        """Environment variables; raises TaskEnvironmentError for values that the node would refuse."""
        self._refuse_faults()
        values = dataclasses.asdict(self)
        return {f"{self.PREFIX}{name.upper()}": str(value) for name, value in values.items()}

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> TaskEnvironment:
        """The reverse of `to_env`; other variables are ignored."""
        values: dict[str, Any] = {}
        faults = []
        for field in dataclasses.fields(cls):
            name = f"{cls.PREFIX}{field.name.upper()}"
            text = environ.get(name)
            if text is None and field.default is dataclasses.MISSING:
                faults.append(f"{name} is missing")
            elif text is not None and field.type == "int":
                if re.fullmatch(r"[0-9]{1,18}", text):
                    values[field.name] = int(text)
                else:
                    faults.append(f"{name} is not a whole number")
            elif text is not None:
                values[field.name] = text
        if faults:
            raise TaskEnvironmentError("; ".join(faults) + ".")
        environment = cls(**values)
        environment._refuse_faults()
        return environment

    @property
    def image_file(self) -> str:
        """Where the resource file puts the image, relative to the working directory."""
        return f"image/{self.nickname}.h5"

    def _refuse_faults(self) -> None:
        texts = [v for v in dataclasses.asdict(self).values() if isinstance(v, str)]
        rules = (
            (_NICKNAME.fullmatch(self.nickname), "the nickname must be 1 to 64 of A-Z a-z 0-9 . _ -"),
            (set(self.axes) <= set(AXES), f"the axes must be letters out of '{AXES}'"),
            (
                self.export_source in EXPORT_SOURCES,
                f"the export source must be one of {list(EXPORT_SOURCES)}",
            ),
            (_SHA256.fullmatch(self.project_digest), "the project digest must be 64 hex digits"),
            (self.image_length > 0, "the image length must be above 0"),
            (self.threads > 0, "threads must be above 0"),
            (self.ram_mb >= _LEAST_RAM_MB, f"ram_mb must be at least {_LEAST_RAM_MB}"),
            (all("\0" not in text for text in texts), "no value may hold a null character"),
        )
        faults = [sentence for holds, sentence in rules if not holds]
        if faults:
            raise TaskEnvironmentError("; ".join(faults) + ".")


def command(
    program: str,
    project: str,
    image: str,
    output_stem: str,
    export_source: str,
    plan: ExportPlan,
    *,
    ignore_training_axes: bool = False,
) -> list[str]:
    """The arguments of one headless run, for an exec without a shell; all paths relative to its directory.

    `image` is `<file>.h5/<dataset>`, `output_stem` folder and name without number and suffix.
    `ignore_training_axes` makes ilastik believe the image's own axistags where the project's differ.
    """
    number = "{slice_index}" if plan.is_sequence else ""
    return [
        program,
        "--headless",
        "--readonly",
        f"--project={project}",
        image,
        f"--export_source={export_source}",
        f"--output_format={plan.output_format}",
        f"--output_filename_format={output_stem}{number}.tiff",
        *(["--ignore_training_axistags"] if ignore_training_axes else []),
    ]


def ilastik_environment(base: Mapping[str, str], threads: int, ram_mb: int) -> dict[str, str]:
    """The node's environment without this task's values, Python's settings and Batch's token."""
    dropped = (TaskEnvironment.PREFIX, "PYTHON", "LAZYFLOW_", "AZ_BATCH_AUTHENTICATION_TOKEN")
    kept = {name: value for name, value in base.items() if not name.startswith(dropped)}
    return {**kept, "LAZYFLOW_THREADS": str(threads), "LAZYFLOW_TOTAL_RAM_MB": str(ram_mb)}


class OutcomeKind(Enum):
    """How a task ended; the failures by the names that the ledger uses."""

    SUCCEEDED = "SUCCEEDED"
    STAGING_IN = "STAGING_IN"
    NODE = "NODE"
    COMMAND = "COMMAND"
    OUT_OF_MEMORY = "OUT_OF_MEMORY"
    DISK_FULL = "DISK_FULL"
    NO_OUTPUT = "NO_OUTPUT"
    ENDED = "ENDED"


_KIND_OF_EXIT = {
    EXIT_NO_OUTPUT: OutcomeKind.NO_OUTPUT,
    EXIT_DISK_FULL: OutcomeKind.DISK_FULL,
    EXIT_BAD_IMAGE: OutcomeKind.COMMAND,
    EXIT_BAD_PROJECT: OutcomeKind.COMMAND,
    EXIT_STAGING_IN: OutcomeKind.STAGING_IN,
    EXIT_NODE: OutcomeKind.NODE,
    EXIT_INTERNAL: OutcomeKind.COMMAND,
    EXIT_ENDED: OutcomeKind.ENDED,
}


@dataclass(frozen=True)
class Outcome:
    """How a task ended: its kind, the exit code that Batch sees, and one plain sentence."""

    kind: OutcomeKind
    exit_code: int
    sentence: str

    @property
    def succeeded(self) -> bool:
        return self.kind is OutcomeKind.SUCCEEDED


@dataclass(frozen=True)
class FoundTiff:
    """A file that ilastik left: length in bytes, pages, the (rows, columns) that all pages share.

    `problem` says why it could not be read to its end ("" = it could).
    """

    name: str
    length: int
    pages: int = 0
    page_shape: tuple[int, int] = (0, 0)
    problem: str = ""


def size(length: float) -> str:
    """A number of bytes for people, in powers of 1,000."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if length < 1000:
            return f"{length:.3g} {unit}"
        length /= 1000
    return f"{length:.4g} TB"


def failure(exit_code: int, sentence: str) -> Outcome:
    """A failure that the task script found by itself; `exit_code` is one of the EXIT_* codes."""
    return Outcome(_KIND_OF_EXIT[exit_code], exit_code, sentence)


def disk_full(plan: ExportPlan, free_bytes: int) -> Outcome:
    """The node's disk can't hold the TIFFs; says both sizes."""
    need, free = size(plan.files * plan.bytes_per_file), size(free_bytes)
    return failure(
        EXIT_DISK_FULL,
        f"The node's disk is full: {free} are free, and the TIFFs of this image need {need}. "
        "Use nodes with a larger disk, or split the image.",
    )


_DISK_MARKS = ("no space left on device", "errno 28]", "errno = 28")
_MEMORY_MARKS = ("memoryerror", "unable to allocate", "bad_alloc", "cannot allocate memory")
_THREAD_MARKS = ("unhandled exception",)
_HARDLY_ANY_BYTES = 2**20
_ERROR_LINE = re.compile(r"[\w.]*(Error|Exception|Interrupt)\b")
_LOG_RECORD = re.compile(r"(DEBUG|INFO|WARNING|ERROR|CRITICAL) ")
_LONGEST_COMPLAINT = 500


def is_evidence(line: str) -> bool:
    """Whether `verdict` needs this line of the log; lets a long log be read without keeping it."""
    return _tells(line, (*_DISK_MARKS, *_MEMORY_MARKS, *_THREAD_MARKS))


def verdict(
    exit_code: int,
    found: Sequence[FoundTiff],
    log: str,
    plan: ExportPlan,
    nickname: str,
    free_bytes: int,
) -> Outcome:
    """The rule of true success, as exit code 0 alone proves nothing.

    Success is exit code 0 *and* exactly the planned TIFFs, each readable to its end with the planned pages,
    *and* no unhandled exception of a thread in the log. `exit_code` is as Python's subprocess gives it
    (negative: a signal); `free_bytes` are those of the disk after the run.
    """
    code = 128 - exit_code if exit_code < 0 else exit_code
    if _tells(log, _DISK_MARKS):
        return disk_full(plan, free_bytes)
    if code:
        return _failed(1 if code in _RESERVED else code, log)
    unhandled = _from_first(log, _THREAD_MARKS)
    if unhandled:
        sentence = f"A part of ilastik failed although it went on to its end: {complaint(unhandled)}"
        return Outcome(OutcomeKind.COMMAND, 1, sentence)
    problems = _compare(found, plan, nickname)
    if problems and free_bytes < _HARDLY_ANY_BYTES:
        return disk_full(plan, free_bytes)
    if problems:
        more = f" (and {len(problems) - 1} more such faults)" if len(problems) > 1 else ""
        return failure(
            EXIT_NO_OUTPUT,
            f"ilastik ended without an error, but its output is not complete: {problems[0]}{more}.",
        )
    return Outcome(OutcomeKind.SUCCEEDED, 0, f"ilastik wrote {plan.files} TIFF file(s).")


def complaint(log: str) -> str:
    """What a log says last: the last error with the lines that follow it, else its last line."""
    lines = [line.rstrip() for line in log.splitlines() if line.strip()]
    starts = [index for index, line in enumerate(lines) if _ERROR_LINE.match(line)]
    told = " ".join(_until_next_record(lines[starts[-1] :]) if starts else lines[-1:])
    return " ".join(told.split())[:_LONGEST_COMPLAINT] or "it printed nothing"


def _tells(log: str, marks: Sequence[str]) -> bool:
    lower = log.lower()
    return any(mark in lower for mark in marks)


def _from_first(log: str, marks: Sequence[str]) -> str:
    """The log from the first line with one of the marks on; "" without such a line."""
    lines = log.splitlines()
    first = next((index for index, line in enumerate(lines) if _tells(line, marks)), len(lines))
    return "\n".join(lines[first:])


def _until_next_record(lines: Sequence[str]) -> list[str]:
    """The first line and those after it that are no records of the logger, as messages have several lines."""
    end = next((i for i, line in enumerate(lines) if i and _LOG_RECORD.match(line)), len(lines))
    return list(lines[:end])


def _failed(code: int, log: str) -> Outcome:
    if code == 137:
        sentence = "ilastik was killed (exit code 137), most likely for using more memory than the node has."
        return Outcome(OutcomeKind.OUT_OF_MEMORY, code, sentence)
    if _tells(log, _MEMORY_MARKS):
        sentence = f"ilastik ran out of memory (exit code {code}): {complaint(log)}"
        return Outcome(OutcomeKind.OUT_OF_MEMORY, code, sentence)
    crashed = "crashed" if code > 128 else "ended"
    return Outcome(OutcomeKind.COMMAND, code, f"ilastik {crashed} with exit code {code}: {complaint(log)}")


def _compare(found: Sequence[FoundTiff], plan: ExportPlan, nickname: str) -> list[str]:
    by_name = {tiff.name: tiff for tiff in found}
    expected = plan.file_names(nickname)
    missing = [name for name in expected if name not in by_name]
    problems = []
    if missing:
        problems.append(f"{len(missing)} of {len(expected)} TIFF files are missing, the first is {missing[0]}")
    for name in expected:
        tiff = by_name.pop(name, None)
        if tiff is None:
            continue
        if tiff.length == 0:
            problems.append(f"{name} is empty")
        elif tiff.problem:
            problems.append(f"{name} is damaged: {tiff.problem}")
        elif tiff.pages != plan.pages_per_file:
            problems.append(f"{name} has {tiff.pages} pages instead of {plan.pages_per_file}")
        elif tiff.page_shape != plan.page_shape:
            rows, columns = plan.page_shape
            problems.append(
                f"{name} has pages of {tiff.page_shape[0]} x {tiff.page_shape[1]} pixels instead of {rows} x {columns}"
            )
    problems.extend(f"there is a file that nobody expects, {name!r}" for name in sorted(by_name))
    return problems
