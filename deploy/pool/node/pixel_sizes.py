"""The sizes of pixels: as an image states them, and as ilastik reads them, together with the axes, from its tags."""

from __future__ import annotations

import json
import math

from batch_ops.image.axistags import PixelSizes
from batch_ops.image.readings import PLAIN_READER, Dataset
from batch_ops.task.run_plan import ImageDescription

# How files call the units of sizes, in micrometres.
MICROMETRES = {"um": 1.0, "µm": 1.0, "μm": 1.0, "micron": 1.0, "microns": 1.0, "micrometer": 1.0, "micrometre": 1.0}
MICROMETRES |= {"nm": 1e-3, "nanometer": 1e-3, "mm": 1e3, "millimeter": 1e3, "cm": 1e4, "m": 1e6, "meter": 1e6}


def pixel_sizes(stored: Dataset, axes: str) -> PixelSizes:
    """Return the sizes of pixels that are not in the image's own tags; a plain file has them for z, y, x, in order."""
    space = "".join(axis for axis in axes if axis in "zyx")
    return stored.pixel_sizes if stored.reader != PLAIN_READER or "zyx".endswith(space) else ()


def sizes_as_read(sizes: PixelSizes, found: ImageDescription) -> PixelSizes:
    """Return the sizes by the axes that ilastik is given; that of planes it takes for times is in micrometres then."""
    if not found.planes:
        return sizes
    others = [(axis, size, unit) for axis, size, unit in sizes if axis not in "tz"]
    depth = [(size, MICROMETRES.get(unit)) for axis, size, unit in sizes if axis == "z"]
    return [*others, *(("t", size * factor, "") for size, factor in depth if factor)]


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
