"""Pixels of images that nobody has to write."""

import math

import numpy as np

from batch_ops.image.boxes import Box
from batch_ops.image.training_file import Cut
from batch_ops.ports.services import RangeReader
from batch_ops.task.run_plan import ImageDescription


def pixels_like(image: ImageDescription) -> np.ndarray:
    """The pixels of such an image, no two beside each other alike."""
    return (np.arange(math.prod(image.shape)) % 251).astype(image.dtype).reshape(image.shape)


class FakePixels:
    """Port `PixelSource`: whatever is in the file, its image has `pixels_like` it."""

    async def cut(self, reader: RangeReader, image: ImageDescription, box: Box) -> Cut:
        await reader.read(0, 1)
        found = pixels_like(image)[tuple(slice(*ends) for ends in box)]
        return Cut(found.tobytes(), image.dtype, found.shape, image.pixel_sizes)
