"""Pixels of two programs held against each other: every one of them counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Array = Any  # numpy's, whose types Python 3.9 can't all write


@dataclass(frozen=True)
class Comparison:
    """So many pixels were compared; so many differ by more than the tolerance; the largest difference of all."""

    pixels: int = 0
    differing: int = 0
    largest: float = 0.0

    def __add__(self, other: Comparison) -> Comparison:
        return Comparison(
            self.pixels + other.pixels, self.differing + other.differing, max(self.largest, other.largest)
        )


def compare(reference: Array, candidate: Array, tolerance: float) -> Comparison:
    """Compare two results; a pixel with several channels counts once.

    Numbers that are none, and results of another shape or type, differ.
    """
    import numpy as np  # only here: a node without it must be able to say so

    pixels = reference.size // (reference.shape[-1] if reference.ndim else 1)
    if reference.shape != candidate.shape or reference.dtype != candidate.dtype or not pixels:
        return Comparison(max(pixels, 1), max(pixels, 1), 0.0)
    differences = np.abs(reference.astype(np.float64) - candidate.astype(np.float64))
    # Written so that what is not a number fails.
    agrees = (differences <= tolerance).all(axis=-1)
    known = differences[np.isfinite(differences)]
    largest = float(known.max()) if known.size else 0.0
    return Comparison(pixels, int(np.count_nonzero(~agrees)), largest)
