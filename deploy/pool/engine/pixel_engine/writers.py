"""Writing one input's result, block by block, to files that appear only when all of it is there."""

import contextlib
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Protocol

import numpy as np

from pixel_engine import axes
from pixel_engine.command import Format
from pixel_engine.errors import ExportError
from pixel_engine.export import Output
from pixel_engine.export_hdf5 import Hdf5Dataset
from pixel_engine.export_tiff import MultipageTiff, write_slice
from pixel_engine.inputs import Image


class Writer(Protocol):
    """Takes the blocks of one result, in any order, each pixel once."""

    def write(self, corner: Mapping[str, int], block: np.ndarray) -> None:
        """Write a block (t, z, y, x, c) with its first element at `corner` (by axis, default 0)."""


@contextlib.contextmanager
def open_writer(output: Output, image: Image) -> Iterator[Writer]:
    """Give a writer for the output; raises ExportError where the disk refuses.

    Everything is written under other names, which replace the real ones at the very end; after a failure
    nothing is left behind.
    """
    files = output.files
    # Not made of the files' own names, to which nothing could be added where they are as long as names may be.
    partial = tuple(file.with_name(f".ilastik-{os.getpid()}-{index}.partial") for index, file in enumerate(files))
    _refuse_places(files, image)
    try:
        for directory in {file.parent for file in files}:
            directory.mkdir(parents=True, exist_ok=True)
        if output.format in (Format.HDF5, Format.COMPRESSED_HDF5):
            if files[0].exists():
                shutil.copyfile(files[0], partial[0])
            with Hdf5Dataset(partial[0], output, image.pixel_sizes, image.units) as dataset:
                yield dataset
        else:
            yield _tiff_writer(output, image, partial)
        for temporary, file in zip(partial, files, strict=True):
            temporary.replace(file)
    except OSError as exc:
        raise ExportError(f"The results cannot be written to '{files[0].parent}': {exc}.") from exc
    finally:
        for temporary in partial:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)


def _refuse_places(files: tuple[Path, ...], image: Image) -> None:
    """Refuse what would fail, or do harm, only when the first of the files are in their places."""
    for file in files:
        if file.is_dir():
            raise ExportError(f"The results cannot be written to '{file}': there is a folder of that name.")
        if file.exists() and file.samefile(image.file):
            raise ExportError(f"The results cannot be written to '{file}': that is the input. Name another file.")


def _tiff_writer(output: Output, image: Image, files: tuple[Path, ...]) -> Writer:
    if output.format is Format.TIFF_SEQUENCE:
        return _Slices(output, files)
    if output.format is Format.MULTIPAGE_TIFF_SEQUENCE:
        return _Sequence(output, image, files)
    return MultipageTiff(files[0], output.size, np.dtype(output.dtype), image.pixel_sizes, image.units)


class _Sequence:
    """One multipage file for each step along an axis."""

    def __init__(self, output: Output, image: Image, files: tuple[Path, ...]) -> None:
        self._step = output.step or "t"
        size = {**output.size, self._step: 1}
        self._files = [
            MultipageTiff(file, size, np.dtype(output.dtype), image.pixel_sizes, image.units) for file in files
        ]

    def write(self, corner: Mapping[str, int], block: np.ndarray) -> None:
        """Spread a block over the files it belongs to."""
        axis = axes.INSIDE.index(self._step)
        first = corner.get(self._step, 0)
        for i in range(block.shape[axis]):
            part = np.take(block, [i], axis=axis)
            self._files[first + i].write({**corner, self._step: 0}, part)


class _Slices:
    """One plain image for each step along an axis; collected in memory until a slice is complete."""

    def __init__(self, output: Output, files: tuple[Path, ...]) -> None:
        self._step = output.step or "z"
        # vigra writes the axis that comes first in x, y, z, t as the columns.
        longer = [key for key in output.order if key not in (self._step, "c") and output.size[key] > 1]
        self._rows, self._columns = sorted(longer, key="tzyx".index)
        self._size = output.size
        self._dtype = np.dtype(output.dtype)
        self._files = files
        self._open: dict[int, tuple[np.ndarray, int]] = {}

    def write(self, corner: Mapping[str, int], block: np.ndarray) -> None:
        """Add a block to its slices and write those that are complete."""
        parts = axes.with_order(block, axes.INSIDE, self._step + self._rows + self._columns)
        row, column = corner.get(self._rows, 0), corner.get(self._columns, 0)
        for index, part in enumerate(parts, start=corner.get(self._step, 0)):
            blank = np.zeros((self._size[self._rows], self._size[self._columns]), self._dtype)
            page, done = self._open.pop(index, (blank, 0))
            page[row : row + part.shape[0], column : column + part.shape[1]] = part
            done += part.size
            if done == page.size:
                write_slice(self._files[index], page)
            else:
                self._open[index] = (page, done)


def check_writable(output: Output) -> None:
    """Raise ExportError for results that no writer takes."""
    if output.format is Format.TIFF_SEQUENCE and output.size["c"] > 1:
        raise ExportError("A 'tiff sequence' of probabilities is not supported: use 'multipage tiff' or 'hdf5'.")
