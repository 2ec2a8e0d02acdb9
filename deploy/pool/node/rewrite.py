"""Makes TIFFs, or a file in HDF5, of what ilastik exported, in a process of its own: `order` as JSON on its input.

{"image", "dataset", "axes", "read_as": as for `node.measure`, "planes": the axis whose planes ilastik took for time
 points ("" = none), "source": files that ilastik wrote: TIFFs, or one in HDF5, "targets": the TIFFs to make, or
 one file in HDF5 or one OME-Zarr of all TIFFs, "pages", "page_shape": of each TIFF, "compressed", "objects": as in
 `write_tiff.Look`, "zarr": null, or of an OME-Zarr {"version", "labels"} as in `write_zarr.ZarrLook`}
"""

from __future__ import annotations

import itertools
import math
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from batch_ops.image.axes import parse_tags
from node.aside import answer
from node.files import EXPORTED
from node.planes import BAND_BYTES, ImagePlanes, Pages
from node.write_hdf5 import HDF5_SUFFIX, write_hdf5
from node.write_tiff import CLASSIC_BYTES, Look, Pixels, write_tiff
from node.write_zarr import ZarrLook, write_zarr

Array = Any  # numpy's, whose types Python 3.9 can't all write


def rewrite(order: dict[str, Any], at_once: int = BAND_BYTES) -> dict[str, Any]:
    """Make them. `at_once`: so many bytes of an export to HDF5 are read at a time, or one of its blocks."""
    sources, targets = [Path(source) for source in order["source"]], [Path(target) for target in order["targets"]]
    planned = (order["pages"], *order["page_shape"])
    if sources[0].suffix == ".h5":
        with _opened(sources[0], order["planes"]) as exported:
            times = _times(exported, len(targets))
            pages = len(times[0]) * exported.planes * exported.channels
            _check(targets, len(times), (pages, exported.rows, exported.columns), planned)
            for target, of_file in zip(targets, times):
                _lay_out(target, exported, of_file, _said(order), at_once)
        return {}
    if targets[0].name.endswith(HDF5_SUFFIX):
        with ImagePlanes(Path(order["image"]), order["dataset"], order["axes"], order["read_as"]) as image:
            write_hdf5(targets[0], sources, planned, image.sizes_um())
        return {}
    if (zarr := order.get("zarr")) is not None:
        labels = zarr["labels"]
        with ImagePlanes(Path(order["image"]), order["dataset"], order["axes"], order["read_as"]) as image:
            sizes = image.sizes_um()
        write_zarr(
            targets[0], sources, planned, sizes, ZarrLook(zarr["version"], None if labels is None else tuple(labels))
        )
        return {}
    objects = order["objects"]
    look = Look(order["compressed"], None if objects is None else tuple(objects))
    for source, target in zip(sources, targets):
        pixels = _of_tiff(source)
        _check(targets, len(sources), pixels.shape, planned)
        write_tiff(target, pixels, look)
    return {}


def _check(targets: Sequence[Path], files: int, found: tuple[int, ...], planned: tuple[int, ...]) -> None:
    if (files, found) != (len(targets), planned):
        raise ValueError(f"{files} x {found} (pages, y, x) were exported, not {len(targets)} x {planned}")


def _opened(file: Path, planes: str) -> ImagePlanes:
    """Open an export to HDF5, its axes called as those of the image."""
    import h5py

    with h5py.File(file, "r") as stored:
        _check_written(stored[EXPORTED])
        tags = parse_tags(stored[EXPORTED].attrs["axistags"])
    if tags is None:
        raise ValueError("the axes of the export are not known")
    other = {"t": planes, planes: "t"} if planes else {}
    return ImagePlanes(file, EXPORTED, "".join(other.get(axis, axis) for axis in tags.letters))


def _check_written(dataset: Any) -> None:
    """Refuse an export of which blocks are missing: they would read as pixels of nothing."""
    if dataset.chunks and hasattr(dataset.id, "get_num_chunks") and not dataset.fillvalue:
        blocks = math.prod(-(-size // chunk) for size, chunk in zip(dataset.shape, dataset.chunks))
        if dataset.id.get_num_chunks() != blocks:
            raise ValueError(f"only {dataset.id.get_num_chunks():,} of {blocks:,} blocks were exported")
    elif not dataset.chunks and dataset.size and not dataset.id.get_storage_size():
        raise ValueError("nothing of it was exported")


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


def _lay_out(target: Path, exported: ImagePlanes, times: range, said: dict[str, Any], at_once: int) -> None:
    """Write these time points as one TIFF: a file of zeros first, which is then filled block by block.

    Blocks are whole chunks, each of which is read once.
    """
    import numpy
    import tifffile

    shape = (len(times), exported.planes, exported.channels, exported.rows, exported.columns)
    dtype = numpy.dtype(exported.dtype)
    place = tifffile.memmap(
        target,
        shape=shape,
        dtype=dtype,
        bigtiff=math.prod(shape) * dtype.itemsize >= CLASSIC_BYTES,
        ome=True,
        photometric="minisblack",
        metadata={"axes": "TZCYX", **said},
        software="ilastik",
    )
    with target.open("r+b") as file:
        # All of its room at once: a full disk is said here, and could not be while it is filled through memory.
        os.posix_fallocate(file.fileno(), 0, target.stat().st_size)
    depth, height, width = exported.chunk_shape
    row_bytes = depth * height * dtype.itemsize
    width = max(width, at_once // row_bytes // width * width)
    for (index, t), c in itertools.product(enumerate(times), range(exported.channels)):
        for z, y, x in itertools.product(*map(range, (0, 0, 0), shape[1:2] + shape[3:], (depth, height, width))):
            box = slice(z, z + depth), slice(y, y + height), slice(x, x + width)
            place[index, box[0], c, box[1], box[2]] = exported.read(t, *box, slice(c, c + 1))[..., 0]
    place.flush()


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

    return Pixels((number, first.shape[0], first.shape[1]), dtype, rows, said)


def _pieces(page: Array, step: int) -> Iterator[Array]:
    for row in range(0, len(page), step):
        yield page[row : row + step]


if __name__ == "__main__":
    sys.exit(answer(rewrite))
