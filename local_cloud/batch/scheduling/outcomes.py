"""Pure rules: which task runs next and where, and what becomes of it when a run of it has ended."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from local_cloud.batch.node.execution import EXIT_CODE, Ended, StopReason
from local_cloud.batch.state.exit_conditions import ENDED_BY_USER, TASK_ENDED
from local_cloud.batch.state.model import Execution, Failure, Job, JobState, Result, Task, TaskState
from local_cloud.batch.state.node_records import Node
from local_cloud.batch.state.task_index import TaskIndex

OUT_OF_TIME = Failure(
    "usererror",
    TASK_ENDED,
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


def preparing(task: Task, pool: str, node: str, now: datetime) -> Task:
    """Assign an active task to a node that is not prepared for its job yet."""
    return task.to(TaskState.PREPARING, now, pool=pool, node=node)


def unassigned(task: Task, now: datetime) -> Task:
    """Make a task active again that could not begin on its node: nothing is counted."""
    return task.to(TaskState.ACTIVE, now, pool=None, node=None)


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


@dataclass(frozen=True, slots=True)
class Placement:
    """A task and the node that shall run it."""

    task: Task
    node: Node


def next_placement(
    jobs: Iterable[Job],
    tasks: Mapping[str, TaskIndex],
    free: Sequence[tuple[Node, int]],
    *,
    pack: bool,
    in_creation_order: bool,
    barred: Callable[[Job, Node], bool] = lambda job, node: False,
) -> Placement | None:
    """Choose the next task to start on one of the nodes with that many free slots, or None.

    Jobs go by priority; of equal ones the oldest first, or - the pool's default - the one that runs the
    fewest tasks. Within a job the oldest task that fits goes first, on no node that is `barred` to the job.
    """
    most = max((slots for _, slots in free), default=0)
    if most <= 0:
        return None
    best: tuple[tuple[int, int, int], Task, Sequence[tuple[Node, int]]] | None = None
    for job in jobs:
        index = tasks[job.key]
        running = index.counts.running
        limit = int(job.spec.get("maxParallelTasks", -1))
        if job.state is not JobState.ACTIVE or (0 < limit <= running) or not index.counts.active:
            continue
        rank = (-job.priority, 0 if in_creation_order else running, job.seq)
        if best is not None and best[0] <= rank:
            continue
        usable = free
        if job.preparation is not None:
            usable = [(node, slots) for node, slots in free if not barred(job, node)]
        task = index.first_waiting(max((slots for _, slots in usable), default=0))
        if task is not None:
            best = (rank, task, usable)
    if best is None:
        return None
    _, task, usable = best
    return Placement(task, _node_for(task, usable, pack))


def _node_for(task: Task, free: Sequence[tuple[Node, int]], pack: bool) -> Node:
    fitting = [(node, slots) for node, slots in free if slots >= task.slots]
    if '"affinityInfo"' in task.spec:
        wanted = task.body()["affinityInfo"]["affinityId"].lower()
        for node, _ in fitting:
            if node.affinity.lower() == wanted:
                return node
    if pack:
        return min(fitting, key=lambda entry: (entry[1], entry[0].number))[0]
    return max(fitting, key=lambda entry: (entry[1], -entry[0].number))[0]
