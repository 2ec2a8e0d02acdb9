"""The sizes of pixels: as an image states them, and as ilastik reads them, together with the axes, from its tags."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any, Tuple

from batch_ops.image.axes import TYPE_FLAGS
from batch_ops.image.readings import PLAIN_READER, Dataset
from batch_ops.task.run_plan import ImageDescription

PixelSizes = Sequence[Tuple[str, float, str]]  # axis, size, unit
# How files call the units of sizes, in micrometres.
MICROMETRES = {"um": 1.0, "µm": 1.0, "μm": 1.0, "micron": 1.0, "microns": 1.0, "micrometer": 1.0, "micrometre": 1.0}
MICROMETRES |= {"nm": 1e-3, "nanometer": 1e-3, "mm": 1e3, "millimeter": 1e3, "cm": 1e4, "m": 1e6, "meter": 1e6}


def pixel_sizes(stored: Dataset, axes: str) -> PixelSizes:
    """Return the sizes of pixels that are not in the image's own tags; a plain file has them for z, y, x, in order."""
    space = "".join(axis for axis in axes if axis in "zyx")
    return stored.pixel_sizes if stored.reader != PLAIN_READER or "zyx".endswith(space) else ()


def own_sizes(dataset: Any) -> PixelSizes:
    """Return the sizes of pixels in tags that have to be written anew."""
    try:
        units = json.loads(dataset.attrs.get("axis_units", "{}"))
        tags = json.loads(dataset.attrs["axistags"])["axes"]
        sizes = [(str(tag["key"]), float(tag.get("resolution") or 0), str(units.get(tag["key"], ""))) for tag in tags]
    except (KeyError, ValueError, TypeError, AttributeError, RecursionError):
        return []
    return [(axis, size, unit) for axis, size, unit in sizes if 0 < size < math.inf]


def sizes_as_read(sizes: PixelSizes, found: ImageDescription) -> PixelSizes:
    """Return the sizes by the axes that ilastik is told; that of planes it takes for times is in micrometres then."""
    if not found.planes:
        return sizes
    others = [(axis, size, unit) for axis, size, unit in sizes if axis not in ("t", found.planes)]
    depth = [(size, MICROMETRES.get(unit)) for axis, size, unit in sizes if axis == found.planes]
    return [*others, *(("t", size * factor, "") for size, factor in depth if factor)]


def axis_attributes(axes: str, sizes: PixelSizes) -> dict[str, str]:
    """Return the attributes from which ilastik reads axes, and the sizes of pixels that it writes into its TIFFs."""
    known = {axis: (size, unit) for axis, size, unit in sizes if axis in axes}
    units = {axis: unit for axis, (_, unit) in known.items() if unit}
    tags = vigra_axistags(axes, {axis: size for axis, (size, _) in known.items()})
    return {"axistags": tags, **({"axis_units": json.dumps(units)} if units else {})}


def sizes_um(tags: object, units: object, axes: str) -> dict[str, float]:
    """Return the size of a pixel along those of these axes that say it with a unit, in micrometres.

    `tags` is JSON of vigra's axistags, `units` JSON of a table from axis to unit. Along time, the unit of planes that
    stand there is micrometres.
    """
    try:
        found = {tag["key"]: float(tag["resolution"]) for tag in json.loads(tags)["axes"]}  # type: ignore[arg-type]
        factors = {axis: MICROMETRES.get(str(unit)) for axis, unit in json.loads(units).items()}  # type: ignore[arg-type]
    except (KeyError, ValueError, TypeError, AttributeError, RecursionError):
        return {}
    factors.setdefault("t", 1.0)
    sizes = {axis: found.get(axis, 0.0) * (factors.get(axis) or 0.0) for axis in axes}
    return {axis: size for axis, size in sizes.items() if math.isfinite(size) and size > 0}


def vigra_axistags(axes: str, sizes: Mapping[str, float]) -> str:
    """Return the attribute from which h5py, vigra and ilastik read axes (JSON of vigra.AxisTags)."""
    tags = [
        {"key": axis, "typeFlags": TYPE_FLAGS[axis], "resolution": sizes.get(axis, 0), "description": ""}
        for axis in axes
    ]
    return json.dumps({"axes": tags})
