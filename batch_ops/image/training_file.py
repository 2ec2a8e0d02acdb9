"""A crop as a file that ilastik can be trained on: one dataset, in the axes of the training images."""

from __future__ import annotations

import io
import math
from dataclasses import dataclass

from batch_ops.image.axistags import axis_attributes
from batch_ops.image.boxes import Box, item_bytes

DATASET = "data"


@dataclass(frozen=True)
class Cut:
    """Pixels of a box of an image: `data` one after the other in the order of the image's axes, the last fastest.

    `dtype`: numpy's name. `pixel_sizes`: axis, size and unit, as far as the file says them.
    """

    data: bytes
    dtype: str
    shape: tuple[int, ...]
    pixel_sizes: tuple[tuple[str, float, str], ...] = ()

    @property
    def is_whole(self) -> bool:
        """Whether there are just the pixels of its shape."""
        return len(self.data) == math.prod(self.shape) * item_bytes(self.dtype)


def training_file(cut: Cut, axes: str, training_axes: str, source: str, box: Box) -> bytes:
    """Return the HDF5 file: the pixels in `training_axes`, tagged so, and where they come from.

    Axes that the image lacks have one pixel, and those that training images lack are left out: they have one, too.
    """
    import h5py
    import numpy

    pixels = numpy.frombuffer(cut.data, cut.dtype).reshape(cut.shape)
    kept = [axis for axis in axes if axis in training_axes]
    pixels = pixels.reshape([size for axis, size in zip(axes, cut.shape) if axis in training_axes])
    for axis in training_axes:
        if axis not in kept:
            kept.append(axis)
            pixels = pixels[..., None]
    pixels = pixels.transpose([kept.index(axis) for axis in training_axes])
    memory = io.BytesIO()
    with h5py.File(memory, "w") as file:
        made = file.create_dataset(DATASET, data=numpy.ascontiguousarray(pixels), chunks=True, compression="gzip")
        made.attrs.update(axis_attributes(training_axes, cut.pixel_sizes))
        made.attrs["cut_from"] = source
        made.attrs["cut_box"] = ",".join(f"{axis}={first}:{last}" for axis, (first, last) in zip(axes, box))
    return memory.getvalue()
