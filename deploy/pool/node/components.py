"""Connected components of one class, plane by plane in bounded memory, with what is measured of each.

Components touch by their faces, as scipy.ndimage.label's do, and have its order: that of their first pixel. A plane
comes in bands of rows, so neither a stack nor a page has to fit into memory; what grows with the image is only the
table of its objects. A run is a stretch of pixels of the class within one row, from `start` until before `stop`, on
the flat axis of a plane whose rows have one pixel more than they have: so no two runs of different rows touch.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass, field

import numpy as np

from node.measured_objects import Array, Objects, measure, nothing, summed

MAX_OBJECTS = 20_000_000


class TooManyObjects(Exception):
    """There are more than MAX_OBJECTS: this is noise, and a table of it would help nobody."""


@dataclass
class _Runs:
    """Runs of one plane so far, in their order, each with the number of its component."""

    start: Array = field(default_factory=lambda: np.empty(0, np.int64))
    stop: Array = field(default_factory=lambda: np.empty(0, np.int64))
    number: Array = field(default_factory=lambda: np.empty(0, np.int64))

    def plus(self, start: Array, stop: Array, number: Array) -> _Runs:
        joined = np.concatenate
        return _Runs(joined([self.start, start]), joined([self.stop, stop]), joined([self.number, number]))

    def between(self, first: int, end: int) -> _Runs:
        """Return those that lie from `first` until before `end`."""
        found = slice(*np.searchsorted(self.start, [first, end]))
        return _Runs(self.start[found], self.stop[found], self.number[found])


class Components:
    """Takes bands of rows in their order, plane by plane; `objects` says what they were."""

    def __init__(self, columns: int, channels: int) -> None:
        self._stride = columns + 1
        self._channels = channels
        self._z = -1
        self._plane = _Runs()
        self._below = _Runs()
        self._count = 0
        self._same: list[Array] = []  # pairs of numbers of one component
        self._measured: list[tuple[Array, Objects]] = []

    def next_plane(self) -> None:
        """Begin the next z."""
        self._z, self._below, self._plane = self._z + 1, self._plane, _Runs()

    def add(self, mask: Array, intensities: Array, row: int) -> None:
        """Take a band from this row on: which pixels are of the class (rows x columns), intensities (the same x C)."""
        start, stop, number = self.number(mask, row)
        if start.size:
            self._measured.append(measure(self._z, row, start, stop, self._stride, intensities, number))
            if len(self._measured) > 256:
                self._measured = [summed(self._measured)]

    def number(self, mask: Array, row: int) -> tuple[Array, Array, Array]:
        """Take a band without measuring it; return start and stop of its runs on its own flat axis, and their numbers.

        `ids` knows, after the last band, which numbers belong together; the same bands get the same numbers again.
        """
        local_start, local_stop = _runs(mask, self._stride)
        if not local_start.size:
            return local_start, local_stop, local_start
        offset = row * self._stride
        start, stop = local_start + offset, local_stop + offset
        end = offset + mask.shape[0] * self._stride
        above = self._plane.between(offset - self._stride, offset)
        below = self._below.between(offset, end)
        numbers, known = np.unique(np.concatenate([above.number, below.number]), return_inverse=True)
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
        self._plane = self._plane.plus(start, stop, number)
        return local_start, local_stop, number

    def _numbered(self, group: Array, numbers: Array, runs: int) -> Array:
        """Return the number of each run: the least that its group has already, else a new one, in the runs' order."""
        of_group = np.full(group.max() + 1, np.iinfo(np.int64).max)
        np.minimum.at(of_group, group[runs:], numbers)
        least = of_group[group[runs:]]
        if (joined := least != numbers).any():
            self._same.append(np.stack([least[joined], numbers[joined]]))
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
        group = _connected(np.concatenate([np.empty((2, 0), np.int64), *self._same], axis=1), self._count)
        # The least number of a group is that of its first pixel: the groups have the order of their least numbers.
        _, first, dense = np.unique(group, return_index=True, return_inverse=True)
        rank = np.argsort(np.argsort(first))
        return rank[dense]

    def objects(self) -> Objects:
        """Return the components of all bands."""
        if not self._count:
            return nothing(self._channels)
        ids = self.ids()
        return summed([(ids[number], found) for number, found in self._measured])[1]


def _runs(mask: Array, stride: int) -> tuple[Array, Array]:
    """Return start and stop of all runs of a band, on its own flat axis."""
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
