"""When a run of ilastik counts as success, and the sentence if it does not.

Pure and stdlib only, for Python 3.9 and newer: this module travels to the node (see contract.py).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from batch_ops.task import contract
from batch_ops.task.export_plan import ExportPlan
from batch_ops.task.failure_kinds import KIND_OF_EXIT, FailureKind

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
class FoundTiff:
    """A file that ilastik left: length in bytes, pages, the (rows, columns) that all pages share.

    `fault` says why it could not be read completely ("" = it could).
    """

    name: str
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


def disk_full(need_bytes: int, free_bytes: int, *, too_small: bool = False) -> TaskOutcome:
    """Say that the node's disk has no room for the TIFFs, with both sizes; `too_small`: not even if it were empty."""
    return failure(
        contract.EXIT_DISK_TOO_SMALL if too_small else contract.EXIT_DISK_FULL,
        f"The node's disk is {'too small' if too_small else 'full'}: {size(free_bytes)} are free, and the TIFFs of "
        f"this image need {size(need_bytes)}. Use nodes with a larger disk, or split the image.",
    )


_DISK_MARKS = ("no space left on device", "errno 28]", "errno = 28")
_MEMORY_MARKS = ("memoryerror", "unable to allocate", "bad_alloc", "cannot allocate memory")
_THREAD_MARKS = ("unhandled exception",)
_HARDLY_ANY_BYTES = 2**20
_ERROR_LINE = re.compile(r"[\w.]*(Error|Exception|Interrupt)\b")
_LOG_RECORD = re.compile(r"(DEBUG|INFO|WARNING|ERROR|CRITICAL) ")
_LONGEST_COMPLAINT = 500


def is_evidence(line: str) -> bool:
    """Return whether `outcome_of` needs this line: a long log need not be kept."""
    return _tells(line, (*_DISK_MARKS, *_MEMORY_MARKS, *_THREAD_MARKS))


def outcome_of(
    exit_code: int,
    found: Sequence[FoundTiff],
    log: str,
    plan: ExportPlan,
    nickname: str,
    free_bytes: int,
) -> TaskOutcome:
    """Judge a run by the rule of true success, as exit code 0 alone proves nothing.

    Success is exit code 0 *and* exactly the planned TIFFs, each readable to its end with the planned pages,
    *and* no unhandled exception of a thread in the log. `exit_code` is as Python's subprocess gives it
    (negative: a signal); `free_bytes` are those of the disk after the run.
    """
    code = 128 - exit_code if exit_code < 0 else exit_code
    if _tells(log, _DISK_MARKS):
        return disk_full(plan.files * plan.bytes_per_file, free_bytes)
    if code:
        return _failed(1 if code in contract.RESERVED_EXITS else code, log)
    unhandled = _from_first(log, _THREAD_MARKS)
    if unhandled:
        sentence = f"A part of ilastik failed, although ilastik ran to its end: {complaint(unhandled)}"
        return TaskOutcome(FailureKind.COMMAND, 1, sentence)
    faults = _compare(found, plan, nickname)
    if faults and free_bytes < _HARDLY_ANY_BYTES:
        return disk_full(plan.files * plan.bytes_per_file, free_bytes)
    if faults:
        more = f" (and {len(faults) - 1} more like it)" if len(faults) > 1 else ""
        return failure(
            contract.EXIT_NO_OUTPUT,
            f"ilastik ended without an error, but its output is not complete: {faults[0]}{more}.",
        )
    return TaskOutcome(None, 0, f"ilastik wrote {plan.files} TIFF file(s).")


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
    end = next((i for i, line in enumerate(lines) if i and _LOG_RECORD.match(line)), len(lines))
    return list(lines[:end])


def _failed(code: int, log: str) -> TaskOutcome:
    if code == contract.EXIT_KILLED:
        sentence = "ilastik was killed (exit code 137), most likely for using more memory than the node has."
        return TaskOutcome(FailureKind.OUT_OF_MEMORY, code, sentence)
    if _tells(log, _MEMORY_MARKS):
        sentence = f"ilastik ran out of memory (exit code {code}): {complaint(log)}"
        return TaskOutcome(FailureKind.OUT_OF_MEMORY, code, sentence)
    crashed = "crashed" if code > 128 else "ended"
    return TaskOutcome(FailureKind.COMMAND, code, f"ilastik {crashed} with exit code {code}: {complaint(log)}")


def _compare(found: Sequence[FoundTiff], plan: ExportPlan, nickname: str) -> list[str]:
    by_name = {tiff.name: tiff for tiff in found}
    expected = plan.file_names(nickname)
    missing = [name for name in expected if name not in by_name]
    faults = []
    if missing:
        faults.append(f"{len(missing)} of {len(expected)} TIFF files are missing, the first is {missing[0]}")
    for name in expected:
        tiff = by_name.pop(name, None)
        if tiff is None:
            continue
        if tiff.length == 0:
            faults.append(f"{name} is empty")
        elif tiff.fault:
            faults.append(f"{name} is damaged: {tiff.fault}")
        elif tiff.pages != plan.pages_per_file:
            faults.append(f"{name} has {tiff.pages} pages instead of {plan.pages_per_file}")
        elif tiff.page_shape != plan.page_shape:
            rows, columns = plan.page_shape
            faults.append(
                f"{name} has pages of {tiff.page_shape[0]} x {tiff.page_shape[1]} pixels instead of {rows} x {columns}"
            )
    faults.extend(f"there is an unexpected file, {name!r}" for name in sorted(by_name))
    return faults
