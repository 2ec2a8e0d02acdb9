"""The records of nodes: frozen values, changed only by making new ones."""

from dataclasses import dataclass
from datetime import datetime

from local_cloud.batch.state.model import Deallocation, Failure, Json, NodeState


@dataclass(frozen=True, slots=True)
class StepInfo:
    """The last run of a start task, or of a preparation or release task of a job, on a node."""

    running: bool
    start: datetime
    end: datetime | None = None
    exit_code: int | None = None
    failure: Failure | None = None
    retries: int = 0
    last_retry: datetime | None = None


@dataclass(frozen=True, slots=True)
class NodeUser:
    """A user that was added to a node: known by name, without a password, because nothing here asks for one."""

    name: str
    is_admin: bool
    expires: datetime


@dataclass(frozen=True, slots=True)
class Node:
    """A node of a pool."""

    pool: str
    key: str
    id: str
    number: int
    dedicated: bool
    state: NodeState
    state_since: datetime
    allocated: datetime
    booted: datetime
    scheduling: bool = True
    leaving: Deallocation | None = None
    start_task: StepInfo | None = None
    errors: tuple[Json, ...] = ()
    tasks_run: int = 0
    tasks_succeeded: int = 0
    recent: tuple[tuple[str, str], ...] = ()
    users: tuple[NodeUser, ...] = ()

    @property
    def affinity(self) -> str:
        return f"TVM:{self.id}"

    @property
    def takes_tasks(self) -> bool:
        """Whether the scheduler may place a task here."""
        return self.scheduling and self.leaving is None and self.state in (NodeState.IDLE, NodeState.RUNNING)


@dataclass(frozen=True, slots=True)
class JobNode:
    """A node that was prepared for a job: since the boot that `booted` tells; all names are keys."""

    job: str
    pool: str
    node: str
    booted: datetime
    preparation: StepInfo
    release: StepInfo | None = None
