"""Sampled Gaussian kernels with the rounding of fastfilters, the filter library of ilastik.

A kernel has 2 r + 1 taps, r = floor(ratio * sigma + 0.5). Only the taps 0..r are kept: orders 0 and 2 are
symmetric, order 1 is antisymmetric. Every step is rounded to float32 as the library's are, because a tap that
is off by one unit moves pixels across a threshold of the forest.
"""

import math
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Kernel:
    """Half a separable kernel: `taps[k]` (float32) weighs the samples at distance k, in pixels."""

    taps: tuple[float, ...]
    odd: bool

    @property
    def radius(self) -> int:
        """Number of taps on each side."""
        return len(self.taps) - 1


def gaussian(order: int, sigma: float, ratio: float) -> Kernel:
    """Return the Gaussian (order 0) or its first or second derivative.

    `sigma` is in pixels, `ratio` the window radius in units of sigma. Order 0 sums to 1; order 1 has
    sum(k x) = 1; order 2 has mean 0 and sum(k x^2) / 2 = 1. A radius of 0 is the identity in every order.
    """
    radius = math.floor(ratio * sigma + 0.5)
    if radius == 0:
        return Kernel(taps=(1.0,), odd=False)
    x = np.arange(radius + 1, dtype=np.float64)
    scale = 1.0 / (math.sqrt(2 * math.pi) * sigma) if order == 0 else -1.0 / (math.sqrt(2 * math.pi) * sigma**3)
    bell = scale * np.exp(x * x * (-0.5 / sigma / sigma))
    if order == 0:
        taps = bell.astype(np.float32)
        total = _both_sides(float(taps[0]), taps)
    elif order == 1:
        taps = (-x * bell).astype(np.float32)
        total = _moment(taps, x)
    else:
        taps = ((1 - (x / sigma) * (x / sigma)) * bell).astype(np.float32)
        mean = _both_sides(float(taps[0]), taps) / (2.0 * radius + 1.0)
        taps = (taps.astype(np.float64) - mean).astype(np.float32)
        total = _moment(taps, x * x / 2)
    taps = (taps.astype(np.float64) / total).astype(np.float32)
    return Kernel(taps=tuple(float(tap) for tap in taps), odd=order == 1)


def _both_sides(centre: float, taps: np.ndarray) -> float:
    """Add a symmetric kernel in double precision, from the centre outwards."""
    total = centre
    for tap in taps[1:]:
        total += 2 * float(tap)
    return total


def _moment(taps: np.ndarray, weights: np.ndarray) -> float:
    """Add taps times weights over both sides, one side after the other at each distance."""
    total = 0.0
    for tap, weight in zip(taps[1:], weights[1:], strict=True):
        total += float(tap) * float(weight)
        total += float(tap) * float(weight)
    return total
