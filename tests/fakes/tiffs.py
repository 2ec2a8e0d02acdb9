"""TIFFs as the field's own writer makes them, of pixels that are asymmetric in all axes."""

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import tifffile

from tests.fakes.dialects import pixels_of

# t, c, z, y, x
SHAPE = (2, 3, 9, 21, 26)


def pixels(axes: str, dtype: str = "u2") -> np.ndarray[Any, Any]:
    """The pixels along these axes, in this order; the others are at 0."""
    whole = pixels_of(*SHAPE, dtype=dtype)
    found = whole[tuple(slice(None) if axis in axes else 0 for axis in "tczyx")]
    return np.transpose(found, ["".join(axis for axis in "tczyx" if axis in axes).index(axis) for axis in axes])


def written(axes: str, dtype: str = "u2", **how: Any) -> bytes:
    """A TIFF of the pixels along these axes."""
    memory = io.BytesIO()
    tifffile.imwrite(memory, pixels(axes, dtype), **{"photometric": "minisblack", **how})
    return memory.getvalue()


def _said(axes: str, **how: Any) -> dict[str, Any]:
    return {"metadata": {"axes": axes.upper(), **how}}


_IMAGEJ: dict[str, Any] = {"imagej": True, "resolution": (4.0, 5.0)}
# How each is written, its axes as they are read, and whether it says them all itself.
KINDS: dict[str, tuple[Callable[[], bytes], str, bool]] = {
    "plane": (lambda: written("yx", "u1"), "yx", True),
    "big-endian plane": (lambda: written("yx", byteorder=">"), "yx", True),
    "stack of pages": (lambda: written("zyx", metadata=None), "zyx", False),
    "stack of deflated pages": (lambda: written("zyx", metadata=None, compression="zlib", predictor=2), "zyx", False),
    "stack with axes": (lambda: written("tzyx", **_said("tzyx")), "tzyx", True),
    "imagej stack": (lambda: written("zyx", **_IMAGEJ, **_said("zyx", unit="um", spacing=2.0)), "zyx", True),
    "imagej hyperstack": (lambda: written("tzcyx", **_IMAGEJ, **_said("tzcyx", unit="um", spacing=2.0)), "tzcyx", True),
    "imagej series": (lambda: written("tzyx", **_IMAGEJ, **_said("tzyx", unit="um", spacing=2.0)), "tzyx", True),
    "imagej deflated": (lambda: written("tzyx", compression="zlib", **_IMAGEJ, **_said("tzyx")), "tzyx", True),
    "ome": (lambda: written("tzcyx", ome=True, **_said("tzcyx", PhysicalSizeX=0.25)), "tzcyx", True),
    "ome in another order": (lambda: written("czyx", ome=True, **_said("czyx"), rowsperstrip=4), "czyx", True),
    "ome bigtiff in tiles": (
        lambda: written("tczyx", ome=True, bigtiff=True, tile=(16, 16), compression="zlib", **_said("tczyx")),
        *("tczyx", True),
    ),
    "colours": (lambda: written("yxc", "u1", photometric="rgb"), "yxc", True),
    "planes of colours": (lambda: written("cyx", "u1", photometric="rgb", planarconfig="separate"), "cyx", True),
    "stack of colours": (lambda: written("zyxc", "u1", photometric="rgb", **_said("zyxs")), "zyxc", True),
    "imagej stack of colours": (
        lambda: written("zyxc", "u1", photometric="rgb", **_IMAGEJ, **_said("zyxs")),
        "zyxc",
        True,
    ),
}
