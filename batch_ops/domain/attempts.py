"""The failed attempts of a run: how often each kind of failure happened, and what is remembered of each. Pure."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Self

from batch_ops.task.failure_kinds import FailureKind

_ATTEMPTS_KEPT = 12
_SENTENCE_CHARS = 300


@dataclass(frozen=True, slots=True)
class Attempt:
    """One Batch task that failed, and why."""

    number: int
    task_id: str
    kind: FailureKind
    sentence: str
    node_id: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Tries:
    """`counts` has each kind that happened, in the order of their names; `attempts` the last twelve, oldest first."""

    counts: tuple[tuple[FailureKind, int], ...] = ()
    attempts: tuple[Attempt, ...] = ()

    def of(self, kind: FailureKind) -> int:
        """Count how often a kind of failure happened in this run."""
        return dict(self.counts).get(kind, 0)

    def plus(self, attempt: Attempt) -> Self:
        """Add one more failed attempt, noted to the second and with a sentence that fits a row."""
        counts = dict(self.counts) | {attempt.kind: self.of(attempt.kind) + 1}
        return replace(self.excused(attempt), counts=tuple(sorted(counts.items())))

    def excused(self, attempt: Attempt) -> Self:
        """Remember a failed attempt without counting it."""
        noted = replace(attempt, sentence=attempt.sentence[:_SENTENCE_CHARS], at=attempt.at.replace(microsecond=0))
        return replace(self, attempts=(*self.attempts, noted)[-_ATTEMPTS_KEPT:])
