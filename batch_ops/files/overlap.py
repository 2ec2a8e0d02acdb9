"""How much two segmentations of one image agree: pixels by class in the one and in the other, at each time point."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from batch_ops.domain.errors import IlastikBatchError

_CLASSES = 256
# Of a page so many pixels at once: the pairs take eight bytes each.
_PIXELS_AT_ONCE = 2**22


class CannotCompare(IlastikBatchError):
    """Why two segmentations can't be compared, as half a sentence."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """Of one class: its pixels before and after, and those that have it both times."""

    before: int = 0
    after: int = 0
    both: int = 0

    def __add__(self, other: "Agreement") -> "Agreement":
        return Agreement(self.before + other.before, self.after + other.after, self.both + other.both)

    @property
    def dice(self) -> float | None:
        """Twice the pixels of both, divided by all that have the class; None where none has."""
        return 2 * self.both / (self.before + self.after) if self.before + self.after else None


def agreement(
    before: Sequence[tuple[Path, int]], after: Sequence[tuple[Path, int]], times: int
) -> list[dict[int, Agreement]]:
    """Compare TIFFs, each with the number of its pages, in their order: for each time point, the classes that it has.

    Raises `CannotCompare`; ImportError where numpy or tifffile is not installed.
    """
    import numpy as np

    numbers = [sum(pages for _, pages in files) for files in (before, after)]
    if numbers[0] != numbers[1] or numbers[0] % times:
        raise CannotCompare(f"one has {numbers[0]} pages and the other {numbers[1]}, at {times} time points")
    found = np.zeros((times, _CLASSES, _CLASSES), np.int64)
    try:
        for index, (old, new) in enumerate(zip(_pages(before), _pages(after), strict=True)):
            for one, other in _pieces(old, new):
                both = np.bincount(one.astype(np.int64) * _CLASSES + other, minlength=_CLASSES**2)
                found[index * times // numbers[0]] += both.reshape(_CLASSES, _CLASSES)
    except (OSError, ValueError, IndexError) as exc:
        raise CannotCompare(f"a TIFF can't be read ({exc})") from exc
    return [
        {
            label: Agreement(int(joint[label].sum()), int(joint[:, label].sum()), int(joint[label, label]))
            for label in range(_CLASSES)
            if joint[label].any() or joint[:, label].any()
        }
        for joint in found
    ]


def _pages(files: Sequence[tuple[Path, int]]) -> Iterator[Any]:
    """Read page after page; one file is open at a time."""
    import tifffile

    for file, pages in files:
        with tifffile.TiffFile(file) as tiff:
            for index in range(pages):
                yield tiff.pages[index].asarray()


def _pieces(one: Any, other: Any) -> Iterator[tuple[Any, Any]]:
    if one.shape != other.shape or one.dtype != "uint8" or other.dtype != "uint8":
        raise CannotCompare(f"their pages are {one.dtype} {one.shape} and {other.dtype} {other.shape}")
    one, other = one.ravel(), other.ravel()
    for first in range(0, one.size, _PIXELS_AT_ONCE):
        yield one[first : first + _PIXELS_AT_ONCE], other[first : first + _PIXELS_AT_ONCE]
