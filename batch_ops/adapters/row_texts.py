"""Values whose form or name in a row differs from the product's own: deployed systems hold rows of this form."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any

from batch_ops.adapters.row_part_texts import parts_of, text_of_parts
from batch_ops.adapters.row_plan_texts import (
    counts_of_objects,
    image_counts_of,
    images_of,
    outputs_of,
    parsed,
    pictures_of,
    sizes_of,
    text_of_counts_of_objects,
    text_of_image_counts,
    text_of_outputs,
    text_of_pictures,
    text_of_sizes,
    text_of_wanted,
    text_of_warnings,
    understood,
    wanted_of,
    warnings_of,
)
from batch_ops.domain.attempts import Attempt, Tries
from batch_ops.domain.file_record import Move, State
from batch_ops.domain.parts import Parts
from batch_ops.domain.record_parts import ImageCounts, Placement, Published, Steered
from batch_ops.task.failure_kinds import FailureKind
from batch_ops.task.objects import ObjectCounts, ObjectsWanted
from batch_ops.task.outputs import PlannedOutput
from batch_ops.task.pictures import PicturesWanted
from batch_ops.task.run_plan import (
    ImageDescription,
    RunPlan,
    RunWarning,
    images_to_json,
)

# The property of a field where it has another name; for a part, how the names of its fields begin.
NAMES: Mapping[tuple[type, str], str] = MappingProxyType(
    {
        (RunPlan, "wall_clock"): "wall_clock_seconds",
        (RunPlan, "forecast"): "forecast_",
        (Placement, "previous"): "previous_",
        (Tries, "counts"): "tries",
        (RunPlan, "objects"): "objects_wanted",
        (RunPlan, "pictures"): "pictures_wanted",
        (Published, "counts"): "object_counts",
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
    try:
        return tuple(int(size) for size in text.split("x"))
    except ValueError:
        return ()


def _text_of_counts(counts: tuple[tuple[FailureKind, int], ...]) -> str:
    """{"NODE": 2}."""
    return json.dumps({str(kind): count for kind, count in counts}) if counts else ""


def _counts_of(text: str) -> tuple[tuple[FailureKind, int], ...]:
    found = parsed(text)
    counts = found.items() if isinstance(found, dict) else ()
    return understood(lambda pair: (FailureKind(pair[0]), int(pair[1])), counts)


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
    """Read the attempts from a row's property."""
    found = parsed(text)
    return understood(
        lambda a: Attempt(
            a["n"], a["task"], FailureKind(a["kind"]), a["why"], a["node"], datetime.fromisoformat(a["at"])
        ),
        found if isinstance(found, list) else (),
    )


def _text_of_moves(moves: tuple[Move, ...]) -> str:
    """WAITING@2026-03-01T12:00:00Z SUBMITTING@2026-03-01T12:01:00Z."""
    return " ".join(f"{move.state}@{move.at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}" for move in moves)


def _moves_of(text: str) -> tuple[Move, ...]:
    moves = (move.partition("@") for move in text.split())
    return understood(lambda move: Move(State(move[0]), datetime.fromisoformat(move[2])), moves)


def _text_of_steered(steered: tuple[Steered, ...]) -> str:
    """[["retry", "ada@lab.example", "2026-03-01T12:00:00Z"]]."""
    notes = [(one.what, one.by, f"{one.at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}") for one in steered]
    return json.dumps(notes, ensure_ascii=False, separators=(",", ":")) if notes else ""


def _steered_of(text: str) -> tuple[Steered, ...]:
    items = parsed(text)
    return understood(
        lambda one: Steered(str(one[0]), str(one[1]), datetime.fromisoformat(one[2])),
        items if isinstance(items, list) else (),
    )


CODECS: Mapping[Any, Codec[Any, Any]] = MappingProxyType(
    {
        timedelta: Codec(int, lambda span: round(span.total_seconds()), lambda seconds: timedelta(seconds=seconds)),
        tuple[int, ...]: Codec(str, _text_of_shape, _shape_of),
        tuple[tuple[FailureKind, int], ...]: Codec(str, _text_of_counts, _counts_of),
        tuple[Attempt, ...]: Codec(str, _text_of_attempts, attempts_of),
        tuple[Move, ...]: Codec(str, _text_of_moves, _moves_of),
        tuple[Steered, ...]: Codec(str, _text_of_steered, _steered_of),
        tuple[tuple[str, float, str], ...]: Codec(str, text_of_sizes, sizes_of),
        tuple[PlannedOutput, ...]: Codec(str, text_of_outputs, outputs_of),
        ObjectCounts | None: Codec(str, text_of_counts_of_objects, counts_of_objects),
        tuple[ImageCounts, ...]: Codec(str, text_of_image_counts, image_counts_of),
        ObjectsWanted | None: Codec(str, text_of_wanted, wanted_of),
        PicturesWanted | None: Codec(str, text_of_pictures, pictures_of),
        tuple[ImageDescription, ...]: Codec(str, images_to_json, images_of),
        tuple[RunWarning, ...]: Codec(str, text_of_warnings, warnings_of),
        Parts | None: Codec(str, text_of_parts, parts_of),
    }
)
