"""When a run of ilastik counts as success, and the sentence if it does not.

Pure and stdlib only, for Python 3.9 and newer: this module travels to the node (see contract.py).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from batch_ops.task import contract
from batch_ops.task.failure_kinds import KIND_OF_EXIT, FailureKind
from batch_ops.task.outputs import PlannedOutput

SUCCEEDED = "SUCCEEDED"


@dataclass(frozen=True)
class TaskOutcome:
    """How a task ended: the kind of its failure, the exit code that Batch sees, and one plain sentence."""

    kind: FailureKind | None
    exit_code: int
    sentence: str

    @property
    def succeeded(self) -> bool:
        return self.kind is None

    @property
    def word(self) -> str:
        """The end in one word, as in `outcome.json`."""
        return SUCCEEDED if self.kind is None else str(self.kind)


@dataclass(frozen=True)
class FoundFile:
    """A file that a run left: path below its folder, length in bytes; of a TIFF also its pages.

    `page_shape` are the (rows, columns) that all pages share, `fault` says why the file could not be read
    completely ("" = it could, or nothing had to be read).
    """

    path: str
    length: int
    pages: int = 0
    page_shape: tuple[int, int] = (0, 0)
    fault: str = ""


def size(length: float) -> str:
    """Write a number of bytes for people, in powers of 1,000."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if length < 1000:
            return f"{length:.3g} {unit}"
        length /= 1000
    return f"{length:.4g} TB"


def failure(exit_code: int, sentence: str) -> TaskOutcome:
    """Describe a failure that the task script found by itself; `exit_code` is one of contract.EXIT_*."""
    return TaskOutcome(KIND_OF_EXIT[exit_code], exit_code, sentence)


def ended(sentence: str) -> TaskOutcome:
    """Describe the end of a task by SIGTERM: whether a person or a node's shutdown sent it can't be seen here."""
    return TaskOutcome(FailureKind.ENDED, contract.EXIT_ENDED, sentence)


def disk_full(need_bytes: int, free_bytes: int, *, too_small: bool = False) -> TaskOutcome:
    """Say that the node's disk has no room for the TIFFs, with both sizes; `too_small`: not even if it were empty."""
    return failure(
        contract.EXIT_DISK_TOO_SMALL if too_small else contract.EXIT_DISK_FULL,
        f"The node's disk is {'too small' if too_small else 'full'}: {size(free_bytes)} are free, and the TIFFs of "
        f"this image need {size(need_bytes)}. Use nodes with a larger disk, or split the image.",
    )


_DISK_MARKS = ("no space left on device", "errno 28]", "errno = 28")
# The last three are words of Java and ImageJ, which go on after them.
_MEMORY_MARKS = (
    *("memoryerror", "unable to allocate", "bad_alloc", "cannot allocate memory"),
    *("<out of memory>", "imagej error: out of memory", "insufficient memory"),
)
_THREAD_MARKS = ("unhandled exception",)
# In ilastik's own spelling: it leaves the stored classifier aside, and ends with 0.
_RETRAIN_MARKS = (
    "wasn't able to deserialize the saved classifier",
    "classifier will need to be retrained",
    "a new classifier will be trained for this run",
)
_CRASH_MARKS = ("fatal python error",)
_HARDLY_ANY_BYTES = 2**20
_ERROR_LINE = re.compile(r"[\w.]*(Error|Exception|Interrupt)\b|Fatal Python error: ")
# What a crashing Python prints after the reason: the calls of each thread, and the modules that it had loaded.
_AFTER_CRASH = re.compile(r"(Current thread|Thread 0x|Extension modules:)")
_NOISE = re.compile(r"DEBUG |Extension modules:")
_LOG_RECORD = re.compile(r"(DEBUG|INFO|WARNING|ERROR|CRITICAL) ")
_LONGEST_COMPLAINT = 500


def is_evidence(line: str) -> bool:
    """Return whether `outcome_of` needs this line: a long log need not be kept."""
    return _tells(line, (*_DISK_MARKS, *_MEMORY_MARKS, *_THREAD_MARKS, *_RETRAIN_MARKS, *_CRASH_MARKS))


def tells_of_memory(log: str) -> bool:
    """Return whether a program says that it had too little memory."""
    return _tells(log, _MEMORY_MARKS)


def tells_of_disk(log: str) -> bool:
    """Return whether a program says that the disk was full."""
    return _tells(log, _DISK_MARKS)


def is_noise(line: str) -> bool:
    """Return whether a line helps nobody who wants to know why a run failed: a report has no room for such."""
    return _NOISE.match(line) is not None


