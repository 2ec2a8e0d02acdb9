"""What is measured of objects, summed up from the runs of their pixels: of any numbers that runs have."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

Array = Any  # numpy's, whose types Python 3.9 can't all write


@dataclass(frozen=True)
class Objects:
    """The components, in the order of their first pixel; N of them, in an image of C channels.

    `pixels` (N), `first` and `last` (N x 3: the least and the greatest z, y, x), `sums` (N x 3: of z, y, x),
    `intensity_sums`, `intensity_min`, `intensity_max` (N x C).
    """

    pixels: Array
    first: Array
    last: Array
    sums: Array
    intensity_sums: Array
    intensity_min: Array
    intensity_max: Array

    @property
    def centroids(self) -> Array:
        """The means of z, y, x (N x 3), as floats."""
        return self.sums / self.pixels[:, None]

    @property
    def intensity_means(self) -> Array:
        """The means of each channel (N x C), as floats."""
        return self.intensity_sums / self.pixels[:, None]


class Labelled:
    """Takes bands of rows whose objects are numbered already; `objects` says what they were."""

    def __init__(self, channels: int) -> None:
        self._channels = channels
        self._measured: list[tuple[Array, Objects]] = []

    def add(self, labels: Array, intensities: Array, z: int, row: int) -> None:
        """Take a band: the number of each pixel's object (rows x columns; 0 for none), intensities (the same x C)."""
        stride = labels.shape[1] + 1
        padded = np.zeros((labels.shape[0], stride), labels.dtype)
        padded[:, :-1] = labels
        flat = padded.ravel()
        # A run begins where the number changes, and ends where it does.
        edges = np.flatnonzero(np.diff(flat, prepend=flat.dtype.type(0)))
        start, stop = edges, np.append(edges[1:], flat.size)
        is_object = flat[start] > 0
        start, stop = start[is_object], stop[is_object]
        if start.size:
            self._measured.append(measure(z, row, start, stop, stride, intensities, flat[start].astype(np.int64)))
            if len(self._measured) > 256:
                self._measured = [summed(self._measured)]

    def objects(self) -> Objects:
        """Return the objects in the order of their numbers."""
        return summed(self._measured)[1] if self._measured else nothing(self._channels)


def measure(
    z: int, row: int, start: Array, stop: Array, stride: int, intensities: Array, number: Array
) -> tuple[Array, Objects]:
    """Measure each run, and sum up by number. `start` and `stop` are those on the band's own flat axis."""
    rows, x, end = start // stride, start % stride, stop - start + start % stride
    y, pixels = rows + row, stop - start
    # Without the pixel that the band's rows have more: the flat axis of the intensities.
    bounds = np.stack([start - rows, stop - rows], axis=1).ravel()
    flat = intensities.reshape(-1, intensities.shape[2])
    exact = flat.dtype.kind in "biu" and flat.dtype.itemsize < 8
    kind = np.int64 if exact else np.float64
    flat = np.concatenate([flat.astype(kind), np.zeros((1, flat.shape[1]), kind)])
    planes = np.full(start.size, z)
    of_runs = Objects(
        pixels=pixels,
        first=np.stack([planes, y, x], axis=1),
        last=np.stack([planes, y, end - 1], axis=1),
        sums=np.stack([planes * pixels, y * pixels, (x + end - 1) * pixels // 2], axis=1),
        intensity_sums=np.add.reduceat(flat, bounds)[::2],
        intensity_min=np.minimum.reduceat(flat, bounds)[::2],
        intensity_max=np.maximum.reduceat(flat, bounds)[::2],
    )
    return summed([(number, of_runs)])


def summed(parts: list[tuple[Array, Objects]]) -> tuple[Array, Objects]:
    """Join what was measured of the same numbers; return the numbers in their order, and one object for each."""
    number = np.concatenate([part[0] for part in parts])
    order = np.argsort(number, kind="stable")
    numbers, first = np.unique(number[order], return_index=True)

    def joined(name: str, join: Any) -> Array:
        return join.reduceat(np.concatenate([getattr(part[1], name) for part in parts])[order], first)

    return numbers, Objects(
        pixels=joined("pixels", np.add),
        first=joined("first", np.minimum),
        last=joined("last", np.maximum),
        sums=joined("sums", np.add),
        intensity_sums=joined("intensity_sums", np.add),
        intensity_min=joined("intensity_min", np.minimum),
        intensity_max=joined("intensity_max", np.maximum),
    )


def nothing(channels: int) -> Objects:
    """Return the table without objects."""
    places, values = np.empty((0, 3), np.int64), np.empty((0, channels), np.int64)
    return Objects(np.empty(0, np.int64), places, places, places, values, values, values)
