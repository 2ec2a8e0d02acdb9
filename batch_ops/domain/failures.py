"""Why a completed task did not do its work: Batch's codes and the task script's exit codes, read by one table."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from types import MappingProxyType

from batch_ops.domain.batch_task import Task, TaskFailure
from batch_ops.task import contract
from batch_ops.task.failure_kinds import FailureKind

# Start and end are told in fractions of a second that need not add up to the limit exactly.
_CLOCK_TOLERANCE = timedelta(seconds=0.5)

_BY_CODE: Mapping[str, FailureKind] = MappingProxyType(
    {
        "blobnotfound": FailureKind.STAGING_IN,
        "blobaccessdenied": FailureKind.STAGING_IN,
        "blobdownloadmiscerror": FailureKind.STAGING_IN,
        "blobdownloadtimedout": FailureKind.STAGING_IN,
        "resourcedirectorycreatefailed": FailureKind.NODE,
        "resourcefilecreatefailed": FailureKind.NODE,
        "resourcefilewritefailed": FailureKind.NODE,
        "diskfull": FailureKind.DISK_FULL,
        "commandprogramnotfound": FailureKind.NODE,
        "commandlaunchfailed": FailureKind.NODE,
        "maxinternalretrycountreached": FailureKind.NODE,
        "taskschedulingconstraintfailed": FailureKind.NODE,
    }
)

_BY_EXIT: Mapping[int, tuple[FailureKind, str]] = MappingProxyType(
    {
        137: (FailureKind.OUT_OF_MEMORY, "ilastik was killed for using more memory than its slot has."),
        contract.EXIT_NO_OUTPUT: (FailureKind.NO_OUTPUT, "ilastik ended without a complete segmentation."),
        contract.EXIT_DISK_FULL: (FailureKind.DISK_FULL, "The node's disk was full."),
        contract.EXIT_BAD_IMAGE: (FailureKind.COMMAND, "The node could not use the image."),
        contract.EXIT_BAD_PROJECT: (FailureKind.COMMAND, "The node could not use the project."),
        contract.EXIT_STAGING_IN: (
            FailureKind.STAGING_IN,
            "The image or the project did not reach the node whole.",
        ),
        contract.EXIT_NODE: (FailureKind.NODE, "The node has no working ilastik."),
        contract.EXIT_ENDED: (FailureKind.ENDED, "Somebody ended the task in Azure Batch."),
    }
)


@dataclass(frozen=True, slots=True)
class Cause:
    """A kind of failure and the sentence for people."""

    kind: FailureKind
    sentence: str


def cause_of(task: Task, wall_clock: timedelta) -> Cause | None:
    """Why this completed task failed; None if it succeeded (exit code 0 and no `failureInfo`)."""
    if task.failure is None and task.exit_code == 0:
        return None
    if task.failure is None and task.exit_code is None:
        if task.succeeded:
            return None
        return Cause(FailureKind.NODE, "Batch shows the task as completed but without an exit code.")
    code = (task.failure.code if task.failure else "").lower()
    if _ran_out_of_time(task, wall_clock, code):
        return Cause(FailureKind.TIMEOUT, f"Stopped: it ran longer than the limit of {_minutes(wall_clock)}.")
    if task.failure and "upload" in code:
        return Cause(FailureKind.STAGING_OUT, f"The results could not be stored: {_told(task.failure)}")
    if task.failure and code in _BY_CODE:
        return Cause(_BY_CODE[code], f"{_LEADS[_BY_CODE[code]]}: {_told(task.failure)}")
    if task.exit_code is not None and task.exit_code in _BY_EXIT:
        return Cause(*_BY_EXIT[task.exit_code])
    if code == "taskended":
        return Cause(FailureKind.ENDED, "Somebody ended the task in Azure Batch.")
    if task.exit_code:
        return Cause(FailureKind.COMMAND, f"ilastik ended with exit code {task.exit_code}.")
    told = _told(task.failure) if task.failure else "no reason given"
    return Cause(FailureKind.NODE, f"Batch could not run the task: {told}")


def refined(cause: Cause, told: Cause | None) -> Cause:
    """The cause with what the task script itself found, where it saw more than Batch can."""
    if told is None or cause.kind in {FailureKind.TIMEOUT, FailureKind.STAGING_OUT}:
        return cause
    return told


_LEADS: Mapping[FailureKind, str] = MappingProxyType(
    {
        FailureKind.STAGING_IN: "The node could not fetch the image or the project",
        FailureKind.NODE: "The node could not run the task",
        FailureKind.DISK_FULL: "The node's disk was full",
    }
)


def _ran_out_of_time(task: Task, wall_clock: timedelta, code: str) -> bool:
    if "wallclock" in code:
        return True
    if not (task.started and task.ended and wall_clock):
        return False
    ended_from_outside = code == "taskended" or task.exit_code is None or task.exit_code > 128
    return ended_from_outside and task.ended - task.started >= wall_clock - _CLOCK_TOLERANCE


def _told(failure: TaskFailure) -> str:
    message = failure.message.strip().splitlines()[0].strip() if failure.message.strip() else ""
    return f"{message} ({failure.code})" if message else failure.code


def _minutes(span: timedelta) -> str:
    minutes = span / timedelta(minutes=1)
    return f"{minutes:g} minutes" if minutes != 1 else "1 minute"