def outcome_of(
    exit_code: int,
    found: Sequence[FoundFile],
    log: str,
    outputs: Sequence[PlannedOutput],
    free_bytes: int,
) -> TaskOutcome:
    """Judge a run by the rule of true success, as exit code 0 alone proves nothing.

    Success is exit code 0 *and* exactly the planned outputs, each TIFF readable to its end with the planned
    pages, *and* neither an unhandled exception of a thread in the log, nor a word that the stored classifier was
    not used. `exit_code` is as Python's subprocess gives it (negative: a signal); `free_bytes` are those of the
    disk after the run.
    """
    code = 128 - exit_code if exit_code < 0 else exit_code
    if _tells(log, _DISK_MARKS):
        return disk_full(sum(output.total_bytes for output in outputs), free_bytes)
    if code:
        return _failed(1 if code in contract.RESERVED_EXITS else code, log)
    unhandled = _from_first(log, _THREAD_MARKS)
    if unhandled:
        sentence = f"A part of ilastik failed, although ilastik ran to its end: {complaint(unhandled)}"
        return TaskOutcome(FailureKind.COMMAND, 1, sentence)
    if retrained := _from_first(log, _RETRAIN_MARKS):
        sentence = (
            f"ilastik did not use the classifier of the project, but trained another one: "
            f"{' '.join(retrained.splitlines()[0].split())[:_LONGEST_COMPLAINT]}"
        )
        return failure(contract.EXIT_BAD_PROJECT, sentence)
    faults = _compare(found, outputs)
    if faults and free_bytes < _HARDLY_ANY_BYTES:
        return disk_full(sum(output.total_bytes for output in outputs), free_bytes)
    if faults:
        more = f" (and {len(faults) - 1} more like it)" if len(faults) > 1 else ""
        return failure(
            contract.EXIT_NO_OUTPUT,
            f"ilastik ended without an error, but its output is not complete: {faults[0]}{more}.",
        )
    return TaskOutcome(None, 0, f"ilastik wrote {sum(o.files for o in outputs if o.is_tiff)} TIFF file(s).")


def complaint(log: str) -> str:
    """Return the end of a log: the last error with the lines that follow it, else the last line."""
    lines = [line.rstrip() for line in log.splitlines() if line.strip()]
    starts = [index for index, line in enumerate(lines) if _ERROR_LINE.match(line)]
    last = " ".join(_until_next_record(lines[starts[-1] :]) if starts else lines[-1:])
    return " ".join(last.split())[:_LONGEST_COMPLAINT] or "it printed nothing"


def _tells(log: str, marks: Sequence[str]) -> bool:
    lower = log.lower()
    return any(mark in lower for mark in marks)


def _from_first(log: str, marks: Sequence[str]) -> str:
    """Cut the log to what follows from the first line with one of the marks; "" without such a line."""
    lines = log.splitlines()
    first = next((index for index, line in enumerate(lines) if _tells(line, marks)), len(lines))
    return "\n".join(lines[first:])


def _until_next_record(lines: Sequence[str]) -> list[str]:
    """Take the first line and those after it that are no records of the logger, as messages have several lines."""
    ends = (i for i, line in enumerate(lines) if i and (_LOG_RECORD.match(line) or _AFTER_CRASH.match(line)))
    end = next(ends, len(lines))
    return list(lines[:end])


def _failed(code: int, log: str) -> TaskOutcome:
    if code == contract.EXIT_KILLED:
        sentence = "ilastik was killed (exit code 137), most likely for using more memory than the node has."
        return TaskOutcome(FailureKind.OUT_OF_MEMORY, code, sentence)
    if code == contract.EXIT_ENDED:
        return ended(f"ilastik was ended from outside (exit code {code}).")
    if _tells(log, _MEMORY_MARKS):
        sentence = f"ilastik ran out of memory (exit code {code}): {complaint(log)}"
        return TaskOutcome(FailureKind.OUT_OF_MEMORY, code, sentence)
    crashed = "crashed" if code > 128 else "ended"
    return TaskOutcome(FailureKind.COMMAND, code, f"ilastik {crashed} with exit code {code}: {complaint(log)}")


def _compare(found: Sequence[FoundFile], outputs: Sequence[PlannedOutput]) -> list[str]:
    left = {file.path: file for file in found}
    faults = [fault for output in outputs for fault in _compare_one(left, output)]
    return faults + [f"there is an unexpected file, {path!r}" for path in sorted(left)]


def _compare_one(left: dict[str, FoundFile], output: PlannedOutput) -> Iterator[str]:
    """Tell the deviations from one promise, and take its files out of what is left."""
    missing = [path for path in output.paths if path not in left]
    if missing:
        yield f"{len(missing)} of {output.files} {output.noun} are missing, the first is {missing[0]}"
    for path in output.paths:
        file = left.pop(path, None)
        if file and (fault := _fault_of(file, output)):
            yield f"{path} {fault}"


def _fault_of(file: FoundFile, output: PlannedOutput) -> str:
    if file.length == 0:
        return "is empty"
    if file.fault:
        return f"is damaged: {file.fault}"
    if file.pages != output.pages:
        return f"has {file.pages} pages instead of {output.pages}"
    if file.page_shape != output.page_shape:
        (rows, columns), (planned_rows, planned_columns) = file.page_shape, output.page_shape
        return f"has pages of {rows} x {columns} pixels instead of {planned_rows} x {planned_columns}"
    return ""
