"""The planes of all time points along one axis, for a classifier that was trained in 2D: t after t, in each all z.

ilastik takes time points one by one, so that axis is t to it. Standard library only: h5py comes with the datasets.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Tuple, Union

# An attribute of such a dataset: how many planes each time point has.
PLANES_OF_EACH_TIME = "planes_of_each_time"
_CHUNK_BYTES = 2**20

Place = Tuple[Union[int, slice], ...]


class JoinedPlanes:
    """A new dataset (t * z, and the other axes as they are) that takes pixels as one of all `axes` would."""

    def __init__(self, file: Any, name: str, axes: str, shape: Sequence[int], dtype: str) -> None:
        import numpy

        size = dict(zip(axes, shape))
        self.shape, self.dtype = tuple(shape), numpy.dtype(dtype)
        self._axes, self._times, self._planes = axes, size["t"], size["z"]
        rest = [size[axis] for axis in axes if axis not in "tz"]
        room, chunks = _CHUNK_BYTES // self.dtype.itemsize, []
        for length in reversed(rest):
            chunks.append(max(1, min(length, room)))
            room //= chunks[-1]
        joined, chunks = (self._times * self._planes, *rest), [1, *reversed(chunks)]
        self._data = file.create_dataset(name, joined, dtype, chunks=tuple(chunks))
        self.attrs = self._data.attrs
        self.attrs[PLANES_OF_EACH_TIME] = self._planes

    def __setitem__(self, place: Place, values: Any) -> None:
        """Store a block: for each axis an index or a slice, all of those left out; `values` has those of the slices."""
        at = {axis: place[number] if number < len(place) else slice(None) for number, axis in enumerate(self._axes)}
        rest = tuple(at[axis] for axis in self._axes if axis not in "tz")
        sliced = [axis for axis, part in at.items() if isinstance(part, slice)]
        times, planes = _indices(at["t"], self._times), _indices(at["z"], self._planes)
        for number_t, t in enumerate(times):
            for number_z, z in enumerate(planes):
                of = {"t": number_t, "z": number_z}
                plane = values[tuple(of.get(axis, slice(None)) for axis in sliced)]
                if plane.any():
                    self._data[(t * self._planes + z, *rest)] = plane


def _indices(part: int | slice, length: int) -> range:
    return range(*part.indices(length)) if isinstance(part, slice) else range(part, part + 1)
