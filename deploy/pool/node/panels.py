"""Which parts of an image are on its pictures, where, and how large."""

from __future__ import annotations

from dataclasses import dataclass

from node.reduce import Region

LONG_SIDE = 1024  # of a picture, in pixels
GAP = 4  # between its parts
ENLARGED = 640  # a small image is enlarged by whole factors up to this
_GRIDS = ((1, 1), (3, 1), (1, 3), (2, 2))  # columns, rows
_CROPS = 3


@dataclass(frozen=True)
class Layout:
    """A grid of parts of equal size: `shrunk` pixels of the image are one of the picture, or one is `enlarged`."""

    columns: int
    rows: int
    shrunk: int
    enlarged: int


def layout(parts: int, rows: int, columns: int, room_for_text: int) -> Layout:
    """Lay out so many parts of so many rows and columns of pixels, as large as there is room."""
    found = []
    for across, down in _GRIDS:
        if not parts <= across * down <= parts + 1:
            continue
        width = (LONG_SIDE - GAP * (across - 1)) // across
        height = (LONG_SIDE - room_for_text - GAP * (down - 1)) // down
        shrunk = max(1, -(-columns // width), -(-rows // height))
        enlarged = max(1, min(width // columns, height // rows, ENLARGED // max(rows, columns)))
        found.append((shrunk, -enlarged, across * down, Layout(across, down, shrunk, enlarged)))
    return min(found, key=lambda one: one[:3])[3]


def planes_shown(planes: int) -> list[int]:
    """Return which planes of a stack are shown: at 25, 50 and 75 % of its height, each once."""
    return sorted({min(planes - 1, planes * percent // 100) for percent in (25, 50, 75)})


def regions_of(times: int, planes: int, rows: int, columns: int) -> list[Region]:
    """Return the whole planes that are shown, of the middle time point."""
    return [Region(times // 2, z, 0, 0, rows, columns) for z in planes_shown(planes)]
