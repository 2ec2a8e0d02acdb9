"""The core values of the product. Frozen; changed only through `evolve`."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Self

from batch_ops.task.failure_kinds import FailureKind

HISTORY_LENGTH = 40


class State(StrEnum):
    """The state of a file. The middle states may move backwards: Batch may requeue a task."""

    WAITING = "WAITING"
    WAITING_FOR_PROJECT = "WAITING_FOR_PROJECT"
    SUBMITTING = "SUBMITTING"
    ACTIVE = "ACTIVE"
    PREPARING = "PREPARING"
    RUNNING = "RUNNING"
    COLLECTING = "COLLECTING"
    SUCCEEDED = "SUCCEEDED"
    REJECTED = "REJECTED"
    FAILED = "FAILED"
    SUPERSEDED = "SUPERSEDED"
    CANCELLED = "CANCELLED"

    @property
    def is_final(self) -> bool:
        """Whether the run has ended."""
        return self in FINAL

    @property
    def is_waiting(self) -> bool:
        """Whether nothing was submitted yet: the reason says what the file waits for."""
        return self in {State.WAITING, State.WAITING_FOR_PROJECT}

    @property
    def has_task(self) -> bool:
        """Whether a Batch task is being created, waiting or running."""
        return self in {State.ACTIVE, State.PREPARING, State.RUNNING}


FINAL = frozenset({State.SUCCEEDED, State.REJECTED, State.FAILED, State.SUPERSEDED, State.CANCELLED})


@dataclass(frozen=True, slots=True)
class Blob:
    """One version of a blob. `md5` is the Content-MD5 in hex if the service has one; times are the service's."""

    name: str
    etag: str
    length: int
    modified: datetime
    md5: str | None = None
    tier: str | None = None
    metadata: tuple[tuple[str, str], ...] = ()
    copy_status: str | None = None
    copy_id: str | None = None

    def meta(self, key: str) -> str | None:
        """Return a metadata value; Azure keeps the keys' case, other tools may not."""
        return next((v for k, v in self.metadata if k.lower() == key.lower()), None)


class TaskState(StrEnum):
    """Azure Batch's own words."""

    ACTIVE = "active"
    PREPARING = "preparing"
    RUNNING = "running"
    COMPLETED = "completed"


class JobState(StrEnum):
    """The state of a job: whether its tasks are run. `closed`: completed, about to be, or gone."""

    OPEN = "open"
    PAUSED = "paused"
    CLOSED = "closed"


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


# Without slots: a row has fifty fields, and a copy of the one dictionary is what makes `evolve` cheap.
@dataclass(frozen=True)
class FileRecord:
    """All that is known about one file: its current run, and the progress of that run.

    `run` counts the versions (and repeated segmentations) of a file, `attempt` the Batch tasks of a run.
    `job_id` and `task_id` are stored before the task is created and never derived again.
    `intent` names the entry of the worklist that has this run looked at.
    """

    name: str
    run: int
    state: State
    etag: str
    length: int
    correlation_id: str
    reason: str = ""
    kind: FailureKind | None = None
    md5: str | None = None
    intent: str = ""
    # What is run: the run key and what the task needs of it.
    run_key: str = ""
    project_etag: str = ""
    project_digest: str = ""
    ilastik_version: str = ""
    internal_path: str = ""
    axes: str = ""
    tagged: bool = True
    shape: str = ""
    export_source: str = ""
    wall_clock_seconds: int = 0
    # Where it is run.
    pool_id: str = ""
    job_id: str = ""
    task_id: str = ""
    attempt: int = 0
    alone: bool = False
    previous_job_id: str = ""
    previous_task_id: str = ""
    node_id: str = ""
    exit_code: int | None = None
    requeues: int = 0
    node_losses: int = 0
    missing_since: datetime | None = None
    not_before: datetime | None = None
    # An older file that an operator asked for, and the day (its midnight, UTC) on which its turn comes.
    backfill: bool = False
    turn: datetime | None = None
    tries: str = ""
    attempts: str = ""
    # When.
    sequencer: str = ""
    dropped_at: datetime | None = None
    updated_at: datetime | None = None
    submitted_at: datetime | None = None
    task_started_at: datetime | None = None
    task_ended_at: datetime | None = None
    finished_at: datetime | None = None
    history: str = ""
    # What came of it.
    tiffs: int = 0
    result_bytes: int = 0

    def evolve(self, **changes: Any) -> Self:
        """Return the record with some fields changed."""
        if not changes.keys() <= self.__dataclass_fields__.keys():
            raise TypeError(f"No fields of a record: {sorted(changes.keys() - self.__dataclass_fields__.keys())}.")
        new = object.__new__(type(self))
        new.__dict__.update(self.__dict__, **changes)
        return new

    def to(self, state: State, now: datetime, reason: str = "", **changes: Any) -> Self:
        """Return the record in another state, with the move noted in its history (the last 40 moves are kept)."""
        moves = self.history.split() if self.history else []
        if state != self.state or not moves:
            moves = [*moves, f"{state}@{now:%Y-%m-%dT%H:%M:%SZ}"][-HISTORY_LENGTH:]
        finished = now if state.is_final else None
        return self.evolve(
            state=state,
            reason=reason,
            updated_at=now,
            finished_at=finished,
            history=" ".join(moves),
            **changes,
        )


@dataclass(frozen=True, slots=True)
class Entry:
    """A record as the ledger holds it: `version` guards every write."""

    record: FileRecord
    version: str
