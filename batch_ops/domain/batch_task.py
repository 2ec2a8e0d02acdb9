"""An Azure Batch task as the service shows it."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class TaskState(StrEnum):
    """Azure Batch's own words."""

    ACTIVE = "active"
    PREPARING = "preparing"
    RUNNING = "running"
    COMPLETED = "completed"


class JobState(StrEnum):
    """What matters of a job: whether its tasks are run. `closed`: completed, about to be, or gone."""

    OPEN = "open"
    PAUSED = "paused"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class TaskRef:
    """Where a task is found; a `task_id` of "" stands for none.

    `parts`: which parts of its image may be at work in tasks of their own, before it exists (see `parts.OpenParts`).
    """

    job_id: str = ""
    task_id: str = ""
    parts: str = ""


NO_TASK = TaskRef()


@dataclass(frozen=True, slots=True)
class TaskFailure:
    """Batch's `failureInfo`."""

    category: str
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Task:
    """A Batch task as the service describes it."""

    job_id: str
    task_id: str
    state: TaskState
    changed: datetime
    exit_code: int | None = None
    succeeded: bool = False
    failure: TaskFailure | None = None
    node_id: str | None = None
    started: datetime | None = None
    ended: datetime | None = None
    requeues: int = 0
    requeued: datetime | None = None

    @property
    def ref(self) -> TaskRef:
        """Where it is found."""
        return TaskRef(self.job_id, self.task_id)
