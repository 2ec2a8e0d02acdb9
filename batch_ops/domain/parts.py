"""The parts of a run whose image is computed in parts: what has become of the task of each. Frozen values. Pure."""

from collections import Counter
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Self

from batch_ops.domain.prices import NodeKind, cost_of
from batch_ops.task.failure_kinds import FailureKind
from batch_ops.task.parts import Division, TaskParts, part_id, part_of

_PLACEHOLDER = Division("t", 2, 2)


class PartState(StrEnum):
    """The state of a part, as one letter of a row."""

    CLAIMED = "c"
    ACTIVE = "a"
    PREPARING = "p"
    RUNNING = "r"
    SUCCEEDED = "s"
    FAILED = "f"


@dataclass(frozen=True, slots=True)
class PartTask:
    """One part: the state of its task, and of which attempt that is.

    `tries`: how often each kind of failure happened. `started_at`: of the stretch of work that goes on, on a node of
    `node_kind`, whose share costs `slot_price_micro` an hour. `not_before`: when the next attempt is due.
    """

    state: PartState = PartState.CLAIMED
    attempt: int = 1
    tries: tuple[tuple[FailureKind, int], ...] = ()
    alone: bool = False
    requeues: int = 0
    node_losses: int = 0
    node_kind: NodeKind | None = None
    slot_price_micro: int | None = None
    started_at: datetime | None = None
    not_before: datetime | None = None
    missing_since: datetime | None = None

    @property
    def is_open(self) -> bool:
        """Whether its task is being created, waits or runs."""
        return self.state not in {PartState.SUCCEEDED, PartState.FAILED}

    @property
    def is_left(self) -> bool:
        """Whether its task is to be ended with the run: one that takes down its nodes has not ended by itself."""
        return self.state is not PartState.SUCCEEDED

    def at_rest(self) -> Self:
        """Return what is still of use once its run has ended, or itself has succeeded."""
        return replace(type(self)(self.state, self.attempt), tries=self.tries if self.state is PartState.FAILED else ())


@dataclass(frozen=True, slots=True)
class Work:
    """For how long nodes have worked, and what it has cost in millionths: for `priced_seconds` of them."""

    seconds: int = 0
    cost_micro: int = 0
    priced_seconds: int = 0


