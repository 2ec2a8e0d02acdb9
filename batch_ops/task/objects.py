"""What is counted in a segmentation, and what was counted: objects of each class at each time point.

An object is a connected component: pixels of one class that touch by their faces; touching cells are one. Pure and
stdlib only, for Python 3.9 and newer: this module travels to the node (see contract.py).
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from batch_ops.task import strict_json
from batch_ops.task.strict_json import check_number, check_text, refuse

OBJECTS_NAME = "objects.csv"
LABELS_FOLDER = "labels"
# It goes with every count.
COMPONENTS = "connected components of the segmentation; touching ones count as one"
PARTS = "connected components of the segmentation, parted by a watershed of the distance to their edge"
DISTANCE = "distance"
# What `in_small` returns fits into one property of a row, which holds 64 KiB of UTF-16.
MAX_SMALL_BYTES = 60_000
UNITS = ("px", "um2", "um3")

_MAX_CLASSES = 255  # a segmentation has one byte a pixel
_MAX_TIMES = 100_000
_MAX_NAME_CHARS = 200


class ObjectsError(ValueError):
    """This is not what the app asks a node to count."""


@dataclass(frozen=True)
class CountedClass:
    """A class whose objects count: its value in the segmentation (1 is the project's first label), and its name."""

    label: int
    name: str


@dataclass(frozen=True)
class ObjectsWanted:
    """What to count; no classes: nothing.

    Smaller objects than `min_size` stand in the table, but do not count. `pixel_size_um` is that along z, y and x in
    micrometres, () where the image has to say it. Sizes are then in um3 (um2 where the image has a single z), else in
    pixels. `split`: DISTANCE parts what touches, "" does not. `label_image`: an image of each class is wanted in which
    every object has its id as value.
    """

    classes: tuple[CountedClass, ...] = ()
    min_size: float = 0.0
    pixel_size_um: tuple[float, ...] = ()
    split: str = ""
    label_image: bool = False

    @property
    def are(self) -> str:
        """What an object is."""
        return PARTS if self.split else COMPONENTS

    def unit(self, planes: int) -> tuple[str, float]:
        """Return the unit of an object's size, and how many of it a pixel has, for a stack of so many planes."""
        if not self.pixel_size_um:
            return "px", 1.0
        z, y, x = self.pixel_size_um
        return ("um3", z * y * x) if planes > 1 else ("um2", y * x)

    def to_json(self) -> str:
        """Write it for a task; "" where nothing is to be counted."""
        values = asdict(self)
        for name in ("split", "label_image"):
            if not values[name]:
                # As older versions wrote it.
                del values[name]
        return json.dumps(values, separators=(",", ":")) if self.classes else ""

    @classmethod
    def from_json(cls, text: str) -> ObjectsWanted:
        """Read what `to_json` wrote, of this version or a later one that adds to it. Raises `ObjectsError`."""
        if not text:
            return cls()
        try:
            found: dict[str, Any] = json.loads(text)
            return cls(
                tuple(CountedClass(int(one["label"]), str(one["name"])) for one in found["classes"]),
                float(found["min_size"]),
                tuple(float(size) for size in found["pixel_size_um"]),
                DISTANCE if found.get("split") == DISTANCE else "",
                found.get("label_image") is True,
            )
        except (ValueError, KeyError, TypeError, RecursionError) as exc:
            raise ObjectsError(f"What to count can't be read: {type(exc).__name__}: {exc}.") from exc


def labels_name(label: int) -> str:
    """Return the name of the label image of a class, below the folder of the results."""
    return f"{LABELS_FOLDER}/class_{label}.tiff"


@dataclass(frozen=True)
class ClassCount:
    """The objects of one class: their number at each time point, and their total size in the unit of the counts."""

    label: int
    name: str
    objects: tuple[int, ...]
    sizes: tuple[float, ...]

    def __post_init__(self) -> None:
        check_number(self.label, "the value of a class", 1, _MAX_CLASSES)
        check_text(self.name, "the name of a class", _MAX_NAME_CHARS)
        if not 1 <= len(self.objects) == len(self.sizes) <= _MAX_TIMES:
            refuse("a class is not counted once for each time point")
        for number in self.objects:
            check_number(number, "a number of objects", 0, 2**53)
        if not all(_is_size(size) for size in self.sizes):
            refuse("a total size is not a number from 0")


@dataclass(frozen=True)
class ObjectCounts:
    """What was counted, for each class; sizes in `unit`. Objects below `min_size` do not count."""

    unit: str
    min_size: float
    classes: tuple[ClassCount, ...]

    def __post_init__(self) -> None:
        if self.unit not in UNITS:
            refuse("the unit of sizes is not known")
        if not _is_size(self.min_size):
            refuse("the least size is not a number from 0")
        if not 1 <= len(self.classes) <= _MAX_CLASSES:
            refuse(f"there must be 1 to {_MAX_CLASSES} counted classes")
        if len({one.label for one in self.classes}) < len(self.classes):
            refuse("a class is counted twice")
        if len({len(one.objects) for one in self.classes}) > 1:
            refuse("the classes are not counted at the same time points")

    @classmethod
    def read(cls, value: object) -> ObjectCounts:
        """Read what `asdict` makes of it. Raises `ManifestError` for anything else."""
        data = strict_json.fields(cls, value, "the counts")
        listed = data["classes"]
        if not isinstance(listed, list) or len(listed) > _MAX_CLASSES:
            refuse("the counted classes are not a short list")
        classes = []
        for one in listed:
            found = strict_json.fields(ClassCount, one, "a counted class")
            if not (isinstance(found["objects"], list) and isinstance(found["sizes"], list)):
                refuse("a class is not counted by time points")
            classes.append(
                ClassCount(found["label"], found["name"], tuple(found["objects"]), tuple(found["sizes"])),
            )
        return cls(data["unit"], data["min_size"], tuple(classes))

    def in_small(self) -> str:
        """Write it for a row, in at most MAX_SMALL_BYTES of UTF-16; "" if it is longer: it stands in OBJECTS_NAME."""
        text = json.dumps(asdict(self), ensure_ascii=False, separators=(",", ":"))
        return text if len(text.encode("utf-16-le")) <= MAX_SMALL_BYTES else ""

    @property
    def least(self) -> str:
        """From which size on objects count, as the end of a phrase; "" where all do."""
        return f" of at least {self.min_size:g} {self.unit}" if self.min_size else ""

    def sentence(self) -> str:
        """Say the numbers in one line: those of a single time point, or the least and the most of several."""
        return "; ".join(f"{one.name}: {_range(one.objects, self.least)}" for one in self.classes)


def _range(numbers: Sequence[int], least: str) -> str:
    if len(numbers) == 1:
        return f"{numbers[0]:,}{least}"
    return f"{min(numbers):,} to {max(numbers):,}{least} at each of {len(numbers):,} time points"


def _is_size(value: object) -> bool:
    return not isinstance(value, bool) and isinstance(value, (int, float)) and math.isfinite(value) and value >= 0
