"""Which parts of an image are on its pictures, where, and how large."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from node.planes import ImagePlanes
from node.reduce import Region

LONG_SIDE = 1024  # of a picture, in pixels
ROOM_FOR_WORDS = 80  # of that, below the image
GAP = 4  # between its parts
ENLARGED = 640  # a small image is enlarged by whole factors up to this
SLIDE = 4 * LONG_SIDE  # a single plane with a longer side is shown as a whole, and by parts
CROPS = 3
_GRIDS = ((1, 1), (3, 1), (1, 3), (2, 2))  # columns, rows

Array = Any  # numpy's, whose types Python 3.9 can't all write


@dataclass(frozen=True)
class Layout:
    """A grid of parts with at most `width` x `height` pixels of the picture: `shrunk` pixels of the image are one of
    those, or one is `enlarged`."""

    columns: int
    rows: int
    width: int
    height: int
    shrunk: int
    enlarged: int


def layout(parts: int, rows: int, columns: int) -> Layout:
    """Lay out so many parts of so many rows and columns of pixels, as large as there is room."""
    found = []
    for across, down in _GRIDS:
        if not parts <= across * down <= parts + 1:
            continue
        width = (LONG_SIDE - GAP * (across - 1)) // across
        height = (LONG_SIDE - ROOM_FOR_WORDS - GAP * (down - 1)) // down
        shrunk = max(1, -(-columns // width), -(-rows // height))
        enlarged = max(1, min(width // columns, height // rows, ENLARGED // max(rows, columns)))
        found.append((shrunk, -enlarged, across * down, Layout(across, down, width, height, shrunk, enlarged)))
    return min(found, key=lambda one: one[:3])[3]


def is_slide(image: ImagePlanes) -> bool:
    """Return whether too little would be seen of the image as a whole."""
    return image.planes == 1 and max(image.rows, image.columns) > SLIDE


def whole_planes(image: ImagePlanes) -> list[Region]:
    """Return the planes of a stack at 25, 50 and 75 % of its height, each once, at the middle time point."""
    shown = sorted({min(image.planes - 1, image.planes * percent // 100) for percent in (25, 50, 75)})
    return [Region(image.times // 2, z, 0, 0, image.rows, image.columns) for z in shown]


def crops(whole: Region, grid: Layout, interest: Array) -> list[Region]:
    """Return the parts of a slide, as large as a part of the picture, that have most of what is of interest.

    `interest` (y, x) is of the whole slide, shrunk. Parts lie one beside the other, or further apart.
    """
    rows, columns = min(grid.height, whole.rows), min(grid.width, whole.columns)
    high, wide = max(1, rows // grid.shrunk), max(1, columns // grid.shrunk)
    left = interest.astype(np.float64)
    found: list[Region] = []
    for _ in range(CROPS):
        sums = np.pad(left, ((1, 0), (1, 0))).cumsum(0).cumsum(1)
        inside = sums[high:, wide:] - sums[:-high, wide:] - sums[high:, :-wide] + sums[:-high, :-wide]
        if found and not inside.max():
            break  # nothing is left to be seen
        row, column = np.unravel_index(np.argmax(inside), inside.shape)
        left[row : row + high, column : column + wide] = 0
        top, side = (int(place) * grid.shrunk for place in (row, column))
        place = (min(top, whole.rows - rows), min(side, whole.columns - columns))
        found.append(Region(whole.t, whole.z, *place, rows, columns))
    return found


def changes(pixels: Array) -> Array:
    """Return how much pixels (y, x, c) differ from those beside them, in all channels: there is something to see."""
    found = np.zeros(pixels.shape[:2], np.float32)
    for channel in range(pixels.shape[2]):
        values = pixels[..., channel]
        found[:-1] += np.abs(np.diff(values, axis=0))
        found[:, :-1] += np.abs(np.diff(values, axis=1))
    return found
