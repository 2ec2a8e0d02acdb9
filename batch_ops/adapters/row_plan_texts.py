"""Texts of a row for its plan and its results: images, outputs, counts, pictures, warnings."""

import json
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import asdict
from typing import Any

from batch_ops.domain.record_parts import ImageCounts
from batch_ops.task.objects import MAX_SMALL_BYTES, ObjectCounts, ObjectsError, ObjectsWanted
from batch_ops.task.outputs import PlannedOutput, Role
from batch_ops.task.pictures import PicturesError, PicturesWanted
from batch_ops.task.run_plan import ImageDescription, RunPlanError, RunWarning, images_from_json
from batch_ops.task.strict_json import ManifestError


def parsed(text: str) -> Any:
    try:
        return json.loads(text or "null")
    except (ValueError, RecursionError):
        return None


def understood[Note](read: Callable[[Any], Note], items: Iterable[Any]) -> tuple[Note, ...]:
    """Read notes, passing over those that no version up to this one writes: a note never makes its row unreadable."""
    notes = []
    for item in items:
        with suppress(ValueError, LookupError, TypeError):
            notes.append(read(item))
    return tuple(notes)


def text_of_warnings(warnings: tuple[RunWarning, ...]) -> str:
    """[{"code": ..., "sentence": ...}]."""
    return json.dumps([asdict(warning) for warning in warnings], ensure_ascii=False) if warnings else ""


def warnings_of(text: str) -> tuple[RunWarning, ...]:
    found = parsed(text)
    listed = found if isinstance(found, list) else ()
    return understood(lambda w: RunWarning(str(w["code"]), str(w["sentence"])), listed)


def text_of_sizes(sizes: tuple[tuple[str, float, str], ...]) -> str:
    """[["z", 1.5, "um"]]."""
    return json.dumps(sizes, ensure_ascii=False) if sizes else ""


def sizes_of(text: str) -> tuple[tuple[str, float, str], ...]:
    found = parsed(text)
    listed = found if isinstance(found, list) else ()
    return understood(lambda one: (str(one[0]), float(one[1]), str(one[2])), listed)


def text_of_outputs(outputs: tuple[PlannedOutput, ...]) -> str:
    """[{"role": "segmentation", "path": ..., "files": 2, ...}]."""
    listed = (asdict(output) for output in outputs)
    # What earlier versions do not know stands there only where it says something.
    later = ("first", "folders")
    return json.dumps([{k: v for k, v in one.items() if k not in later or v} for one in listed]) if outputs else ""


def outputs_of(text: str) -> tuple[PlannedOutput, ...]:
    found = parsed(text)
    listed = found if isinstance(found, list) else ()
    return understood(
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


def images_of(text: str) -> tuple[ImageDescription, ...]:
    with suppress(RunPlanError):
        return images_from_json(text)
    return ()


def text_of_counts_of_objects(counts: ObjectCounts | None) -> str:
    """{"unit": "px", "min_size": 0, "classes": [{"label": 1, "name": "Cell", "objects": [12], "sizes": [340]}]}."""
    return counts.in_small() if counts else ""


def counts_of_objects(text: str) -> ObjectCounts | None:
    with suppress(ManifestError):
        return ObjectCounts.read(parsed(text))
    return None


def text_of_image_counts(counts: tuple[ImageCounts, ...]) -> str:
    """[{"folder": "s00", "counts": ...}]; "" if it is too long for a row: they stand in the images' tables."""
    if not counts:
        return ""
    text = json.dumps([asdict(one) for one in counts], ensure_ascii=False, separators=(",", ":"))
    return text if len(text.encode("utf-16-le")) <= MAX_SMALL_BYTES else ""


def image_counts_of(text: str) -> tuple[ImageCounts, ...]:
    found = parsed(text)
    listed = found if isinstance(found, list) else ()
    return understood(lambda one: ImageCounts(str(one["folder"]), ObjectCounts.read(one["counts"])), listed)


def text_of_wanted(wanted: ObjectsWanted | None) -> str:
    return wanted.to_json() if wanted else ""


def wanted_of(text: str) -> ObjectsWanted | None:
    with suppress(ObjectsError):
        return ObjectsWanted.from_json(text)
    return None


def text_of_pictures(wanted: PicturesWanted | None) -> str:
    """{"contrast": {"dtype": "uint8", "limits": [[12.0, 230.0]]}}."""
    return wanted.to_json() if wanted else ""


def pictures_of(text: str) -> PicturesWanted | None:
    with suppress(PicturesError):
        return PicturesWanted.from_json(text)
    return None
