"""What a project says about its export, saved by ilastik's dialog and obeyed without a word.

A region is cut out, values are spread over another range and made another type, axes put into another order. The
command line overrides format, names, type and region, but neither range nor order.
"""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace

import h5py
import numpy as np

from pixel_engine import axes
from pixel_engine.errors import ExportError
from pixel_engine.stored import text_of, value_of
from pixel_engine.writers import Writer

# The names under which the fields of ExportDefaults are stored as texts.
_TEXTS = {
    "OutputFormat": "output_format",
    "OutputFilenameFormat": "filename_format",
    "OutputInternalPath": "internal_path",
    "ExportDtype": "dtype",
    "OutputAxisOrder": "axis_order",
}
_REGION = {"RegionStart": "region_start", "RegionStop": "region_stop"}
_RANGE = {"InputMin": "input_min", "InputMax": "input_max", "ExportMin": "export_min", "ExportMax": "export_max"}


# In this order ilastik looks for the axes of its results, the channels behind them.
_COMPUTED = (
    "yx",
    "xy",
    *map("".join, itertools.permutations("tzyx", 3)),
    *map("".join, itertools.permutations("tzyx")),
)


def computed_order(size: Mapping[str, int]) -> str:
    """Return the axes in which ilastik computes, whatever the order of the image's own: the fewest that hold it."""
    long = {key for key in "tzyx" if size[key] > 1}
    return next(order for order in _COMPUTED if long <= set(order)) + "c"


@dataclass(frozen=True, slots=True)
class ExportDefaults:
    """The stored settings. A region has one number for each axis in which ilastik computes; -1 means the whole."""

    output_format: str = "hdf5"
    filename_format: str = "{dataset_dir}/{nickname}_{result_type}"
    internal_path: str = "exported_data"
    dtype: str | None = None
    axis_order: str | None = None
    region_start: tuple[int, ...] | None = None
    region_stop: tuple[int, ...] | None = None
    input_min: float | None = None
    input_max: float | None = None
    export_min: float | None = None
    export_max: float | None = None

    def region(self, size: Mapping[str, int]) -> dict[str, tuple[int, int]]:
        """Return (start, stop) for each axis of a result of this size, in the order in which it is computed.

        Raises ExportError where nothing is left of it, or it has other axes.
        """
        order = computed_order(size)
        start = self.region_start if self.region_start is not None else (0,) * len(order)
        stop = self.region_stop if self.region_stop is not None else (-1,) * len(order)
        if len(start) != len(order) or len(stop) != len(order):
            raise ExportError(f"The region of the export does not fit a result with the axes '{order}'.")
        found = {}
        for key, first, last in zip(order, start, stop, strict=True):
            found[key] = (max(first, 0), min(size[key], size[key] if last in (0, -1) else last))
            if found[key][0] >= found[key][1]:
                raise ExportError(f"The region of the export has nothing of the axis {key}, which is {size[key]} long.")
        return found

    def cut(self, subregion: tuple[tuple[int, ...], tuple[int, ...]] | None) -> "ExportDefaults":
        """Return the settings with a region of the command line in the place of the stored one."""
        if subregion is None:
            return self
        return replace(self, region_start=subregion[0], region_stop=subregion[1])

    def order(self, own: str, size: Mapping[str, int]) -> str:
        """Return the axes of what is written: the stored ones, else the image's own with the channels.

        Raises ExportError where an axis longer than 1 is missing among the stored ones.
        """
        if self.axis_order is None:
            return own if "c" in own else own + "c"
        if not axes.is_order(self.axis_order):
            raise ExportError(f"The project stores the axis order '{self.axis_order}' for its export, which is none.")
        if dropped := [key for key in axes.INSIDE if size[key] > 1 and key not in self.axis_order]:
            raise ExportError(
                f"The project stores the axis order '{self.axis_order}' for its export, which drops the axes "
                f"{', '.join(dropped)} of the result."
            )
        return self.axis_order

    def converted(self, values: np.ndarray, dtype: str) -> np.ndarray:
        """Spread values over the stored range, if there is a whole one, and make them another type, as numpy does."""
        bounds = (self.input_min, self.input_max, self.export_min, self.export_max)
        if None in bounds:
            return np.asarray(values, dtype)
        low, high, out_low, out_high = (float(bound) for bound in bounds if bound is not None)
        ratio = np.float32((out_high - out_low) / (high - low)) if not np.isclose(high, low) else np.float32(0)
        spread = out_low + (values - low) * ratio
        if np.issubdtype(values.dtype, np.floating) and np.issubdtype(np.dtype(dtype), np.integer):
            spread = np.rint(spread)
        if np.issubdtype(np.dtype(dtype), np.integer):
            # What does not fit wraps around, as it does in ilastik.
            spread = spread.astype(np.int64)
        return spread.astype(dtype)


def read_export(file: h5py.File) -> ExportDefaults:
    """Read the settings of a project; raises ValueError for values that are none.

    Without the version in which they were stored ilastik reads none of them.
    """
    group = file.get("Prediction Export", {})
    if "StorageVersion" not in group:
        return ExportDefaults()
    known: dict[str, object] = {field: text_of(group[name]) for name, field in _TEXTS.items() if name in group}
    for name, field in _REGION.items():
        if name in group:
            known[field] = tuple(int(number) for number in np.atleast_1d(value_of(group[name])))
    known |= {field: float(value_of(group[name])) for name, field in _RANGE.items() if name in group}
    assert known.keys() <= {field.name for field in fields(ExportDefaults)}
    return ExportDefaults(**known)  # type: ignore[arg-type]  # by the names above


class Region:
    """Writes the part of a result that lies inside a region, converted."""

    def __init__(
        self, writer: Writer, export: ExportDefaults, region: Mapping[str, tuple[int, int]], dtype: str
    ) -> None:
        self._writer, self._export, self._region, self._dtype = writer, export, region, dtype

    def write(self, corner: Mapping[str, int], block: np.ndarray) -> None:
        """Write the common part of a block (t, z, y, x, c) and the region, which begins at 0 in the output."""
        inside, place = [], {}
        for axis, key in enumerate(axes.INSIDE):
            begin = corner.get(key, 0)
            first, last = self._region.get(key, (0, begin + block.shape[axis]))
            low, high = max(begin, first), min(begin + block.shape[axis], last)
            if low >= high:
                return
            inside.append(slice(low - begin, high - begin))
            place[key] = low - first
        self._writer.write(place, self._export.converted(block[tuple(inside)], self._dtype))
