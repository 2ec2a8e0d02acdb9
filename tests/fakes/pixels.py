"""Pixels of images that nobody has to write."""

import asyncio
import math

import numpy as np

from batch_ops.domain.errors import CannotCut
from batch_ops.image.boxes import Box
from batch_ops.image.facts import CUT_LIMITS, CheckLimits
from batch_ops.image.training_file import Cut
from batch_ops.ports.services import RangeReader
from batch_ops.task.run_plan import ImageDescription


def pixels_like(image: ImageDescription) -> np.ndarray:
    """The pixels of such an image, no two beside each other alike."""
    return (np.arange(math.prod(image.shape)) % 251).astype(image.dtype).reshape(image.shape)


class FakePixels:
    """Port `PixelSource`: whatever is in the file, its image has `pixels_like` it."""

    def __init__(self) -> None:
        self.limits: list[CheckLimits] = []
        self.fault: CannotCut | None = None
        self.may_end = asyncio.Event()
        self.may_end.set()

    async def cut(
        self, reader: RangeReader, image: ImageDescription, box: Box, limits: CheckLimits = CUT_LIMITS
    ) -> Cut:
        self.limits.append(limits)
        await self.may_end.wait()
        if self.fault:
            raise self.fault
        await reader.read(0, 1)
        found = pixels_like(image)[tuple(slice(*ends) for ends in box)]
        return Cut(found.tobytes(), image.dtype, found.shape, image.pixel_sizes)
