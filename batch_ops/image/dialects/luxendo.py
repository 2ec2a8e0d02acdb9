"""Inside the parser: images of Luxendo's microscopes (`.lux.h5`): `Data` (z, y, x) beside smaller copies of itself."""

from __future__ import annotations

import json
import re
from typing import Any

import h5py

from batch_ops.image.read_image import read_image
from batch_ops.image.stored_values import item_at, names_in, text, value_at

READER = "luxendo"
_PATH = "Data"
_OTHERS = re.compile(r"Data(_[0-9]+){3}|metadata")
_MOST_METADATA_BYTES = 2**20
_SIDES = {"z": "depth", "y": "height", "x": "width"}


def read(file: h5py.File, _path_of_it: str | None) -> dict[str, Any] | None:
    """Describe the image at its full resolution, its axes z, y, x; None for a file of another kind."""
    root = h5py.h5g.open(file.id, b"/")
    if not isinstance(item_at(root, _PATH), h5py.h5d.DatasetID) or item_at(root, "metadata") is None:
        return None
    information = _information(root)
    if information is None or not all(name == _PATH or _OTHERS.fullmatch(name) for name in names_in(root)):
        return None
    found = read_image(file, _PATH, 0)
    if len(found.get("shape", ())) != 3:
        return None
    return {**found, "reader": READER, "axes": "zyx", "pixel_sizes": _pixel_sizes(information)}


def _information(root: Any) -> dict[str, Any] | None:
    value = value_at(root, "metadata", _MOST_METADATA_BYTES)
    try:
        value = text(value.item() if hasattr(value, "item") else value)
        information = json.loads(value or "")["processingInformation"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return information if isinstance(information, dict) else None


def _pixel_sizes(information: dict[str, Any]) -> list[list[Any]]:
    sizes = information.get("voxel_size_um")
    if not isinstance(sizes, dict):
        return []
    known = ((axis, sizes.get(side)) for axis, side in _SIDES.items())
    return [[axis, float(size), "um"] for axis, size in known if isinstance(size, (int, float)) and 0 < size < 1e9]
