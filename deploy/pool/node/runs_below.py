"""Runs of the class within the rows of a plane (see `components`), kept for the plane above: in a file if many."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from node.measured_objects import Array

# Fewer stay in memory.
_SMALL_FILE_BYTES = 16 * 2**20


@dataclass(frozen=True)
class Runs:
    """Runs in their order, each with the number of its component."""

    start: Array = field(default_factory=lambda: np.empty(0, np.int64))
    stop: Array = field(default_factory=lambda: np.empty(0, np.int64))
    number: Array = field(default_factory=lambda: np.empty(0, np.int64))

    def between(self, first: int, end: int) -> Runs:
        """Return those that lie from `first` until before `end`."""
        found = slice(*np.searchsorted(self.start, [first, end]))
        return Runs(self.start[found], self.stop[found], self.number[found])


class RunsOfPlane:
    """All runs of a plane, band after band."""

    def __init__(self, folder: Path) -> None:
        self._file = tempfile.SpooledTemporaryFile(_SMALL_FILE_BYTES, dir=str(folder))  # noqa: SIM115 - until `close`
        self._bands: list[tuple[int, int, int]] = []  # first start, last start, number of runs

    def clear(self) -> None:
        """Forget all runs."""
        self._bands = []
        self._file.seek(0)
        self._file.truncate()

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def add(self, runs: Runs) -> None:
        """Take those of the next band."""
        if runs.start.size:
            self._file.seek(0, os.SEEK_END)
            self._file.write(np.stack([runs.start, runs.stop, runs.number]).tobytes())
            self._bands.append((int(runs.start[0]), int(runs.start[-1]), runs.start.size))

    def between(self, first: int, end: int) -> Runs:
        """Return those that lie from `first` until before `end`."""
        position, found = 0, [np.empty((3, 0), np.int64)]
        for begin, last, count in self._bands:
            if begin < end and last >= first:
                self._file.seek(position)
                found.append(np.frombuffer(self._file.read(count * 24), np.int64).reshape(3, count))
            position += count * 24
        return Runs(*np.concatenate(found, axis=1)).between(first, end)
