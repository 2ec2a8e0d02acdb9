"""Writes the pages of TIFFs as one dataset in HDF5, as ilastik itself has it: with axistags and sizes of pixels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from batch_ops.image.axistags import axis_attributes
from node.files import EXPORTED
from node.planes import Pages

HDF5_SUFFIX = ".h5.new"
AXES = "tzyxc"
_CHUNK = 256
_BAND = 16 * _CHUNK


def write_hdf5(target: Path, sources: Sequence[Path], planned: tuple[int, ...], sizes_um: Mapping[str, float]) -> None:
    """Write TIFFs of ilastik (one for each time point, or a single one) as the dataset EXPORTED (t, z, y, x, c).

    `planned`: pages, rows and columns of each. It is compressed by gzip, and only some rows are in memory at a time.
    """
    import h5py

    times, planes, channels = times_planes_channels(sources, planned)
    _, rows, columns = planned
    read = Pages(list(sources), planned[0])
    try:
        with h5py.File(target, "w") as file:
            made = file.create_dataset(
                EXPORTED,
                (times, planes, rows, columns, channels),
                read.read(0).dtype.newbyteorder("="),
                chunks=(1, 1, min(_CHUNK, rows), min(_CHUNK, columns), 1),
                compression="gzip",
                compression_opts=1,
            )
            made.attrs.update(axis_attributes(AXES, [(axis, size, "um") for axis, size in sizes_um.items()]))
            for index in range(times * planes * channels):
                page = read.read(index)
                plane, c = divmod(index, channels)
                t, z = divmod(plane, planes)
                for row in range(0, rows, _BAND):
                    made[t, z, row : row + _BAND, :, c] = page[row : row + _BAND]
    finally:
        read.close()


def times_planes_channels(sources: Sequence[Path], planned: tuple[int, ...]) -> tuple[int, int, int]:
    """Return the time points, planes and channels; the pages of ilastik's TIFFs are in this order."""
    import tifffile

    with tifffile.TiffFile(sources[0]) as tiff:
        series: Any = tiff.series[0]
        size = dict(zip(series.axes, series.shape))
        found = (len(tiff.pages), *tiff.pages.first.shape[:2])
    times, planes, channels = (int(size.get(axis, 1)) for axis in "TZC")
    if found != planned or times * planes * channels != planned[0] or (times > 1 and len(sources) > 1):
        raise ValueError(f"{sources[0].name} does not have the axes that were planned: {series.axes} {series.shape}")
    return times * len(sources), planes, channels
