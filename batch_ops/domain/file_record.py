"""All that is known of a file: a frozen value of typed parts, changed by `dataclasses.replace` and moved by `to`."""

from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Self

from batch_ops.domain.attempts import Tries
from batch_ops.domain.batch_task import TaskRef
from batch_ops.domain.blob import ImageVersion
from batch_ops.domain.parts import OpenParts, Parts, Work
from batch_ops.domain.record_parts import Placement, Published, Spent, Steered, Times
from batch_ops.domain.spending import seconds_of, spent_in_all, stretch_over
from batch_ops.task.failure_kinds import FailureKind
from batch_ops.task.parts import part_id
from batch_ops.task.run_plan import RunPlan

HISTORY_LENGTH = 40
STEERED_LENGTH = 10


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
class Move:
    """When a run came into a state, to the second."""

    state: State
    at: datetime


@dataclass(frozen=True, slots=True)
class FileRecord:
    """All that is known about one file: its current run, and the progress of that run.

    `run` counts the versions (and repeated segmentations) of a file. `intent` names the entry of the worklist that
    keeps this run in sight. `backfill`: an older file that an operator asked for; `turn` is the day (its midnight,
    UTC) on which its turn comes. `source`: the blob that is segmented, where it has another name than its results.
    `steered`: who had the run begun again or cancelled, as far as that is known. `parts`: of an image that is computed
    in parts, what has become of each; None for one that is a single task. `purging`: the ETag of the image that an
    operator is removing for good, with all that came of it ("": there is none to delete); None where nobody is.
    """

    name: str
    run: int
    state: State
    image: ImageVersion
    correlation_id: str
    reason: str = ""
    kind: FailureKind | None = None
    intent: str = ""
    sequencer: str = ""
    backfill: bool = False
    turn: datetime | None = None
    plan: RunPlan = field(default_factory=RunPlan)
    placement: Placement = field(default_factory=Placement)
    tries: Tries = field(default_factory=Tries)
    times: Times = field(default_factory=Times)
    history: tuple[Move, ...] = ()
    source: str = ""
    published: Published = field(default_factory=Published)
    spent: Spent = field(default_factory=Spent)
    steered: tuple[Steered, ...] = ()
    parts: Parts | None = None
    purging: str | None = None

    @property
    def node_seconds(self) -> int:
        """For how long nodes have worked on the run, as far as Batch has said."""
        return seconds_of(self.times)

    @property
    def unpriced_seconds(self) -> int:
        """For how many of those seconds nobody knows the price: 0 means that the cost is known."""
        spent = self.spent if self.state.is_final else spent_in_all(self.spent, self.times, self.placement)
        return max(0, self.node_seconds - (spent.priced_seconds or 0))

    @property
    def tasks(self) -> TaskRef:
        """The task of the current attempt, or those of its parts that may be at work."""
        return replace(self.placement.task, parts=OpenParts.of(self.parts).text)

    @property
    def last_task_id(self) -> str:
        """The task that says why the run failed: of one in parts, that of the part that did; "" for none."""
        own, failed = self.placement.task_id, self.parts.failed if self.parts else None
        if self.parts is None or failed is None:
            return own
        return part_id(own, self.parts.each[failed - 1].attempt, failed)

    @property
    def image_blob(self) -> str:
        """The name of the image in `input`."""
        return self.source or self.name

    def to(self, state: State, now: datetime, reason: str = "") -> Self:
        """Return the record in another state, with the move noted in its history (the last 40 moves are kept).

        One that ends has the cost of all its work.
        """
        moves = self.history
        if state != self.state or not moves:
            moves = (*moves, Move(state, now.replace(microsecond=0)))[-HISTORY_LENGTH:]
        times = replace(self.times, updated_at=now, finished_at=now if state.is_final else None)
        spent = self.spent
        if state.is_final and not self.state.is_final:
            # Nobody will tell any more how its parts end.
            ended = self.without_parts_at_work(now)
            times = replace(times, failed_seconds=ended.times.failed_seconds)
            spent = spent_in_all(ended.spent, times, self.placement)
        parts = self.parts.at_rest() if self.parts and state.is_final else self.parts
        return replace(self, state=state, reason=reason, times=times, history=moves, spent=spent, parts=parts)

    def without_parts_at_work(self, now: datetime) -> Self:
        """Return the record with what nodes work on its parts among what is over; the parts are as they were."""
        work = self.parts.work_until(now) if self.parts else Work()
        if not work.seconds:
            return self
        spent = replace(
            self.spent,
            cost_micro=(self.spent.cost_micro or 0) + work.cost_micro,
            priced_seconds=(self.spent.priced_seconds or 0) + work.priced_seconds,
        )
        seconds = (self.times.failed_seconds or 0) + work.seconds
        return replace(self, times=replace(self.times, failed_seconds=seconds), spent=spent)

    def steered_by(self, what: str, by: str, now: datetime) -> Self:
        """Return the record with a note of who had this done; once, however often the same is asked for."""
        if not by or any((one.what, one.by) == (what, by) for one in self.steered):
            return self
        noted = Steered(what, by, now.replace(microsecond=0))
        return replace(self, steered=(*self.steered, noted)[-STEERED_LENGTH:])

    def between_stretches(self) -> Self:
        """Return the record with its last stretch of work among those that are over (see `spending`)."""
        spent = spent_in_all(self.spent, self.times, self.placement)
        return replace(self, times=stretch_over(self.times), spent=spent)

    def deleted(self, now: datetime, reason: str) -> Self:
        """Return the record cancelled because its image was deleted; it speaks of no version of the image any more.

        So the image counts as missed if it is brought back: Blob storage may do that without an event and under the
        old ETag.
        """
        return replace(self.to(State.CANCELLED, now, reason), image=replace(self.image, etag=""))


@dataclass(frozen=True, slots=True)
class Entry:
    """A record as the ledger holds it: `version` guards every write.

    `indexed` says where its copies in the index stand; "" for a row that is not in the index.
    """

    record: FileRecord
    version: str
    indexed: str = ""
