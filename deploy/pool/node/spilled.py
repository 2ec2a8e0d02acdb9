"""What is measured of objects, of more than fit into memory: rows of numbers in a file without a name, in buckets.

Numbers that turn out to be of one object are joined when all is known. A number is only ever joined to a lesser one,
and only once: so its objects are summed up bucket by bucket from the greatest numbers down, each handing to lower ones
what belongs there. In memory are one bucket and what was not yet written.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from node.measured_objects import Array, Objects, nothing, summed

# Held in memory of objects before they are written, and of a bucket: several times as much while it is summed up.
HELD_BYTES = int(os.environ.get("COUNT_HELD_BYTES") or 16 * 2**20)
# A file smaller than this stays in memory.
_SMALL_FILE_BYTES = 4 * 2**20
_PLACES = 10  # numbers of an object beside its intensities


class Buckets:
    """Rows of whole numbers (int64), those whose first is less than `size` in bucket 0, and so on."""

    def __init__(self, folder: Path, width: int, size: int) -> None:
        self._file = tempfile.SpooledTemporaryFile(_SMALL_FILE_BYTES, dir=str(folder))  # noqa: SIM115 - until `close`
        self._width, self._size = width, size
        self._parts: dict[int, list[tuple[int, int]]] = {}

    def add(self, rows: Array) -> None:
        """Write rows (N x width) that are in the order of their first numbers."""
        bucket = rows[:, 0] // self._size
        for part in np.split(rows, np.flatnonzero(np.diff(bucket)) + 1):
            if len(part):
                position = self._file.seek(0, os.SEEK_END)
                self._parts.setdefault(int(part[0, 0]) // self._size, []).append((position, len(part)))
                self._file.write(part.tobytes())

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def take(self, bucket: int) -> Iterator[Array]:
        """Yield the rows of a bucket as they were written, part after part; it is empty from then on."""
        for position, count in self._parts.pop(bucket, []):
            self._file.seek(position)
            yield np.frombuffer(self._file.read(count * self._width * 8), np.int64).reshape(count, self._width)


class SpilledObjects:
    """Takes what was measured of numbers, in any parts, and which of them are one; `folder` is for its files."""

    def __init__(self, channels: int, folder: Path, held_bytes: int = HELD_BYTES) -> None:
        self._channels, self._folder = channels, folder
        width = 1 + _PLACES + 3 * channels
        self._most = max(16, held_bytes // (8 * width))
        self._kind: Array = np.dtype(np.int64)
        self._held: list[tuple[Array, Objects]] = []
        self._joins: list[Array] = []
        self._objects, self._joined, self._whole = (Buckets(folder, n, self._most) for n in (width, 2, width))

    def close(self) -> None:
        """Let go of the files."""
        for kept in (self._objects, self._joined, self._whole):
            kept.close()

    def add(self, number: Array, objects: Objects) -> None:
        """Take what was measured of numbers; they may come again."""
        self._held.append((number, objects))
        if len(self._held) > 256 or sum(held.size for held, _ in self._held) > self._most:
            self._held = [summed(self._held)]
            if self._held[0][0].size > self._most // 2:
                self._write()

    def join(self, numbers: Array, lesser: Array) -> None:
        """Note to which lesser number each of these belongs; each comes only once, and never again as the lesser."""
        self._joins.append(np.stack([numbers, lesser], axis=1))
        if len(self._joins) > 256 or sum(map(len, self._joins)) > self._most:
            self._write_joins()

    def _write(self) -> None:
        for number, objects in self._held:
            self._objects.add(self._rows(number, objects))
        self._held = []

    def _write_joins(self) -> None:
        if self._joins:
            rows = np.concatenate(self._joins)
            self._joined.add(rows[np.argsort(rows[:, 0])])
            self._joins = []

    def objects(self, count: int) -> Iterator[Objects]:
        """Yield what was measured of numbers below `count`, joined, in the order of their least; once only."""
        self._held = [summed(self._held)] if self._held else []
        self._write()
        self._write_joins()
        buckets = range(-(-count // self._most))
        for bucket in reversed(buckets):
            found = self._summed(bucket)
            if found is None:
                continue
            numbers, objects = found
            base = bucket * self._most
            numbers, objects = summed([(self._least(bucket)[numbers - base], objects)])
            rows = self._rows(numbers, objects)
            whole = int(np.searchsorted(numbers, base))
            self._objects.add(rows[:whole])
            self._whole.add(rows[whole:])
        for bucket in buckets:
            for rows in self._whole.take(bucket):
                yield self._read(rows)[1]

    def ids(self, count: int) -> Array:
        """Return the object of each number below `count`, from 0 in the order of their least: a file that is mapped."""
        if not count:
            return np.empty(0, np.uint32)
        self._write_joins()
        with tempfile.TemporaryFile(dir=self._folder) as file:
            ids = np.memmap(file, np.uint32, "w+", shape=(count,))
        known = 0
        for base in range(0, count, self._most):
            own = np.arange(base, min(base + self._most, count))
            least = self._least(base // self._most)[: own.size]
            is_first = least == own
            fresh = known + np.cumsum(is_first) - 1
            is_here = least >= base
            found = np.empty(own.size, np.uint32)
            found[is_here] = fresh[least[is_here] - base]
            found[~is_here] = ids[least[~is_here]]
            ids[base : base + own.size] = found
            known += int(np.count_nonzero(is_first))
        return ids

    def _summed(self, bucket: int) -> tuple[Array, Objects] | None:
        held: list[tuple[Array, Objects]] = []
        for rows in self._objects.take(bucket):
            held.append(self._read(rows))
            if sum(number.size for number, _ in held) > 2 * self._most:
                held = [summed(held)]
        return summed(held) if held else None

    def _least(self, bucket: int) -> Array:
        """Return for each number of a bucket the least of its object in this bucket, or one to hand it to below."""
        base = bucket * self._most
        least = np.arange(base, base + self._most)
        for rows in self._joined.take(bucket):
            least[rows[:, 0] - base] = rows[:, 1]
        while True:
            is_here = least >= base
            further = least.copy()
            further[is_here] = least[least[is_here] - base]
            if (further == least).all():
                return least
            least = further

    def _rows(self, number: Array, objects: Objects) -> Array:
        values = (objects.intensity_sums, objects.intensity_min, objects.intensity_max)
        self._kind = values[0].dtype
        bits = (np.ascontiguousarray(value).view(np.int64) for value in values)
        return np.concatenate(
            [number[:, None], objects.pixels[:, None], objects.first, objects.last, objects.sums, *bits], axis=1
        )

    def _read(self, rows: Array) -> tuple[Array, Objects]:
        if not len(rows):
            return rows[:, 0], nothing(self._channels)
        places, bits = rows[:, 1 : 1 + _PLACES], rows[:, 1 + _PLACES :]
        sums, least, most = (np.ascontiguousarray(part).view(self._kind) for part in np.split(bits, 3, axis=1))
        return rows[:, 0], Objects(places[:, 0], places[:, 1:4], places[:, 4:7], places[:, 7:10], sums, least, most)
