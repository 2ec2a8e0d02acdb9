"""HDF5 results as ilastik writes them: one dataset in the axis order of the input, with axis tags."""

import json
from collections.abc import Mapping
from pathlib import Path

import h5py
import numpy as np

from pixel_engine import axes
from pixel_engine.command import Format
from pixel_engine.errors import ExportError
from pixel_engine.export import Output

_CHUNK_BYTES = 512_000


class Hdf5Dataset:
    """A dataset, in a new file or one that exists, whose regions may be written in any order."""

    def __init__(self, path: Path, output: Output, pixel_sizes: Mapping[str, float], units: Mapping[str, str]) -> None:
        """Create the dataset, replacing one of that name; `pixel_sizes` are in `units`, absent if unknown."""
        self._path, self._order, size = output.path, output.order, output.size
        dtype = np.dtype(output.dtype)
        compressed = output.format is Format.COMPRESSED_HDF5
        limits = [1 if key in "tc" else size[key] for key in self._order]
        self._file = h5py.File(path, "a")
        try:
            if output.internal_path in self._file:
                del self._file[output.internal_path]
            self._dataset = self._file.create_dataset(
                output.internal_path,
                shape=tuple(size[key] for key in self._order),
                dtype=dtype,
                chunks=_chunk(limits, _CHUNK_BYTES // dtype.itemsize),
                compression="gzip" if compressed else None,
                compression_opts=1 if compressed else None,
            )
        except (KeyError, ValueError, TypeError, OSError, RuntimeError) as exc:
            self._close()
            raise ExportError(
                f"The dataset '{output.internal_path}' cannot be made in '{output.path}': {exc}. Give another "
                "--output_internal_path."
            ) from exc
        attributes = self._dataset.attrs
        attributes["axistags"] = axes.axistags_json(self._order, pixel_sizes)
        attributes["drange"] = (0.0, 1.0)
        attributes["display_mode"] = "grayscale"
        if any(units.values()):
            attributes["axis_units"] = json.dumps(dict(units))
        for index, key in enumerate(self._order):
            self._dataset.dims[index].label = key

    def __enter__(self) -> "Hdf5Dataset":
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        problem = self._close()
        if problem is not None and error is None:
            raise ExportError(f"The results cannot be written to '{self._path}': {problem}.") from problem

    def _close(self) -> Exception | None:
        """Close the file; what there was no room for shows here at the latest."""
        try:
            self._file.close()
        except (OSError, RuntimeError) as exc:
            return exc
        return None

    def write(self, corner: Mapping[str, int], block: np.ndarray) -> None:
        """Write a block (t, z, y, x, c) with its first element at `corner` (by axis, default 0)."""
        block = axes.with_order(block, axes.INSIDE, self._order)
        starts = [corner.get(key, 0) for key in self._order]
        where = tuple(slice(a, a + n) for a, n in zip(starts, block.shape, strict=True))
        try:
            self._dataset[where] = block.astype(self._dataset.dtype, copy=False)
        except (OSError, RuntimeError) as exc:
            raise ExportError(f"The results cannot be written to '{self._path}': {exc}.") from exc


def _chunk(limits: list[int], volume: int) -> tuple[int, ...]:
    """Return a chunk of about `volume` elements, as cubic as the limits allow."""
    sides = dict.fromkeys(range(len(limits)), 1)
    left = volume
    by_size = sorted(range(len(limits)), key=lambda index: limits[index])
    for done, index in enumerate(by_size):
        side = int(left ** (1.0 / (len(limits) - done)) + 0.5)
        sides[index] = max(1, min(side, limits[index]))
        left //= sides[index]
    return tuple(sides[index] for index in range(len(limits)))
