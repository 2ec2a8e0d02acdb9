"""Connected components of one class, plane by plane in bounded memory, with what is measured of each.

Components touch by their faces, as scipy.ndimage.label's do, and have its order: that of their first pixel. A plane
comes in bands of rows, so neither a stack nor a page has to fit into memory, and neither have its objects: what was
measured of them, and the runs of the plane below, are in files. A run is a stretch of pixels of the class within one
row, from `start` until before `stop`, on the flat axis of a plane whose rows have one pixel more than they have: so no
two runs of different rows touch. Runs have numbers in the order of the first pixel that has it; of numbers that meet,
all but the least are joined to that, and not given to runs any more.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from node.measured_objects import Array, Objects, measure
from node.runs_below import Runs, RunsOfPlane
from node.spilled import HELD_BYTES, SpilledObjects

MAX_OBJECTS = 20_000_000


class TooManyObjects(Exception):
    """There are more than MAX_OBJECTS: this is noise, and a table of it would help nobody."""


@dataclass
class _Joins:
    """Which numbers were joined since a plane began, in their order, and to which each belongs by now."""

    numbers: Array = field(default_factory=lambda: np.empty(0, np.int64))
    lesser: Array = field(default_factory=lambda: np.empty(0, np.int64))

    def plus(self, numbers: Array, lesser: Array) -> _Joins:
        """Add joins of numbers that stood for themselves until now; they are in their order."""
        before = _Joins(numbers, lesser).of(self.lesser)
        at = np.searchsorted(self.numbers, numbers)
        return _Joins(np.insert(self.numbers, at, numbers), np.insert(before, at, lesser))

    def of(self, numbers: Array) -> Array:
        """Return what each number belongs to."""
        if not self.numbers.size:
            return numbers
        at = np.minimum(np.searchsorted(self.numbers, numbers), self.numbers.size - 1)
        return np.where(self.numbers[at] == numbers, self.lesser[at], numbers)


class Components:
    """Takes bands of rows in their order, plane by plane; `objects` says what they were.

    `planes`: how many there are. `folder`: for what does not fit into memory, in files without a name.
    """

    def __init__(self, columns: int, channels: int, planes: int, folder: Path, held_bytes: int = HELD_BYTES) -> None:
        self._stride = columns + 1
        self._z = -1
        self._is_stack = planes > 1
        self._above = Runs()  # those of the row above the next band
        self._plane, self._below = RunsOfPlane(folder), RunsOfPlane(folder)
        self._joins, self._joins_below = _Joins(), _Joins()
        self._count = 0
        self._measured = SpilledObjects(channels, folder, held_bytes)

    def __enter__(self) -> Components:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the files."""
        for kept in (self._plane, self._below, self._measured):
            kept.close()

    def next_plane(self) -> None:
        """Begin the next z."""
        self._z += 1
        self._above = Runs()
        self._plane, self._below = self._below, self._plane
        self._plane.clear()
        self._joins, self._joins_below = _Joins(), self._joins

    def add(self, mask: Array, intensities: Array, row: int) -> None:
        """Take a band from this row on: which pixels are of the class (rows x columns), intensities (the same x C)."""
        start, stop, number = self.number(mask, row)
        if start.size:
            self._measured.add(*measure(self._z, row, start, stop, self._stride, intensities, number))

    def number(self, mask: Array, row: int) -> tuple[Array, Array, Array]:
        """Take a band without measuring it; return start and stop of its runs on its own flat axis, and their numbers.

        `ids` knows, after the last band, which numbers belong together; the same bands get the same numbers again.
        """
        local_start, local_stop = _runs(mask, self._stride)
        if not local_start.size:
            self._above = Runs()
            return local_start, local_stop, local_start
        offset = row * self._stride
        start, stop = local_start + offset, local_stop + offset
        end = offset + mask.shape[0] * self._stride
        above, below = self._above, self._below.between(offset, end)
        # Those above are of the band before: none of them was joined since.
        is_now = self._joins.of(self._joins_below.of(below.number))
        numbers, known = np.unique(np.concatenate([above.number, is_now]), return_inverse=True)
        edges = [
            _touching(start, stop, start + self._stride, stop + self._stride),
            _touching(start, stop, above.start + self._stride, above.stop + self._stride),
            _touching(start, stop, below.start, below.stop),
        ]
        runs = start.size
        edges[1][1] = runs + known[: above.start.size][edges[1][1]]
        edges[2][1] = runs + known[above.start.size :][edges[2][1]]
        group = _connected(np.concatenate(edges, axis=1), runs + numbers.size)
        number = self._numbered(group, numbers, runs)
        found = Runs(start, stop, number)
        self._above = found.between(end - self._stride, end)
        if self._is_stack:
            self._plane.add(found)
        return local_start, local_stop, number

    def _numbered(self, group: Array, numbers: Array, runs: int) -> Array:
        """Return the number of each run: the least that its group has already, else a new one, in the runs' order."""
        of_group = np.full(group.max() + 1, np.iinfo(np.int64).max)
        np.minimum.at(of_group, group[runs:], numbers)
        least = of_group[group[runs:]]
        if (joined := least != numbers).any():
            self._measured.join(numbers[joined], least[joined])
            if self._is_stack:
                self._joins = self._joins.plus(numbers[joined], least[joined])
        fresh, first = np.unique(group[:runs], return_index=True)
        is_new = of_group[fresh] == np.iinfo(np.int64).max
        order = np.argsort(first[is_new])
        of_group[fresh[is_new][order]] = self._count + np.arange(order.size)
        self._count += int(order.size)
        if self._count > MAX_OBJECTS:
            raise TooManyObjects(f"there are more than {MAX_OBJECTS:,} objects")
        return of_group[group[:runs]]

    def ids(self) -> Array:
        """Return the component of each number, counted from 0 in the order of their first pixels."""
        return self._measured.ids(self._count)

    def objects(self) -> Iterator[Objects]:
        """Yield the components of all bands in their order, some at a time; once only."""
        return self._measured.objects(self._count)


def _runs(mask: Array, stride: int) -> tuple[Array, Array]:
    """Return start and stop of all runs of a band, on its own flat axis."""
    if not mask.any():
        return np.empty(0, np.int64), np.empty(0, np.int64)
    padded = np.zeros((mask.shape[0], stride), np.int8)
    padded[:, :-1] = mask
    edges = np.flatnonzero(np.diff(padded.ravel(), prepend=np.int8(0)))
    return edges[::2], edges[1::2]


def _touching(start: Array, stop: Array, other_start: Array, other_stop: Array) -> Array:
    """Return the pairs (2 x P: of the runs, of the others) that have a place in common; both are in their order."""
    first = np.searchsorted(other_stop, start, side="right")
    end = np.searchsorted(other_start, stop, side="left")
    found = np.maximum(end - first, 0)
    run = np.repeat(np.arange(start.size), found)
    steps = np.arange(run.size) - np.repeat(np.cumsum(found) - found, found)
    return np.stack([run, np.repeat(first, found) + steps])


def _connected(pairs: Array, count: int) -> Array:
    """Return the group of each of `count` things, of which these pairs belong together."""
    # Pools of before lack it.
    sparse, csgraph = importlib.import_module("scipy.sparse"), importlib.import_module("scipy.sparse.csgraph")
    graph = sparse.coo_array((np.ones(pairs.shape[1], np.int8), (pairs[0], pairs[1])), shape=(count, count))
    return csgraph.connected_components(graph, directed=False)[1].astype(np.int64)
