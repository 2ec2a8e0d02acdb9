"""Inside the parser: what an image file holds, as plain findings; which dataset is meant is the rules' of `choice`.

Reads no pixels, and follows no link out of the file.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import h5py

from batch_ops.image.choice import choose, is_preview, named
from batch_ops.image.links import resolve
from batch_ops.image.patterns import is_pattern
from batch_ops.image.read_dataset import describe
from batch_ops.image.read_pattern import read_pattern
from batch_ops.image.walk import FoundDatasets, walk

NAMES_SHOWN = 5
# Groups and datasets that are looked at for images beside a known layout: it is only about a warning.
_MOST_BESIDE = 64


def read_image(
    file: h5py.File, internal_path: str | None, max_objects: int, trained: Sequence[str] = ()
) -> dict[str, Any]:
    """Describe one image file: {"finding": kind, ...}, the kinds of `findings`.

    `internal_path`: the dataset, or a pattern of its path; None to choose one. `trained`: paths inside the files of
    the project's training images.
    """
    if internal_path is None:
        return _chosen(file, max_objects, trained)
    path = internal_path.strip("/")
    place = resolve(file, path)
    if place.item is not None:
        return describe(place.path, place.item)
    if place.problem != "missing":
        return {"finding": place.problem, "name": place.path}
    if is_pattern(path):
        described = read_pattern(file, path)
        if described["finding"] != "missing":
            return described
    found = walk(file, max_objects)
    return {"finding": "missing", "name": path, **_names(found, range(len(found.entries)))}


def _chosen(file: h5py.File, max_objects: int, trained: Sequence[str]) -> dict[str, Any]:
    found = walk(file, max_objects)
    places = [resolve(file, path.strip("/")) for path in trained]
    choice = choose(found.entries, {place.address for place in places if place.item is not None})
    one = len(choice.candidates) == 1
    # What is behind a link out of the file may be the image as well.
    away = [] if one and choice.by_training else [path for path in found.away if not (one and is_preview(path))]
    if len(choice.candidates) + len(away) > 1:
        return {"finding": "several", **_names(found, choice.candidates, away)}
    if not found.complete and not choice.by_training:
        return {"finding": "too many", "objects": found.objects}
    if not choice.candidates and found.nulls and not away:
        return {"finding": "null", "name": found.nulls[0]}
    if not choice.candidates:
        return {"finding": "none", "names": [*away, *found.dangling][:1]}
    index = choice.candidates[0]
    described = describe(found.entries[index].path, found.datasets[index])
    passed = [*choice.passed_over, *(f"{path} (a link out of the file)" for path in found.away)]
    return {
        **described,
        "chosen": choice.because,
        **shown(passed),
    }


def beside(file: h5py.File, own: re.Pattern[str], taken: int) -> list[str]:
    """Name the images that a file holds beside those of its layout.

    `own`: the names in the root that are the layout's; `taken`: the address of its image, if that is one dataset.
    """
    found = walk(file, _MOST_BESIDE, own, [taken])
    away = (f"{path} (a link out of the file)" for path in found.away if not is_preview(path))
    return [*named(found.entries), *away]


def shown(passed: Sequence[str]) -> dict[str, Any]:
    """Name some of what is passed over."""
    return {"passed_over": list(passed[:NAMES_SHOWN]), "more": len(passed) > NAMES_SHOWN}


def _names(found: FoundDatasets, indices: Sequence[int], away: Sequence[str] = ()) -> dict[str, Any]:
    entries = sorted((found.entries[index] for index in indices), key=lambda entry: entry.path)
    shown = entries[:NAMES_SHOWN]
    return {
        "names": [*away, *(entry.path for entry in shown)][:NAMES_SHOWN],
        "shapes": [*([] for _ in away), *(list(entry.shape) for entry in shown)][:NAMES_SHOWN],
        "more": len(entries) + len(away) > NAMES_SHOWN or not found.complete,
    }
