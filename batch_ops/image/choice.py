"""Which of a file's datasets is the image: the one of the training images, or the only one that looks like one. Pure.

No image: what has two axes, one of at most four values (tables, lookup tables), what is no plain number, a thumbnail, a
mask or labels by its name, the lower levels of a pyramid, and the pieces of a virtual dataset. Such things are passed
over, and named, where something else is left; a dataset that is alone is taken whatever it looks like, and judged.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

CHOSEN_BY_TRAINING = "it is where the training images of its project are"
_LEAST = 5  # pixels along both axes of a plane: what is smaller is a table
_NUMBER = re.compile(r"\d+")
_PREVIEW = re.compile(r"(?<![a-z])(thumb(nail)?s?|previews?|icons?)(?![a-z])", re.IGNORECASE)
_MASK = re.compile(
    r"(?<![a-z])(masks?|labels?|segmentations?|annotations?|ground_?truth|predictions?|probabilit(y|ies)|luts?|palette"
    r"|colou?rmap)(?![a-z]|[ _-]?(free|input|raw|image))",
    re.IGNORECASE,
)
# Where MATLAB keeps what its cells hold.
_CELLS = "#refs#/"
_NUMBERS = re.compile(r"(bool|u?int\d+|float\d+)")
_SUFFIX = re.compile(r"(_\d+)+")


@dataclass(frozen=True)
class DatasetEntry:
    """One dataset of a file; `shape` is () where it is not known, as its values are in other files.

    `sources`: the addresses of those that a virtual dataset takes its values from.
    """

    path: str
    shape: tuple[int, ...]
    dtype: str
    address: int = 0
    sources: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Choice:
    """`candidates`: indices of the datasets that could be the image; one if it is clear. `because`: why it is that one.

    `passed_over`: what is no candidate, in words.
    """

    candidates: tuple[int, ...]
    because: str = ""
    passed_over: tuple[str, ...] = ()
    by_training: bool = False


def choose(entries: Sequence[DatasetEntry], trained: set[int]) -> Choice:
    """Choose among a file's datasets; `trained` are the addresses of those at the paths of the training images."""
    chosen = tuple(index for index, entry in enumerate(entries) if entry.address in trained and _numbers(entry))
    if len(chosen) == 1:
        others = (f"{other.path} ({_by(other)})" for index, other in enumerate(entries) if index != chosen[0])
        return Choice(chosen, CHOSEN_BY_TRAINING, tuple(others), True)
    reasons: tuple[Callable[[DatasetEntry], str], ...] = (_structure, _name)
    for count in range(len(reasons), -1, -1):
        why = [next(filter(None, (reason(entry) for reason in reasons[:count])), "") for entry in entries]
        if not all(why):
            break
    left = [index for index, reason in enumerate(why) if not reason]
    for index in left:
        base = next((entries[other] for other in left if is_lower_level(entries[index], entries[other])), None)
        if base is not None:
            why[index] = f"a lower level of {base.path}"
    because = "nothing else in it looks like an image"
    for whole in (entries[index] for index in left if not why[index]):
        pieces = [index for index in left if entries[index].address in whole.sources]
        if _is_put_together(whole, [entries[index] for index in pieces]):
            because = "it is put together from the others that look like images"
            for index in pieces:
                why[index] = f"a piece of {whole.path}"
    passed = tuple(f"{entry.path} ({reason})" for entry, reason in zip(entries, why) if reason)
    candidates = tuple(index for index, reason in enumerate(why) if not reason)
    return Choice(candidates, because, passed)


def named(entries: Sequence[DatasetEntry]) -> list[str]:
    """Name those datasets that look like images."""
    return [f"{entry.path} ({_by(entry)})" for entry in entries if not (_structure(entry) or _name(entry))]


def _is_put_together(whole: DatasetEntry, pieces: Sequence[DatasetEntry]) -> bool:
    """Return whether a virtual dataset is as large as its sources together, which are these: none is cut or missing."""
    own = {piece.address for piece in pieces}
    values = sum(math.prod(piece.shape) for piece in pieces)
    return len(own) > 1 and own == whole.sources and math.prod(whole.shape) == values


def is_preview(path: str) -> bool:
    """Return whether its name says that something is a thumbnail, a mask or the like."""
    return bool(_PREVIEW.search(path) or _MASK.search(path))


def is_table(entry: DatasetEntry) -> bool:
    """Return whether a dataset can only be meant where there is nothing else, by its type and its shape."""
    return bool(_structure(entry))


def _structure(entry: DatasetEntry) -> str:
    if not _numbers(entry):
        return f"holds {entry.dtype}"
    long_axes = [size for size in entry.shape if size > 1]
    if entry.shape and len(long_axes) <= 2 and sum(size >= _LEAST for size in long_axes) < 2:
        return f"a table of {_by(entry)}"
    return ""


def _name(entry: DatasetEntry) -> str:
    if _PREVIEW.search(entry.path):
        return "a thumbnail"
    if entry.path.startswith(_CELLS):
        return "of a cell array"
    return "a mask or labels" if entry.dtype == "bool" or _MASK.search(entry.path) else ""


def _numbers(entry: DatasetEntry) -> bool:
    return _NUMBERS.fullmatch(entry.dtype) is not None


def is_lower_level(small: DatasetEntry, large: DatasetEntry) -> bool:
    """Return whether one dataset is another one at a lower resolution, by its path and its shape.

    The paths differ in one name, by a larger number (`1/cells` of `0/cells`) or by factors (`Data_2_2_2` of `Data`);
    each side is the other's divided by a whole number, rounded either way.
    """
    if small.dtype != large.dtype or len(small.shape) != len(large.shape) or not small.shape:
        return False
    paths = small.path.split("/"), large.path.split("/")
    differ = [(a, b) for a, b in zip(*paths) if a != b]
    if len(paths[0]) != len(paths[1]) or len(differ) != 1 or not _is_numbered_after(*differ[0]):
        return False
    factors = [round(b / a) if a else 0 for a, b in zip(small.shape, large.shape)]
    fits = all(
        factor >= 1 and a in (b // factor, -(-b // factor)) for factor, a, b in zip(factors, small.shape, large.shape)
    )
    return fits and max(factors) > 1


def _is_numbered_after(name: str, other: str) -> bool:
    if name.startswith(other) and _SUFFIX.fullmatch(name[len(other) :]):
        return True
    numbers = _NUMBER.findall(name), _NUMBER.findall(other)
    if _NUMBER.sub("0", name) != _NUMBER.sub("0", other):
        return False
    return [int(n) for n in numbers[0]] > [int(n) for n in numbers[1]]


def _by(entry: DatasetEntry) -> str:
    return " x ".join(map(str, entry.shape)) if entry.shape else "in another file"
