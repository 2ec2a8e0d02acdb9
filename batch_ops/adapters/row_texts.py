"""What stands in a row in another form or under another name than in the product, as deployed systems have it."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any

from batch_ops.domain.attempts import Attempt, Tries
from batch_ops.domain.file_record import Move, State
from batch_ops.domain.record_parts import Placement, RunPlan
from batch_ops.task.failure_kinds import FailureKind

# The property of a field that has not its own name, or the beginning of the names of a part's fields.
NAMES: Mapping[tuple[type, str], str] = MappingProxyType(
    {
        (RunPlan, "wall_clock"): "wall_clock_seconds",
        (Placement, "previous"): "previous_",
        (Tries, "counts"): "tries",
    }
)


@dataclass(frozen=True, slots=True)
class Codec[T, P: (str, int)]:
    """How values of one type stand in a row: as a property of type `kind`. A text of "" is left out."""

    kind: type[P]
    encode: Callable[[T], P]
    decode: Callable[[P], T]


def _text_of_shape(shape: tuple[int, ...]) -> str:
    """3x4."""
    return "x".join(map(str, shape))


def _shape_of(text: str) -> tuple[int, ...]:
    return tuple(int(size) for size in text.split("x"))


def _text_of_counts(counts: tuple[tuple[FailureKind, int], ...]) -> str:
    """{"NODE": 2}."""
    return json.dumps({str(kind): count for kind, count in counts}) if counts else ""


def _counts_of(text: str) -> tuple[tuple[FailureKind, int], ...]:
    return tuple((FailureKind(kind), int(count)) for kind, count in json.loads(text).items())


def _text_of_attempts(attempts: tuple[Attempt, ...]) -> str:
    """[{"n": 1, "task": ..., "kind": ..., "why": ..., "node": ..., "at": ...}]."""
    if not attempts:
        return ""
    listed = [
        {
            "n": attempt.number,
            "task": attempt.task_id,
            "kind": str(attempt.kind),
            "why": attempt.sentence,
            "node": attempt.node_id,
            "at": attempt.at.isoformat(timespec="seconds"),
        }
        for attempt in attempts
    ]
    return json.dumps(listed, ensure_ascii=False)


def attempts_of(text: str) -> tuple[Attempt, ...]:
    """The attempts of a row's property."""
    return tuple(
        Attempt(a["n"], a["task"], FailureKind(a["kind"]), a["why"], a["node"], datetime.fromisoformat(a["at"]))
        for a in json.loads(text or "[]")
    )


def _text_of_moves(moves: tuple[Move, ...]) -> str:
    """WAITING@2026-03-01T12:00:00Z SUBMITTING@2026-03-01T12:01:00Z."""
    return " ".join(f"{move.state}@{move.at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}" for move in moves)


def _moves_of(text: str) -> tuple[Move, ...]:
    return tuple(
        Move(State(state), datetime.fromisoformat(at))
        for state, _, at in (move.partition("@") for move in text.split())
    )


CODECS: Mapping[Any, Codec[Any, Any]] = MappingProxyType(
    {
        timedelta: Codec(int, lambda span: round(span.total_seconds()), lambda seconds: timedelta(seconds=seconds)),
        tuple[int, ...]: Codec(str, _text_of_shape, _shape_of),
        tuple[tuple[FailureKind, int], ...]: Codec(str, _text_of_counts, _counts_of),
        tuple[Attempt, ...]: Codec(str, _text_of_attempts, attempts_of),
        tuple[Move, ...]: Codec(str, _text_of_moves, _moves_of),
    }
)
