"""Pixels of image and results, a few planes at a time: neither has to fit into memory."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from node.files import open_hdf5
from node.joined_planes import PLANES_OF_EACH_TIME
from node.pixel_sizes import sizes_um

BAND_BYTES = int(os.environ.get("COUNT_BAND_BYTES") or 64 * 2**20)  # read at once
_ALL = slice(None)

Array = Any  # numpy's, whose types Python 3.9 can't all write


@dataclass(frozen=True)
class Band:
    """Rows of one plane, from `row` on: of the segmentation (rows x columns; None where there is none), of the image
    (rows x columns x channels)."""

    z: int
    row: int
    classes: Array
    intensities: Array


class Pages:
    """The pages of multi-page TIFFs in the order of the files: (y, x) each; for an image of `planes` z, t after t."""

    def __init__(self, files: Sequence[Path], pages_per_file: int) -> None:
        self._files = files
        self._pages = pages_per_file
        self._number = -1
        self._tiff: Any = None

    def read(self, index: int) -> Array:
        """Return one page; where it lies in its file as it is, it is read when it is used."""
        import numpy
        import tifffile

        number, page_number = divmod(index, self._pages)
        if number != self._number:
            self.close()
            self._tiff, self._number = tifffile.TiffFile(self._files[number]), number
        page = self._tiff.pages[page_number]
        if page.compression == 1 and page.is_contiguous:
            offset, kind = page.dataoffsets[0], self._tiff.byteorder + page.dtype.char
            return numpy.memmap(self._files[number], kind, "r", offset, page.shape[:2])
        return page.asarray()

    def close(self) -> None:
        if self._tiff is not None:
            self._tiff.close()
        self._tiff, self._number = None, -1


def is_mapped(page: Array) -> bool:
    """Return whether a page is read when it is used, and not yet."""
    import numpy

    return isinstance(page, numpy.memmap)


class ImagePlanes:
    """A dataset of any order of axes, as planes (z, y, x, c) of one time point.

    `read_as`: the axes by which its tags call it, where planes along z stand there as time points; one less where
    those of all time points do (see `joined_planes`).
    """

    def __init__(self, file: Path, name: str, axes: str, read_as: str = "") -> None:
        self._file = open_hdf5(file, "r")
        self._data = self._file[name]
        self._axes = axes
        self._called = dict(zip(axes, read_as or axes))
        size = dict(zip(axes, self._data.shape))
        self._joined = 0
        if len(read_as or axes) < len(axes):
            self._joined = int(self._data.attrs[PLANES_OF_EACH_TIME])
            self._axes, self._called = read_as.replace("t", "z"), {"z": "t"}
            size = dict(zip(self._axes, self._data.shape))
            size["t"], size["z"] = size["z"] // self._joined, self._joined
        self.times, self.planes, self.rows, self.columns, self.channels = (int(size.get(axis, 1)) for axis in "tzyxc")
        chunks = dict(zip(self._axes, self._data.chunks or ()))
        self._depth, self._height, self._width = (int(chunks.get(axis, 1)) for axis in "zyx")

    def pixel_size_um(self) -> tuple[float, ...]:
        """Return the size of a pixel along z, y and x in micrometres; () unless all axes of space say it with a unit.

        An image of a single plane needs none of z, and gets 1.
        """
        sizes = self.sizes_um()
        return tuple(sizes.get(axis, 1.0) for axis in "zyx") if set(self.space) <= set(sizes) else ()

    def sizes_um(self) -> dict[str, float]:
        """Return the size of a pixel along each axis of space that says it with a unit."""
        called = {axis: self._called.get(axis, axis) for axis in self.space}
        attributes = self._data.attrs
        found = sizes_um(attributes.get("axistags"), attributes.get("axis_units"), "".join(called.values()))
        return {axis: found[name] for axis, name in called.items() if name in found}

    @property
    def space(self) -> str:
        """The axes of space: z only where there are several planes."""
        return "zyx" if self.planes > 1 else "yx"

    def __enter__(self) -> ImagePlanes:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    @property
    def dtype(self) -> str:
        """The type of its values, by numpy's name."""
        return str(self._data.dtype.name)

    @property
    def chunk_rows(self) -> int:
        """How many rows are stored together."""
        return self._height

    @property
    def chunk_shape(self) -> tuple[int, int, int]:
        """How many planes, rows and columns are stored together."""
        return self._depth, self._height, self._width

    def read(self, t: int, z: slice, y: slice, x: slice = _ALL, c: slice = _ALL) -> Array:
        """Return (z, y, x, c)."""
        import numpy

        if self._joined:
            first, end, _ = z.indices(self._joined)
            z = slice(t * self._joined + first, t * self._joined + end)
        wanted: dict[str, Any] = {"t": t, "z": z, "y": y, "x": x, "c": c}
        found = self._data[tuple(wanted[axis] for axis in self._axes)]
        left = [axis for axis in self._axes if axis != "t"]
        for axis in "zyxc":
            if axis not in left:
                left.append(axis)
                found = found[..., None]
        return numpy.transpose(found, [left.index(axis) for axis in "zyxc"])

    def blocks(self, t: int) -> Iterator[tuple[int, int, Array]]:
        """Yield first z, first y and pixels (z, y, x, c) of blocks: whole chunks where they fit into BAND_BYTES.

        Planes come one after the other: a block of several planes has all rows.
        """
        row_bytes = max(1, self.columns * self.channels * int(self._data.dtype.itemsize))
        plane_bytes = row_bytes * self.rows
        depth = max(1, min(self._depth, BAND_BYTES // plane_bytes))
        rows = self.rows
        if plane_bytes > BAND_BYTES:
            rows = max(1, BAND_BYTES // row_bytes // self._height * self._height or BAND_BYTES // row_bytes)
        for z in range(0, self.planes, depth):
            for row in range(0, self.rows, rows):
                yield z, row, self.read(t, slice(z, z + depth), slice(row, row + rows))


def bands(image: ImagePlanes, pages: Pages | None, t: int) -> Iterator[Band]:
    """Yield the bands of one time point, plane after plane: what was there, and what it was found to be."""
    for z, row, block in image.blocks(t):
        for depth, plane in enumerate(block):
            number = t * image.planes + z + depth
            page = pages.read(number) if pages else None
            # What is computed of a band takes several times its bytes.
            step = max(1, BAND_BYTES // 8 // max(1, image.columns * image.channels))
            for first in range(0, len(plane), step):
                rows = slice(row + first, row + first + len(plane[first : first + step]))
                if pages and is_mapped(page):
                    page = pages.read(number)  # anew, as what was read of it counts as memory until it is let go
                yield Band(z + depth, rows.start, None if page is None else page[rows], plane[first : first + step])
