"""Makes TIFFs of what ilastik exported, in a process of its own: `order` as JSON on its input.

{"image", "dataset", "axes", "read_as": as for `node.measure`, "planes": the axis whose planes ilastik took for time
 points ("" = none), "source": files that ilastik wrote: TIFFs, or one in HDF5, "targets": the TIFFs to make,
 "pages", "page_shape": of each, "compressed", "objects": as in `write_tiff.Look`}
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from batch_ops.image.axes import parse_tags
from node.aside import answer
from node.planes import BAND_BYTES, ImagePlanes, Pages
from node.write_tiff import Look, Pixels, write_tiff

EXPORTED = "exported_data"  # ilastik's name for the dataset of an export to HDF5

Array = Any  # numpy's, whose types Python 3.9 can't all write


def rewrite(order: dict[str, Any]) -> dict[str, Any]:
    """Make the TIFFs."""
    sources, targets = [Path(source) for source in order["source"]], [Path(target) for target in order["targets"]]
    objects = order["objects"]
    look = Look(order["compressed"], None if objects is None else tuple(objects))
    with ExitStack() as stack:
        if sources[0].suffix == ".h5":
            exported = stack.enter_context(_opened(sources[0], order["planes"]))
            said = _said(order)
            made = [_of_times(exported, times, said) for times in _times(exported, len(targets))]
        else:
            made = [_of_tiff(source) for source in sources]
        planned = (order["pages"], *order["page_shape"])
        for target, pixels in zip(targets, made):
            found = (math.prod(pixels.shape[:3]), *pixels.shape[3:])
            if len(made) != len(targets) or found != planned:
                raise ValueError(f"{len(made)} x {found} (pages, y, x) were exported, not {len(targets)} x {planned}")
            write_tiff(target, pixels, look)
    return {}


def _opened(file: Path, planes: str) -> ImagePlanes:
    """Open an export to HDF5, its axes called as those of the image."""
    import h5py

    with h5py.File(file, "r") as stored:
        tags = parse_tags(stored[EXPORTED].attrs["axistags"])
    if tags is None:
        raise ValueError("the axes of the export are not known")
    other = {"t": planes, planes: "t"} if planes else {}
    return ImagePlanes(file, EXPORTED, "".join(other.get(axis, axis) for axis in tags.letters))


def _times(exported: ImagePlanes, files: int) -> list[range]:
    """Return the time points of each file: one in each of a sequence, all of them in a single file."""
    return [range(exported.times)] if files == 1 else [range(t, t + 1) for t in range(exported.times)]


def _said(order: dict[str, Any]) -> dict[str, Any]:
    """Return the sizes of the image's pixels, as OME calls them."""
    said: dict[str, Any] = {}
    with ImagePlanes(Path(order["image"]), order["dataset"], order["axes"], order["read_as"]) as image:
        for axis, size in image.sizes_um().items():
            said |= {f"PhysicalSize{axis.upper()}": size, f"PhysicalSize{axis.upper()}Unit": "µm"}
    return said


def _of_times(exported: ImagePlanes, times: range, said: dict[str, Any]) -> Pixels:
    shape = (len(times), exported.planes, exported.channels, exported.rows, exported.columns)
    return Pixels(shape, exported.dtype, lambda step: _rows(exported, times, step), said)


def _rows(exported: ImagePlanes, times: range, step: int) -> Iterator[Array]:
    """Read pages piece by piece; planes that are stored together are read together where there is room for them."""
    row_bytes = exported.columns * 8
    depth = max(1, min(exported.chunk_planes, BAND_BYTES // max(1, row_bytes * exported.rows * exported.channels)))
    whole = row_bytes * exported.rows * exported.channels <= BAND_BYTES
    high = max(1, BAND_BYTES // row_bytes // step) * step
    for t in times:
        for z in range(0, exported.planes, depth):
            if whole:
                for plane in exported.read(t, slice(z, z + depth), slice(None)):
                    for c in range(exported.channels):
                        yield from _pieces(plane[..., c], step)
                continue
            for c in range(exported.channels):
                for row in range(0, exported.rows, high):
                    band = exported.read(t, slice(z, z + 1), slice(row, row + high), c=slice(c, c + 1))
                    yield from _pieces(band[0, ..., 0], step)


def _of_tiff(file: Path) -> Pixels:
    """Take a TIFF as it is, with what it says of itself."""
    import tifffile

    with tifffile.TiffFile(file) as tiff:
        first, number = tiff.pages.first, len(tiff.pages)
        dtype, said = str(first.dtype), str(first.description).encode()

    def rows(step: int) -> Iterator[Array]:
        pages = Pages([file], number)
        try:
            for index in range(number):
                yield from _pieces(pages.read(index), step)
        finally:
            pages.close()

    return Pixels((1, number, 1, first.shape[0], first.shape[1]), dtype, rows, said)


def _pieces(page: Array, step: int) -> Iterator[Array]:
    for row in range(0, len(page), step):
        yield page[row : row + step]


if __name__ == "__main__":
    sys.exit(answer(rewrite))