@dataclass(frozen=True, slots=True)
class Parts:
    """All parts of a run, the first first.

    `unread`: what a newer version has written, and only it understands. It is kept, the run is left alone, and nothing
    else here means anything.
    """

    cut: Division
    each: tuple[PartTask, ...]
    unread: str = ""

    @classmethod
    def of(cls, cut: Division) -> Self:
        """Return the parts of a new run."""
        return cls(cut, (PartTask(),) * cut.number)

    @classmethod
    def not_understood(cls, text: str) -> Self:
        """Return the parts of a newer version's run."""
        return cls(_PLACEHOLDER, (PartTask(),) * _PLACEHOLDER.number, text)

    @property
    def are_done(self) -> bool:
        """Whether all of them have succeeded: what joins them may begin."""
        return not self.unread and all(part.state is PartState.SUCCEEDED for part in self.each)

    def with_part(self, number: int, part: PartTask) -> Self:
        """Return them with one changed, the first being 1."""
        return replace(self, each=(*self.each[: number - 1], part, *self.each[number:]))

    def number_of(self, task_id: str, own: str) -> int | None:
        """Return which part's current task this is, where `own` is the id of the run's task; None if it is none."""
        found = part_of(task_id)
        if found is None or not 1 <= found[0] <= len(self.each):
            return None
        number, attempt = found
        is_current = self.each[number - 1].attempt == attempt and part_id(own, attempt, number) == task_id
        return number if is_current else None

    def open_task_ids(self, own: str) -> tuple[str, ...]:
        """Return the tasks that may be waiting or running."""
        return tuple(part_id(own, part.attempt, n) for n, part in enumerate(self.each, start=1) if part.is_left)

    def all_task_ids(self, own: str) -> tuple[str, ...]:
        """Return the tasks of all attempts of all parts."""
        attempts = ((n, attempt) for n, part in enumerate(self.each, 1) for attempt in range(1, part.attempt + 1))
        return tuple(part_id(own, attempt, number) for number, attempt in attempts)

    def to_create(self, now: datetime) -> tuple[int, ...]:
        """Return the parts whose tasks are to be created now."""
        return tuple(
            number
            for number, part in enumerate(self.each, start=1)
            if part.state is PartState.CLAIMED and (part.not_before is None or part.not_before <= now)
        )

    @property
    def failed(self) -> int | None:
        """Which part has failed for good; None if none has."""
        return next((number for number, part in enumerate(self.each, start=1) if part.state is PartState.FAILED), None)

    def work_until(self, now: datetime) -> Work:
        """Return the work of nodes on parts that is not over, as if it were over now."""
        seconds = cost = priced = 0
        for part in self.each:
            if part.is_open and part.started_at is not None:
                long = max(0, round((now - part.started_at).total_seconds()))
                seconds += long
                if part.slot_price_micro is not None:
                    cost, priced = cost + cost_of(long, part.slot_price_micro), priced + long
        return Work(seconds, cost, priced)

    def at_rest(self) -> Self:
        """Return what is still of use once their run has ended."""
        return replace(self, each=tuple(part.at_rest() for part in self.each))

    def to_look_up(self, most: int, looks: int) -> tuple[int, ...]:
        """Return the parts whose tasks are to be looked up at one of many looks: in turn, and the missing always."""
        has_task = [n for n, part in enumerate(self.each, 1) if part.is_open and part.state is not PartState.CLAIMED]
        missing = [n for n in has_task if self.each[n - 1].missing_since is not None]
        first = looks * most % max(1, len(has_task))
        turn = (has_task[first:] + has_task[:first])[:most]
        return tuple(sorted({*missing, *turn}))

    @property
    def next_due(self) -> datetime | None:
        """When the next part is to be created; None if none waits for its time."""
        waiting = [p.not_before for p in self.each if p.state is PartState.CLAIMED and p.not_before is not None]
        return min(waiting, default=None)

    def for_task(self, number: int = 0) -> TaskParts:
        """Return what the task of a part gets, or (0) the one that joins them."""
        if number:
            return TaskParts(self.cut, number)
        later = {n: part.attempt for n, part in enumerate(self.each, start=1) if part.attempt > 1}
        return TaskParts(self.cut, 0, later)

    @property
    def progress(self) -> str:
        """Say how far they are, as a sentence."""
        if self.unread:
            return "A newer version of the app computes it in parts."
        counts = Counter(part.state for part in self.each)
        words = {
            PartState.RUNNING: "running",
            PartState.PREPARING: "fetching the image",
            PartState.ACTIVE: "waiting for a node",
            PartState.CLAIMED: "about to be tried",
        }
        more = [f"{counts[state]} {what}" for state, what in words.items() if counts[state]]
        done = f"{counts[PartState.SUCCEEDED]} of {len(self.each)} parts are done"
        return f"{done}: {', '.join(more)}." if more else f"{done}."


@dataclass(frozen=True, slots=True)
class OpenParts:
    """The tasks of parts that a run leaves behind, in a text that a row can hold: part and attempt of each."""

    text: str = ""

    @classmethod
    def of(cls, parts: Parts | None) -> Self:
        """Note what may still be waiting or running."""
        if parts is None or parts.unread:
            return cls()
        listed = ((number, part.attempt) for number, part in enumerate(parts.each, start=1) if part.is_left)
        return cls(" ".join(f"{number}" if attempt == 1 else f"{number}.{attempt}" for number, attempt in listed))

    def task_ids(self, own: str) -> tuple[str, ...]:
        """Return their ids, where `own` is that of the run's task."""
        pairs = (one.partition(".") for one in self.text.split())
        return tuple(part_id(own, int(attempt or 1), int(number)) for number, _, attempt in pairs)
