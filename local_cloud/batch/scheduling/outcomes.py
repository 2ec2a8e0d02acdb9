"""What becomes of a task when a run of it has ended: pure rules."""

from dataclasses import dataclass, replace
from datetime import datetime

from local_cloud.batch.node.execution import EXIT_CODE, Ended, StopReason
from local_cloud.batch.state.model import Execution, Failure, Result, Task, TaskState

ENDED_BY_USER = Failure("usererror", "TaskEnded", "Task Was Ended by User Request")
OUT_OF_TIME = Failure(
    "usererror",
    "TaskEnded",
    "The task was ended because it ran longer than its maximum wall clock time",
    (("Message", "The maximum wall clock time of the task was reached"),),
)


@dataclass(frozen=True, slots=True)
class Settlement:
    """The task as it is now, and whether to run it again at once on the same node."""

    task: Task
    again: bool = False


def began(task: Task, pool: str, node: str, now: datetime) -> Task:
    """Start an active task on a node."""
    execution = replace(task.execution, start=now, end=None, exit_code=None, failure=None, result=None)
    return task.to(TaskState.RUNNING, now, execution=execution, pool=pool, node=node)


def settle(task: Task, ended: Ended, retries: int, now: datetime) -> Settlement | None:
    """Decide what becomes of a task after a run; None when it must stay as it is (the service stops).

    Only a non-zero exit of the program is retried: not a failed download, a failed upload, a time-out
    or an end by request. A requeue is no retry.
    """
    if ended.stopped is StopReason.SHUTDOWN:
        return None
    if ended.stopped is StopReason.NODE_RECOVERED:
        return Settlement(replace(task, execution=replace(task.execution, start=now)), again=True)
    if ended.stopped in (StopReason.REQUEUED, StopReason.NODE_GONE):
        return Settlement(requeued(task, now))
    if ended.stopped is StopReason.TERMINATED:
        return Settlement(completed(task, now, exit_code=ended.exit_code, failure=ENDED_BY_USER))
    if ended.timed_out:
        return Settlement(completed(task, now, exit_code=ended.exit_code, failure=OUT_OF_TIME))
    if ended.exit_code is None or (ended.exit_code == 0 and ended.failure is not None):
        return Settlement(completed(task, now, exit_code=ended.exit_code, failure=ended.failure))
    if ended.exit_code == 0:
        return Settlement(completed(task, now, exit_code=0, failure=None))
    if retries < 0 or task.execution.retries < retries:
        execution = replace(task.execution, retries=task.execution.retries + 1, last_retry=now, start=now)
        return Settlement(replace(task, execution=execution), again=True)
    return Settlement(completed(task, now, exit_code=ended.exit_code, failure=ended.failure or EXIT_CODE))


def completed(task: Task, now: datetime, *, exit_code: int | None, failure: Failure | None) -> Task:
    """Complete a task, well (no failure) or badly."""
    execution = replace(
        task.execution,
        end=now,
        exit_code=exit_code,
        failure=failure,
        result=Result.SUCCESS if failure is None else Result.FAILURE,
    )
    return task.to(TaskState.COMPLETED, now, execution=execution)


def requeued(task: Task, now: datetime) -> Task:
    """Make a task active again that lost its node through no fault of its own."""
    before = task.execution
    execution = Execution(
        retries=before.retries,
        last_retry=before.last_retry,
        requeues=before.requeues + 1,
        last_requeue=now,
    )
    return task.to(TaskState.ACTIVE, now, execution=execution, pool=None, node=None)


def reactivated(task: Task, now: datetime) -> Task:
    """Make a failed task active again on request: with all its retries, its end forgotten."""
    before = task.execution
    execution = Execution(requeues=before.requeues, last_requeue=before.last_requeue)
    return task.to(TaskState.ACTIVE, now, execution=execution, pool=None, node=None)
