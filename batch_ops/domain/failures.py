"""Why a completed task failed: what Batch shows, interpreted by the table of `failure_kinds`. Pure."""

from dataclasses import dataclass, replace
from datetime import timedelta

from batch_ops.domain.batch_task import Task, TaskFailure
from batch_ops.task import contract
from batch_ops.task.failure_kinds import KIND_OF_EXIT, RULES, FailureKind, kind_of_batch_code
from batch_ops.task.run_plan import RunWarning

# Start and end are given in fractions of a second that need not add up to the limit exactly.
_CLOCK_TOLERANCE = timedelta(seconds=0.5)


@dataclass(frozen=True, slots=True)
class Cause:
    """A kind of failure and the sentence for people; `warnings`: what the node noticed before."""

    kind: FailureKind
    sentence: str
    warnings: tuple[RunWarning, ...] = ()


def cause_of(task: Task, wall_clock: timedelta) -> Cause | None:
    """Return why this completed task failed; None if it succeeded (exit code 0 and no `failureInfo`)."""
    if task.failure is None and task.exit_code == 0:
        return None
    if task.failure is None and task.exit_code is None:
        if task.succeeded:
            return None
        return Cause(FailureKind.NODE, "Batch shows the task as completed but without an exit code.")
    kind = kind_of_batch_code(task.failure.code) if task.failure else None
    if _ran_out_of_time(task, wall_clock, kind):
        return Cause(FailureKind.TIMEOUT, f"Stopped: it ran longer than the limit of {_minutes(wall_clock)}.")
    if task.failure and kind and not RULES[kind].exit_says_more:
        return Cause(kind, f"{RULES[kind].lead}: {_message(task.failure)}")
    if kind is not FailureKind.ENDED and (was_shut_down := _shut_down(task.exit_code)):
        return was_shut_down
    if task.exit_code not in {None, contract.EXIT_ENDED} and (by_exit := KIND_OF_EXIT.get(task.exit_code)):
        return Cause(by_exit, RULES[by_exit].exits[task.exit_code])
    if kind:
        return Cause(kind, f"{RULES[kind].lead}.")
    if task.exit_code:
        return Cause(FailureKind.COMMAND, f"ilastik ended with exit code {task.exit_code}.")
    reason = _message(task.failure) if task.failure else "no reason given"
    return Cause(FailureKind.NODE, f"Batch could not run the task: {reason}")


def refined(cause: Cause, found: Cause | None) -> Cause:
    """Prefer the cause that the task script itself found, where it saw more than Batch can."""
    if found is None:
        return cause
    if found.kind is FailureKind.ENDED or RULES[cause.kind].only_batch_knows:
        return replace(cause, warnings=found.warnings)
    return found


def _shut_down(exit_code: int | None) -> Cause | None:
    """Say that a task was ended with its node: by SIGTERM, or with one of the negative codes that Batch makes up."""
    if exit_code is None or (exit_code >= 0 and exit_code != contract.EXIT_ENDED):
        return None
    return Cause(FailureKind.LOST, f"Its node was shut down while the task ran (exit code {exit_code}).")


def _ran_out_of_time(task: Task, wall_clock: timedelta, kind: FailureKind | None) -> bool:
    if kind is FailureKind.TIMEOUT:
        return True
    if not (task.started and task.ended and wall_clock):
        return False
    ended_from_outside = kind is FailureKind.ENDED or task.exit_code is None or not 0 <= task.exit_code <= 128
    return ended_from_outside and task.ended - task.started >= wall_clock - _CLOCK_TOLERANCE


def _message(failure: TaskFailure) -> str:
    message = failure.message.strip().splitlines()[0].strip() if failure.message.strip() else ""
    return f"{message} ({failure.code})" if message else failure.code


def _minutes(span: timedelta) -> str:
    minutes = span / timedelta(minutes=1)
    return f"{minutes:g} minutes" if minutes != 1 else "1 minute"
