"""The records the service keeps: frozen values, changed only by making new ones."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Self

Json = dict[str, Any]


def named_values(pairs: Iterable[tuple[str, str]]) -> list[Json]:
    """Write pairs as the service does."""
    return [{"name": name, "value": value} for name, value in pairs]


class PoolState(StrEnum):
    ACTIVE = "active"
    DELETING = "deleting"


class AllocationState(StrEnum):
    STEADY = "steady"
    RESIZING = "resizing"
    STOPPING = "stopping"


class NodeState(StrEnum):
    CREATING = "creating"
    STARTING = "starting"
    WAITING_FOR_START_TASK = "waitingforstarttask"
    START_TASK_FAILED = "starttaskfailed"
    IDLE = "idle"
    RUNNING = "running"
    REBOOTING = "rebooting"
    LEAVING_POOL = "leavingpool"
    PREEMPTED = "preempted"
    UNUSABLE = "unusable"
    UNKNOWN = "unknown"
    OFFLINE = "offline"


class JobState(StrEnum):
    ACTIVE = "active"
    DISABLING = "disabling"
    DISABLED = "disabled"
    ENABLING = "enabling"
    TERMINATING = "terminating"
    COMPLETED = "completed"
    DELETING = "deleting"


class TaskState(StrEnum):
    ACTIVE = "active"
    PREPARING = "preparing"
    RUNNING = "running"
    COMPLETED = "completed"


class Result(StrEnum):
    SUCCESS = "success"
    FAILURE = "failure"


class Deallocation(StrEnum):
    """What happens to the tasks of a node that leaves its pool."""

    REQUEUE = "requeue"
    TERMINATE = "terminate"
    TASK_COMPLETION = "taskcompletion"
    RETAINED_DATA = "retaineddata"


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a task or start task failed; `details` are (name, value) pairs."""

    category: str
    code: str
    message: str
    details: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Execution:
    """What is known of a task's runs so far."""

    start: datetime | None = None
    end: datetime | None = None
    exit_code: int | None = None
    failure: Failure | None = None
    result: Result | None = None
    retries: int = 0
    last_retry: datetime | None = None
    requeues: int = 0
    last_requeue: datetime | None = None


NEVER_RUN = Execution()


@dataclass(frozen=True, slots=True)
class Pool:
    """A pool; `spec` is the body it was made from, with defaults filled in."""

    key: str
    id: str
    spec: Json
    revision: int
    created: datetime
    modified: datetime
    state: PoolState
    state_since: datetime
    allocation: AllocationState
    allocation_since: datetime
    target_dedicated: int = 0
    target_low_priority: int = 0
    deallocation: Deallocation = Deallocation.REQUEUE
    resize_timeout: timedelta = timedelta(minutes=15)
    resize_errors: tuple[Json, ...] = ()
    autoscale: bool = False
    formula: str = ""
    interval: timedelta = timedelta(minutes=15)
    enabled_at: datetime | None = None
    last_run: Json | None = None
    nodes_made: int = 0

    @property
    def slots_per_node(self) -> int:
        return int(self.spec.get("taskSlotsPerNode", 1))

    @property
    def packs(self) -> bool:
        return bool(self.spec.get("taskSchedulingPolicy", {}).get("nodeFillType") == "pack")

    @property
    def jobs_in_creation_order(self) -> bool:
        return bool(self.spec.get("taskSchedulingPolicy", {}).get("jobDefaultOrder") == "creationtime")


@dataclass(frozen=True, slots=True)
class Job:
    """A job; `spec` is the body it was made from, with defaults filled in."""

    key: str
    id: str
    seq: int
    spec: Json
    revision: int
    created: datetime
    modified: datetime
    state: JobState
    state_since: datetime
    previous_state: JobState | None = None
    previous_since: datetime | None = None
    start: datetime | None = None
    end: datetime | None = None
    terminate_reason: str | None = None
    auto_pool: str | None = None  # the id of the pool that was made for it

    @property
    def pool_id(self) -> str:
        return self.auto_pool or str(self.spec["poolInfo"]["poolId"])

    @property
    def pool_key(self) -> str:
        return self.pool_id.lower()

    @property
    def keeps_pool(self) -> bool:
        """Whether its pool is there when it is over."""
        auto = self.spec["poolInfo"].get("autoPoolSpecification", {})
        return self.auto_pool is None or bool(auto.get("keepAlive", False))

    @property
    def priority(self) -> int:
        return int(self.spec["priority"])

    @property
    def preparation(self) -> Json | None:
        """The task that prepares nodes for it."""
        return self.spec.get("jobPreparationTask")

    @property
    def release(self) -> Json | None:
        """The task that cleans up after it."""
        return self.spec.get("jobReleaseTask")

    @property
    def uses_dependencies(self) -> bool:
        return bool(self.spec.get("usesTaskDependencies", False))

    @property
    def acts_on_exits(self) -> bool:
        """Whether the exit options of its tasks decide about the job."""
        return bool(self.spec.get("onTaskFailure") == "performexitoptionsjobaction")

    def to(self, state: JobState, at: datetime, **changes: Any) -> Self:
        """Move the job to another state; the present one becomes the previous."""
        before: Json = {"previous_state": self.state, "previous_since": self.state_since}
        return replace(self, state=state, state_since=at, **before, **changes)


@dataclass(frozen=True, slots=True)
class Task:
    """A task; `spec` is its create body as compact JSON text, parsed when it is needed."""

    job: str
    key: str
    id: str
    seq: int
    spec: str
    revision: int
    created: datetime
    modified: datetime
    state: TaskState
    state_since: datetime
    slots: int = 1
    previous_state: TaskState | None = None
    previous_since: datetime | None = None
    execution: Execution = NEVER_RUN
    pool: str | None = None
    node: str | None = None

    def body(self) -> Json:
        """Parse the body that the task was made from."""
        body: Json = json.loads(self.spec)
        return body

    def to(self, state: TaskState, at: datetime, **changes: Any) -> Self:
        """Move the task to another state; the present one becomes the previous."""
        before: Json = {"previous_state": self.state, "previous_since": self.state_since}
        return replace(self, state=state, state_since=at, **before, **changes)
