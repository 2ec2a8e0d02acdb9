"""What is seen of an image and its segmentation while both are read once: intensities, and pixels of each class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from node.planes import Band, ImagePlanes

_CLASSES = 256
# Of values that are too many to count each one: evenly spread over the image.
_SAMPLES = 2_000_000
# What cameras and converters give at most, where the type could hold more.
_FULL_SCALES = {"uint8": (2**8 - 1,), "uint16": (2**10 - 1, 2**12 - 1, 2**14 - 1, 2**16 - 1)}

Array = Any  # numpy's, whose types Python 3.9 can't all write


@dataclass(frozen=True)
class ChannelSeen:
    """One channel: the 1st, 50th and 99th percentile of its intensities, its greatest one, and the share of it.

    `full_scale`: whether that is the greatest value that a camera or the type of the image gives.
    """

    low: float
    median: float
    high: float
    greatest: float
    share_of_greatest: float
    full_scale: bool


class Seeing:
    """Takes the bands of an image one after the other."""

    def __init__(self, image: ImagePlanes) -> None:
        self._kind = np.dtype(image.dtype)
        self.class_pixels = np.zeros(_CLASSES, np.int64)
        self._counts: Array = None
        if self._kind.kind in "biu" and self._kind.itemsize <= 2:
            self._counts = np.zeros((image.channels, 2 ** (8 * self._kind.itemsize)), np.int64)
        self._values: list[Array] = []
        self._step = max(1, image.times * image.planes * image.rows * image.columns // _SAMPLES)
        self._next = 0

    def add(self, band: Band) -> None:
        """Look at one band."""
        if band.classes is not None and band.classes.dtype == np.uint8:
            _count(self.class_pixels, band.classes.ravel(), 0)
        pixels = band.intensities.reshape(-1, band.intensities.shape[2])
        if self._counts is not None:
            for channel, values in enumerate(pixels.T):
                _count(self._counts[channel], values, self._least)
            return
        self._values.append(pixels[self._next :: self._step].astype(np.float64))
        self._next = (self._next - len(pixels)) % self._step

    @property
    def _least(self) -> int:
        return int(np.iinfo(self._kind).min) if self._kind.kind in "iu" else 0

    def channels(self) -> list[ChannelSeen | None]:
        """Say what the bands were like: None for a channel without a single number."""
        if self._counts is not None:
            return [self._counted(counts) if counts.any() else None for counts in self._counts]
        pixels = np.concatenate(self._values) if self._values else np.empty((0, 0))
        finite = (values[np.isfinite(values)] for values in pixels.T)
        return [_sampled(values) if values.size else None for values in finite]

    def _counted(self, counts: Array) -> ChannelSeen:
        total, sums = int(counts.sum()), np.cumsum(counts)
        low, median, high = (int(np.searchsorted(sums, part * total)) + self._least for part in (0.01, 0.5, 0.99))
        index = int(np.flatnonzero(counts)[-1])
        greatest = index + self._least
        is_full = greatest in _FULL_SCALES.get(self._kind.name, ())
        return ChannelSeen(low, median, high, greatest, float(counts[index] / total), is_full)


def _count(counts: Array, values: Array, least: int) -> None:
    """Add how often each value is there; `counts` begins with that of the `least`."""
    if not values.size:
        return
    first = values.min()
    if first == values.max():
        # What was never written, or holds nothing but background: much of a large image.
        counts[int(first) - least] += values.size
    else:
        counts += np.bincount(values.astype(np.int64) - least, minlength=len(counts))


def _sampled(values: Array) -> ChannelSeen:
    low, median, high = np.percentile(values, (1, 50, 99))
    greatest = values.max()
    share = float((values == greatest).mean())
    return ChannelSeen(float(low), float(median), float(high), float(greatest), share, full_scale=False)
