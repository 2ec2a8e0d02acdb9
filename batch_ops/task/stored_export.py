"""What a project stores of its export, as ilastik's dialog saved it, and what becomes of an image by it.

ilastik obeys it without a word; the task's copy of a project keeps it only where its configuration says so.
Pure and stdlib only, for Python 3.9 and newer: this module travels to the node (see contract.py).
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

# The fields of StoredExport, by the names under which ilastik stores them.
REGION = {"RegionStart": "region_start", "RegionStop": "region_stop"}
RANGE = {"InputMin": "input_min", "InputMax": "input_max", "ExportMin": "export_min", "ExportMax": "export_max"}
TEXTS = {"ExportDtype": "dtype", "OutputAxisOrder": "axis_order"}
EXPORT_SETTINGS = (*REGION, *RANGE, *TEXTS)

# What ilastik can store as a type, and bytes of one value; OME-TIFF has no whole numbers of 64 bits.
DTYPE_BYTES = {"uint8": 1, "int8": 1, "uint16": 2, "int16": 2, "uint32": 4, "int32": 4, "float32": 4, "float64": 8}
_AXES = "tzyxc"
_WHOLE = (0, -1)
# In this order ilastik looks for the axes in which it computes; channels come last.
_COMPUTED = (
    "yx",
    "xy",
    *map("".join, itertools.permutations("tzyx", 3)),
    *map("".join, itertools.permutations("tzyx")),
)


class StoredExportError(ValueError):
    """An image, or any image, can't be exported as its project stores it; the text follows a subject."""


@dataclass(frozen=True)
class StoredExport:
    """The stored settings; None, "" and () where there is none.

    A region has a number for each axis in which ilastik computes (`computed_axes`), in elements: 0 or -1 as its stop
    is the end. The range of values takes effect where all four numbers are there: `input_min` becomes `export_min`.
    `unreadable`: the name of one that nobody can make sense of.
    """

    region_start: tuple[int, ...] = ()
    region_stop: tuple[int, ...] = ()
    input_min: float | None = None
    input_max: float | None = None
    export_min: float | None = None
    export_max: float | None = None
    dtype: str = ""
    axis_order: str = ""
    unreadable: str = ""

    @property
    def has_effect(self) -> bool:
        """Whether anything is stored that changes what is written."""
        return bool(self.region_start or self.region_stop or self.has_range or self.dtype or self.axis_order)

    @property
    def has_range(self) -> bool:
        """Whether values are spread over another range: in a segmentation they are no numbers of labels then."""
        return None not in (self.input_min, self.input_max, self.export_min, self.export_max)

    def check(self) -> None:
        """Raise StoredExportError for what no image can be exported with."""
        if self.unreadable:
            raise StoredExportError(f"stores something odd as {self.unreadable} for its export")
        if self.dtype and self.dtype not in DTYPE_BYTES:
            raise StoredExportError(f"stores the type '{self.dtype}' for its export, which TIFF files can't have")
        if len(set(self.axis_order)) != len(self.axis_order) or not set(self.axis_order) <= set(_AXES):
            raise StoredExportError(f"stores axes for its export that are none of '{_AXES}': '{self.axis_order}'")

    def ordered_as(self, order: str) -> StoredExport:
        """Return it with this order of axes, where it has none of its own."""
        return replace(self, axis_order=order) if order and not self.axis_order else self

    def cut(self, size: Mapping[str, int]) -> dict[str, tuple[int, int]]:
        """Return (start, stop) along each axis of a result with these sizes; raises StoredExportError."""
        order = computed_axes(size)
        start, stop = self.region_start or (0,) * len(order), self.region_stop or (-1,) * len(order)
        if {len(start), len(stop)} != {len(order)}:
            raise StoredExportError(
                f"stores a region of {max(len(self.region_start), len(self.region_stop))} axes for its export, and "
                f"ilastik computes this image along {len(order)} ({', '.join(order)})"
            )
        found = dict.fromkeys(_AXES, (0, 1))
        for index, axis in enumerate(order):
            first, last = start[index], stop[index]
            found[axis] = (max(first, 0), min(size[axis], size[axis] if last in _WHOLE else last))
            if found[axis][0] >= found[axis][1]:
                raise StoredExportError(
                    f"stores a region for its export, from {first} to {last} along {axis}, that has nothing of this "
                    f"image: it has {size[axis]} there"
                )
        return found

    def order(self, own: Sequence[str], size: Mapping[str, int]) -> str:
        """Return the axes of what is written, if its own are these, and these its sizes; raises StoredExportError."""
        dropped = [axis for axis in _AXES if size[axis] > 1 and self.axis_order and axis not in self.axis_order]
        if dropped:
            raise StoredExportError(
                f"stores the axes '{self.axis_order}' for its export, and this image is longer than 1 along "
                f"{', '.join(dropped)} too"
            )
        return self.axis_order or "".join(own)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> StoredExport:
        """Read what `dataclasses.asdict` made of it and JSON of that, of this version or a later one."""
        known: dict[str, Any] = {field.name: values[field.name] for field in fields(cls) if field.name in values}
        for name in REGION.values():
            known[name] = tuple(known.get(name, ()))
        return cls(**known)

    def __str__(self) -> str:
        """Say what is stored, for people."""
        said = []
        if self.region_start or self.region_stop:
            start, stop = self.region_start or "the beginning", self.region_stop or "the end"
            said.append(f"the region from {start} to {stop}")
        if self.has_range:
            ranges = f"{self.input_min:g} to {self.input_max:g} as {self.export_min:g} to {self.export_max:g}"
            said.append(f"values from {ranges}")
        if self.dtype:
            said.append(f"the type {self.dtype}")
        if self.axis_order:
            said.append(f"the axes {self.axis_order}")
        return ", ".join(said)


NOTHING_STORED = StoredExport()


def computed_axes(size: Mapping[str, int]) -> str:
    """Return the axes in which ilastik computes an image of these sizes, whatever the order of its own."""
    long = {axis for axis in "tzyx" if size[axis] > 1}
    return next(order for order in _COMPUTED if long <= set(order)) + "c"
