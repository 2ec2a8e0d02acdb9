"""Which task runs next, and where: a pure choice."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from local_cloud.batch.state.model import Job, JobState, Node, Task
from local_cloud.batch.state.task_index import TaskIndex


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
) -> Placement | None:
    """Choose the next task to start on one of the nodes with that many free slots, or None.

    Jobs go by priority; of equal ones the oldest first, or - the pool's default - the one that runs the
    fewest tasks. Within a job the oldest task that fits goes first.
    """
    most = max((slots for _, slots in free), default=0)
    if most <= 0:
        return None
    best: tuple[tuple[int, int, int], Task] | None = None
    for job in jobs:
        index = tasks[job.key]
        running = index.counts.running
        limit = int(job.spec.get("maxParallelTasks", -1))
        if job.state is not JobState.ACTIVE or (0 < limit <= running) or not index.counts.active:
            continue
        rank = (-job.priority, 0 if in_creation_order else running, job.seq)
        if best is not None and best[0] <= rank:
            continue
        task = index.first_waiting(most)
        if task is not None:
            best = (rank, task)
    if best is None:
        return None
    task = best[1]
    return Placement(task, _node_for(task, free, pack))


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
