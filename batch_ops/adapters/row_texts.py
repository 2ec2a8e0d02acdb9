"""Values whose form or name in a row differs from the product's own: deployed systems hold rows of this form."""

import json
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any

from batch_ops.domain.attempts import Attempt, Tries
from batch_ops.domain.file_record import Move, State
from batch_ops.domain.record_parts import ImageCounts, Placement, Published, Steered
from batch_ops.task.failure_kinds import FailureKind
from batch_ops.task.objects import MAX_SMALL_BYTES, ObjectCounts, ObjectsError, ObjectsWanted
from batch_ops.task.outputs import PlannedOutput, Role
from batch_ops.task.pictures import PicturesError, PicturesWanted
from batch_ops.task.run_plan import (
    ImageDescription,
    RunPlan,
    RunPlanError,
    RunWarning,
    images_from_json,
    images_to_json,
)
from batch_ops.task.strict_json import ManifestError

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
    found = _parsed(text)
    counts = found.items() if isinstance(found, dict) else ()
    return _understood(lambda pair: (FailureKind(pair[0]), int(pair[1])), counts)


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
    found = _parsed(text)
    return _understood(
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
    return _understood(lambda move: Move(State(move[0]), datetime.fromisoformat(move[2])), moves)


def _text_of_steered(steered: tuple[Steered, ...]) -> str:
    """[["retry", "ada@lab.example", "2026-03-01T12:00:00Z"]]."""
    notes = [(one.what, one.by, f"{one.at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}") for one in steered]
    return json.dumps(notes, ensure_ascii=False, separators=(",", ":")) if notes else ""


def _steered_of(text: str) -> tuple[Steered, ...]:
    items = _parsed(text)
    return _understood(
        lambda one: Steered(str(one[0]), str(one[1]), datetime.fromisoformat(one[2])),
        items if isinstance(items, list) else (),
    )


def _parsed(text: str) -> Any:
    try:
        return json.loads(text or "null")
    except (ValueError, RecursionError):
        return None


def _understood[Note](read: Callable[[Any], Note], items: Iterable[Any]) -> tuple[Note, ...]:
    """Read notes, passing over those that no version up to this one writes: a note never makes its row unreadable."""
    notes = []
    for item in items:
        with suppress(ValueError, LookupError, TypeError):
            notes.append(read(item))
    return tuple(notes)


def _text_of_warnings(warnings: tuple[RunWarning, ...]) -> str:
    """[{"code": ..., "sentence": ...}]."""
    return json.dumps([asdict(warning) for warning in warnings], ensure_ascii=False) if warnings else ""


def _warnings_of(text: str) -> tuple[RunWarning, ...]:
    found = _parsed(text)
    listed = found if isinstance(found, list) else ()
    return _understood(lambda w: RunWarning(str(w["code"]), str(w["sentence"])), listed)


def _text_of_sizes(sizes: tuple[tuple[str, float, str], ...]) -> str:
    """[["z", 1.5, "um"]]."""
    return json.dumps(sizes, ensure_ascii=False) if sizes else ""


def _sizes_of(text: str) -> tuple[tuple[str, float, str], ...]:
    found = _parsed(text)
    listed = found if isinstance(found, list) else ()
    return _understood(lambda one: (str(one[0]), float(one[1]), str(one[2])), listed)


def _text_of_outputs(outputs: tuple[PlannedOutput, ...]) -> str:
    """[{"role": "segmentation", "path": ..., "files": 2, ...}]."""
    listed = (asdict(output) for output in outputs)
    # What earlier versions do not know stands there only where it says something.
    later = ("first", "folders")
    return json.dumps([{k: v for k, v in one.items() if k not in later or v} for one in listed]) if outputs else ""


def _outputs_of(text: str) -> tuple[PlannedOutput, ...]:
    found = _parsed(text)
    listed = found if isinstance(found, list) else ()
    return _understood(
        lambda o: PlannedOutput(
            **{
                **o,
                "role": Role(o["role"]),
                "page_shape": tuple(o["page_shape"]),
                "folders": tuple(o.get("folders", ())),
            }
        ),
        listed,
    )


def _images_of(text: str) -> tuple[ImageDescription, ...]:
    with suppress(RunPlanError):
        return images_from_json(text)
    return ()


def _text_of_counts_of_objects(counts: ObjectCounts | None) -> str:
    """{"unit": "px", "min_size": 0, "classes": [{"label": 1, "name": "Cell", "objects": [12], "sizes": [340]}]}."""
    return counts.in_small() if counts else ""


def _counts_of_objects(text: str) -> ObjectCounts | None:
    with suppress(ManifestError):
        return ObjectCounts.read(_parsed(text))
    return None


def _text_of_image_counts(counts: tuple[ImageCounts, ...]) -> str:
    """[{"folder": "s00", "counts": ...}]; "" if it is too long for a row: they stand in the images' tables."""
    if not counts:
        return ""
    text = json.dumps([asdict(one) for one in counts], ensure_ascii=False, separators=(",", ":"))
    return text if len(text.encode("utf-16-le")) <= MAX_SMALL_BYTES else ""


def _image_counts_of(text: str) -> tuple[ImageCounts, ...]:
    found = _parsed(text)
    listed = found if isinstance(found, list) else ()
    return _understood(lambda one: ImageCounts(str(one["folder"]), ObjectCounts.read(one["counts"])), listed)


def _text_of_wanted(wanted: ObjectsWanted | None) -> str:
    return wanted.to_json() if wanted else ""


def _wanted_of(text: str) -> ObjectsWanted | None:
    with suppress(ObjectsError):
        return ObjectsWanted.from_json(text)
    return None


def _text_of_pictures(wanted: PicturesWanted | None) -> str:
    """{"contrast": {"dtype": "uint8", "limits": [[12.0, 230.0]]}}."""
    return wanted.to_json() if wanted else ""


def _pictures_of(text: str) -> PicturesWanted | None:
    with suppress(PicturesError):
        return PicturesWanted.from_json(text)
    return None


CODECS: Mapping[Any, Codec[Any, Any]] = MappingProxyType(
    {
        timedelta: Codec(int, lambda span: round(span.total_seconds()), lambda seconds: timedelta(seconds=seconds)),
        tuple[int, ...]: Codec(str, _text_of_shape, _shape_of),
        tuple[tuple[FailureKind, int], ...]: Codec(str, _text_of_counts, _counts_of),
        tuple[Attempt, ...]: Codec(str, _text_of_attempts, attempts_of),
        tuple[Move, ...]: Codec(str, _text_of_moves, _moves_of),
        tuple[Steered, ...]: Codec(str, _text_of_steered, _steered_of),
        tuple[tuple[str, float, str], ...]: Codec(str, _text_of_sizes, _sizes_of),
        tuple[PlannedOutput, ...]: Codec(str, _text_of_outputs, _outputs_of),
        ObjectCounts | None: Codec(str, _text_of_counts_of_objects, _counts_of_objects),
        tuple[ImageCounts, ...]: Codec(str, _text_of_image_counts, _image_counts_of),
        ObjectsWanted | None: Codec(str, _text_of_wanted, _wanted_of),
        PicturesWanted | None: Codec(str, _text_of_pictures, _pictures_of),
        tuple[ImageDescription, ...]: Codec(str, images_to_json, _images_of),
        tuple[RunWarning, ...]: Codec(str, _text_of_warnings, _warnings_of),
    }
)
