"""A Batch account in memory."""

import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from batch_ops.domain.batch_task import JobState, Task, TaskFailure, TaskState
from batch_ops.domain.errors import JobClosed, JobMissing, RequestRefused, ServiceFault
from batch_ops.domain.pool_status import PoolStatus
from batch_ops.domain.task_spec import TaskSpec
from tests.fakes.cloud import Cloud, call

PAGE = 1000
# A pool with two nodes that work.
POOL = PoolStatus(
    id="pool",
    state="active",
    allocation="steady",
    vm_size="standard_d4ds_v5",
    image="",
    node_agent="",
    slots=1,
    current=(2, 0),
    target=(2, 0),
    autoscale=True,
)
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)


@dataclass(slots=True)
class _Job:
    id: str
    pool_id: str
    state: str = "active"
    tasks: dict[str, Task] = field(default_factory=dict)
    specs: dict[str, TaskSpec] = field(default_factory=dict)
    unlisted: set[str] = field(default_factory=set)


class FakeBatch:
    """Port `BatchService`; ids are unique without regard to case.

    The methods that are not of the port are what nodes and operators do; they are not counted.
    """

    service = "batch"

    def __init__(self, cloud: Cloud | None = None) -> None:
        self.cloud = cloud or Cloud()
        # The nodes that are there; whether they are dedicated.
        self.nodes: dict[str, bool] = {}
        self.pools: dict[str, PoolStatus] = {"pool": POOL}
        self.page_size = PAGE
        self._jobs: dict[str, _Job] = {}

    # The port

    @call()
    def create_job(self, job_id: str, pool_id: str) -> None:
        _check_id(job_id)
        if job_id.lower() in self._jobs:
            return
        self._jobs[job_id.lower()] = _Job(job_id, pool_id)

    @call()
    def create_task(self, job_id: str, spec: TaskSpec) -> bool:
        return self._add_task(job_id, spec)

    def _add_task(self, job_id: str, spec: TaskSpec) -> bool:
        job = self._job(job_id)
        if job.state == "completed":
            raise JobClosed(f"The job {job_id} takes no more tasks.")
        _check_spec(spec)
        key = spec.id.lower()
        if key in job.tasks:
            return False
        job.tasks[key] = Task(job.id, spec.id, TaskState.ACTIVE, self.cloud.now)
        job.specs[key] = spec
        return True

    @call()
    def task(self, job_id: str, task_id: str) -> Task | None:
        return self._job(job_id).tasks.get(task_id.lower())

    async def changed(self, job_id: str, since: datetime | None) -> AsyncIterator[Task]:
        after: int | None = 0
        while after is not None:
            page, after = await self._list(job_id, since, after)
            for task in page:
                yield task

    @call()
    def _list(self, job_id: str, since: datetime | None, after: int) -> tuple[list[Task], int | None]:
        job = self._job(job_id)
        found = [
            task
            for key, task in job.tasks.items()
            if (since is None or task.changed >= since) and key not in job.unlisted and self._is_listed(task)
        ]
        end = after + self.page_size
        return found[after:end], end if len(found) > end else None

    def _is_listed(self, task: Task) -> bool:
        """Whether lists know of the task's latest change; they may be late, each task by its own time."""
        return True

    @call()
    def terminate_task(self, job_id: str, task_id: str) -> None:
        job = self._jobs.get(job_id.lower())
        if task := job.tasks.get(task_id.lower()) if job else None:
            self._end(task)

    @call()
    def delete_task(self, job_id: str, task_id: str) -> None:
        job = self._jobs.get(job_id.lower())
        if task := job.tasks.get(task_id.lower()) if job else None:
            self._delete(task)

    def _delete(self, task: Task) -> None:
        self.lose(task.task_id)

    @call()
    def close_job(self, job_id: str) -> None:
        """Terminate the job: what a node has is ended, what waits for one waits for ever."""
        job = self._jobs.get(job_id.lower())
        if job is None or job.state == "completed":
            return
        job.state = "completed"
        for task in list(job.tasks.values()):
            if task.state is not TaskState.ACTIVE:
                self._end(task)

    @call()
    def is_done(self, job_id: str) -> bool:
        job = self._jobs.get(job_id.lower())
        return job is None or all(task.state is TaskState.COMPLETED for task in job.tasks.values())

    @call()
    def is_dedicated(self, pool_id: str, node_id: str) -> bool | None:
        return self.nodes.get(node_id)

    @call(cost=2)
    def pool(self, pool_id: str) -> PoolStatus | None:
        found = self.pools.get(pool_id)
        return replace(found, nodes=found.broken) if found else None

    @call()
    def remove_nodes(self, pool_id: str, node_ids: Sequence[str]) -> None:
        found = self.pools.get(pool_id)
        if found is None:
            return
        if found.allocation != "steady":
            raise ServiceFault(f"The pool {pool_id} is being resized.")
        self.pools[pool_id] = replace(found, nodes=tuple(node for node in found.nodes if node.id not in node_ids))

    @call()
    def job_state(self, job_id: str) -> JobState:
        job = self._jobs.get(job_id.lower())
        if job is None or job.state == "completed":
            return JobState.CLOSED
        return JobState.PAUSED if job.state == "disabled" else JobState.OPEN

    # What nodes and operators do

    def jobs(self) -> dict[str, str]:
        """The state of every job by its id."""
        return {job.id: job.state for job in self._jobs.values()}

    def tasks(self, *states: TaskState) -> list[tuple[Task, TaskSpec]]:
        """Every task (in these states) with what it was to do, the oldest first."""
        return [
            (task, job.specs[key])
            for job in self._jobs.values()
            for key, task in job.tasks.items()
            if not states or task.state in states
        ]

    def find(self, task_id: str) -> Task | None:
        """The task of this id in any job."""
        return next(iter(self.find_all(task_id)), None)

    def find_all(self, task_id: str) -> list[Task]:
        """The tasks of this id, one a job at most."""
        key = task_id.lower()
        return [job.tasks[key] for job in self._jobs.values() if key in job.tasks]

    def move(self, task_id: str, state: TaskState, **changes: Any) -> Task:
        """Put a task into a state, now. A node that is new here is a dedicated one."""
        job, task = self._find(task_id)
        if node := changes.get("node_id"):
            self.nodes.setdefault(node, True)
        moved = replace(task, state=state, changed=self.cloud.now, **changes)
        job.tasks[task_id.lower()] = moved
        return moved

    def run(self, task_id: str, node_id: str = "node-1") -> Task:
        """A node begins with the task."""
        return self.move(task_id, TaskState.RUNNING, node_id=node_id, started=self.cloud.now)

    def complete(self, task_id: str, exit_code: int | None = 0, failure: TaskFailure | None = None) -> Task:
        """The task ends: well with exit code 0 and no failure."""
        if failure is None and exit_code:
            failure = TaskFailure("usererror", "FailureExitCode", "The task exited with an exit code of a failure.")
        well = exit_code == 0 and failure is None
        return self.move(
            task_id,
            TaskState.COMPLETED,
            exit_code=exit_code,
            succeeded=well,
            failure=failure,
            ended=self.cloud.now,
        )

    def requeue(self, task_id: str) -> Task:
        """The node was lost or preempted: Batch starts over."""
        _, task = self._find(task_id)
        back: dict[str, Any] = {"node_id": None, "started": None, "ended": None, "requeued": self.cloud.now}
        return self.move(task_id, TaskState.ACTIVE, requeues=task.requeues + 1, **back)

    def lose(self, task_id: str) -> None:
        """The task is gone, as if somebody had deleted it."""
        job, _ = self._find(task_id)
        del job.tasks[task_id.lower()], job.specs[task_id.lower()]

    def unlist(self, task_id: str, hidden: bool = True) -> None:
        """Leave a task out of lists (which may lag behind), while it can still be got by its id."""
        job, _ = self._find(task_id)
        (job.unlisted.add if hidden else job.unlisted.discard)(task_id.lower())

    def disable_job(self, job_id: str) -> None:
        """An operator pauses the job: it takes tasks, but none is started."""
        self._job(job_id).state = "disabled"

    def enable_job(self, job_id: str) -> None:
        """An operator lets the job go on."""
        self._job(job_id).state = "active"

    def delete_job(self, job_id: str) -> None:
        """An operator deletes the job and its tasks."""
        del self._jobs[job_id.lower()]

    def _end(self, task: Task) -> None:
        if task.state is not TaskState.COMPLETED:
            self.complete(task.task_id, None, TaskFailure("usererror", "TaskEnded", "Task Was Ended by User Request"))

    def _job(self, job_id: str) -> _Job:
        job = self._jobs.get(job_id.lower())
        if job is None:
            raise JobMissing(f"Azure Batch has no job {job_id}.")
        return job

    def _find(self, task_id: str) -> tuple[_Job, Task]:
        for job in self._jobs.values():
            if task := job.tasks.get(task_id.lower()):
                return job, task
        raise KeyError(task_id)


def _check_id(text: str) -> None:
    if not _ID.fullmatch(text):
        raise RequestRefused(f"{text!r} can't be an id: 1 to 64 letters, digits, '-' and '_'.")


def _check_spec(spec: TaskSpec) -> None:
    _check_id(spec.id)
    names = [name for name, _ in spec.environment]
    if len(set(names)) < len(names) or any(not name or "=" in name or "\0" in name for name in names):
        raise RequestRefused("The task's environment has a name twice, or one that can't be.")
    if any(not isinstance(value, str) or "\0" in value for _, value in spec.environment):
        raise RequestRefused("The task's environment has a value that can't be.")
    if any(bool(file.http_url) == bool(file.container_url) for file in spec.resource_files):
        raise RequestRefused("A resource file has one source.")
    if not spec.command_line or not spec.identity or spec.required_slots < 1:
        raise RequestRefused("A task has a command line, an identity and at least one slot.")
