"""The attributes from which ilastik reads axes and the sizes of pixels: written, and read back; pure."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from batch_ops.image.axes import TYPE_FLAGS

PixelSizes = Sequence[tuple[str, float, str]]  # axis, size, unit


def own_sizes(dataset: Any) -> PixelSizes:
    """Return the sizes of pixels in tags that have to be written anew."""
    try:
        units = json.loads(dataset.attrs.get("axis_units", "{}"))
        tags = json.loads(dataset.attrs["axistags"])["axes"]
        sizes = [(str(tag["key"]), float(tag.get("resolution") or 0), str(units.get(tag["key"], ""))) for tag in tags]
    except (KeyError, ValueError, TypeError, AttributeError, RecursionError):
        return []
    return [(axis, size, unit) for axis, size, unit in sizes if 0 < size < math.inf]


def axis_attributes(axes: str, sizes: PixelSizes) -> dict[str, str]:
    """Return the attributes from which ilastik reads axes, and the sizes of pixels that it writes into its TIFFs."""
    known = {axis: (size, unit) for axis, size, unit in sizes if axis in axes}
    units = {axis: unit for axis, (_, unit) in known.items() if unit}
    tags = vigra_axistags(axes, {axis: size for axis, (size, _) in known.items()})
    return {"axistags": tags, **({"axis_units": json.dumps(units)} if units else {})}


def vigra_axistags(axes: str, sizes: Mapping[str, float]) -> str:
    """Return the attribute from which h5py, vigra and ilastik read axes (JSON of vigra.AxisTags)."""
    tags = [
        {"key": axis, "typeFlags": TYPE_FLAGS[axis], "resolution": sizes.get(axis, 0), "description": ""}
        for axis in axes
    ]
    return json.dumps({"axes": tags})
