"""The small lists that a row holds as text: tries by kind of failure, and past attempts. Pure."""

import json
from collections import Counter
from dataclasses import dataclass
from datetime import datetime

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


def tries_of(text: str) -> Counter[FailureKind]:
    """Count how often each kind of failure happened in this run."""
    return Counter({FailureKind(kind): int(count) for kind, count in json.loads(text or "{}").items()})


def with_try(text: str, kind: FailureKind) -> str:
    """Add one failure of a kind."""
    tries = tries_of(text)
    tries[kind] += 1
    return json.dumps({str(kind): count for kind, count in sorted(tries.items())})


def attempts_of(text: str) -> tuple[Attempt, ...]:
    """Return the attempts that failed, the oldest first."""
    return tuple(
        Attempt(a["n"], a["task"], FailureKind(a["kind"]), a["why"], a["node"], datetime.fromisoformat(a["at"]))
        for a in json.loads(text or "[]")
    )


def with_attempt(text: str, attempt: Attempt) -> str:
    """Add an attempt (the last twelve are kept)."""
    entry = {
        "n": attempt.number,
        "task": attempt.task_id,
        "kind": str(attempt.kind),
        "why": attempt.sentence[:_SENTENCE_CHARS],
        "node": attempt.node_id,
        "at": attempt.at.isoformat(timespec="seconds"),
    }
    return json.dumps([*json.loads(text or "[]"), entry][-_ATTEMPTS_KEPT:], ensure_ascii=False)
