"""Parts of planes made smaller, tile by tile: a plane of any size is drawn in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from node.planes import BAND_BYTES, ImagePlanes, Pages

# Up to so many pixels on one of a picture, outlines are those of all pixels; beyond, they would cover everything, and
# are those of what most pixels are.
FINE = 8
_SAMPLES = 250_000  # of each channel
_LARGEST = 1e30  # of values: sums of many are finite, too

Array = Any  # numpy's, whose types Python 3.9 can't all write


@dataclass(frozen=True)
class Region:
    """A part of a plane: its first row and column, and how many it has; all in pixels."""

    t: int
    z: int
    row: int
    column: int
    rows: int
    columns: int


@dataclass
class View:
    """A region made smaller: means of pixels (y, x, c) as float32, and what is to be outlined.

    `classes` (y, x) are those of most pixels, `outlines` those that are drawn already; None without a segmentation.
    `samples` (pixels, c) are values as they are in the image.
    """

    pixels: Array
    classes: Array
    outlines: Array
    samples: Array


def view(
    image: ImagePlanes, pages: Pages | None, region: Region, factor: int, channels: int, wanted: Sequence[int]
) -> View:
    """Look at the first channels of a region, with `factor` x `factor` pixels on one, and at the `wanted` classes."""
    shape = (-(-region.rows // factor), -(-region.columns // factor))
    is_wanted = np.zeros(256, bool)
    is_wanted[list(wanted)] = True
    found = View(np.zeros((*shape, channels), np.float32), None, None, None)
    page = None
    if pages is not None:
        index = region.t * image.planes + region.z
        page = pages.read(index)
        found.classes = np.zeros(shape, np.uint8)
        if 1 < factor <= FINE:
            found.outlines = np.zeros(shape, np.uint8)
    step = max(1, int((region.rows * region.columns / _SAMPLES) ** 0.5))
    samples = []
    for rows, columns in _tiles(region, factor, image.chunk_rows, channels * np.dtype(image.dtype).itemsize):
        y = slice(region.row + rows.start, region.row + rows.stop)
        x = slice(region.column + columns.start, region.column + columns.stop)
        block = _finite(image.read(region.t, slice(region.z, region.z + 1), y, x, slice(channels))[0])
        samples.append(block[::step, ::step].reshape(-1, channels).astype(np.float32))
        place = (_reduced(rows, factor), _reduced(columns, factor))
        found.pixels[place] = _means(block, factor)
        if pages is None or page is None:
            continue
        if isinstance(page, np.memmap):
            page = pages.read(index)  # anew, as what was read of it counts as memory until it is let go
        found.classes[place] = _most(page[y, x], factor, wanted)
        if found.outlines is not None:
            found.outlines[place] = _largest(_outlines_at(page, y, x, is_wanted), factor)
    found.samples = np.concatenate(samples)
    return found


def outlines(classes: Array, is_wanted: Array) -> Array:
    """Return the class where a pixel of a wanted class has a neighbour of another one, else 0; edges are no others."""
    padded = np.pad(classes, 1, mode="edge")
    differs = np.zeros(classes.shape, bool)
    for neighbour in (padded[:-2, 1:-1], padded[2:, 1:-1], padded[1:-1, :-2], padded[1:-1, 2:]):
        differs |= neighbour != classes
    return np.where(differs & is_wanted[classes], classes, 0).astype(np.uint8)


def _tiles(region: Region, factor: int, chunk_rows: int, pixel_bytes: int) -> Iterator[tuple[slice, slice]]:
    """Yield rows and columns, from those of the region on, of parts of BAND_BYTES in whole steps of `factor`."""
    room = max(1, BAND_BYTES // 2 // pixel_bytes)
    height = min(region.rows, factor * max(1, min(max(chunk_rows, 256), region.rows) // factor))
    width = min(region.columns, factor * max(1, room // height // factor))
    height = min(region.rows, factor * max(1, room // width // factor))
    for row in range(0, region.rows, height):
        for column in range(0, region.columns, width):
            yield (
                slice(row, min(row + height, region.rows)),
                slice(column, min(column + width, region.columns)),
            )


def _reduced(span: slice, factor: int) -> slice:
    return slice(span.start // factor, -(-span.stop // factor))


def _finite(block: Array) -> Array:
    """Return the values as they are, those of no use as 0: such as are no numbers, or too large to be drawn."""
    if block.dtype.kind != "f":
        return block
    with np.errstate(over="ignore"):  # no half is as large
        within = np.abs(block) < _LARGEST  # false for what is no number
    return block if within.all() else np.where(within, block, 0)


def _joined(block: Array, factor: int, join: Any, dtype: Any) -> Array:
    """Join each `factor` x `factor` pixels; at the end of rows and columns, those that are left."""
    starts = range(0, block.shape[0], factor)
    rows = np.stack([join.reduce(block[row : row + factor], axis=0, dtype=dtype) for row in starts])
    return join.reduceat(rows, np.arange(0, block.shape[1], factor), axis=1, dtype=dtype)


def _areas(block: Array, factor: int) -> Array:
    """Return how many pixels are joined, each time."""
    sides = [np.minimum(factor, size - np.arange(0, size, factor)) for size in block.shape[:2]]
    return np.outer(*sides)


def _means(block: Array, factor: int) -> Array:
    if factor == 1:
        return block.astype(np.float32)
    return _joined(block, factor, np.add, np.float32) / _areas(block, factor)[..., None]


def _largest(marks: Array, factor: int) -> Array:
    return _joined(marks, factor, np.maximum, np.uint8)


def _most(classes: Array, factor: int, wanted: Sequence[int]) -> Array:
    """Return the wanted class that at least half of the pixels are of, else 0."""
    if factor == 1:
        return np.where(np.isin(classes, wanted), classes, 0)
    found = np.zeros([-(-size // factor) for size in classes.shape], np.uint8)
    for label in wanted:
        found[2 * _joined(classes == label, factor, np.add, np.uint32) >= _areas(classes, factor)] = label
    return found


def _outlines_at(page: Array, y: slice, x: slice, is_wanted: Array) -> Array:
    """Return the outlines of a part of a page: what is beside it tells where they are at its edges."""
    top, left = max(0, y.start - 1), max(0, x.start - 1)
    around = np.asarray(page[top : y.stop + 1, left : x.stop + 1])
    marks = outlines(around, is_wanted)
    return marks[y.start - top : y.stop - top, x.start - left : x.stop - left]
