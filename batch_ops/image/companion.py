"""The XML beside an image of BigDataViewer: what its set-ups are, and how large their voxels are. Pure.

It is as hostile as the image: a document with a type declaration, and so with entities, is refused, and so is one that
is too large, too deep or says anything twice.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any
from xml.parsers import expat

from batch_ops.image.readings import Dataset, Images

# The readers whose images have an XML of the same stem beside them.
READERS = frozenset({"bigdataviewer"})
# It holds a transformation for each volume, too.
MAX_BYTES = 16 * 2**20

_PLACE = ("SpimData", "SequenceDescription", "ViewSetups", "ViewSetup")
_MOST_SETUPS = 10_000
_MOST_LEVELS = 50
_MOST_CHARACTERS = 200
_LARGEST_VOXEL = 1e9


def has_companion(found: Dataset | Images) -> bool:
    """Return whether there may be a file beside an image that says more of it."""
    first = found.found[0] if isinstance(found, Images) else found
    return first.reader in READERS


class CompanionError(ValueError):
    """Why it can't be used, as the end of a sentence."""


@dataclass(frozen=True)
class SetUp:
    """One set-up. `shape`: z, y, x in pixels, () where it is not said. `voxel`: (axis, size, unit), likewise.

    `channel`: its id; `others`: the ids of whatever else tells set-ups apart (angle, tile, illumination, ...).
    """

    number: int
    shape: tuple[int, ...] = ()
    voxel: tuple[tuple[str, float, str], ...] = ()
    channel: str = ""
    others: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Companion:
    """What it says of the set-ups, by their number."""

    setups: dict[int, SetUp] = field(default_factory=dict)


def parse(content: bytes) -> Companion:
    """Read it. Raises `CompanionError`."""
    if len(content) > MAX_BYTES:
        raise CompanionError(f"it has more than {MAX_BYTES // 2**20} MB")
    reader = _Reader()
    try:
        reader.parser.Parse(content, True)
    except expat.ExpatError as exc:
        raise CompanionError("it is not well-formed XML") from exc
    setups: dict[int, SetUp] = {}
    for values in reader.setups:
        one = _set_up(values)
        if one.number in setups:
            raise CompanionError(f"it describes set-up {one.number} twice")
        setups[one.number] = one
    if not setups:
        raise CompanionError("it describes no set-ups of BigDataViewer")
    return Companion(setups)


class _Reader:
    """Keeps the texts of each set-up by their path below it."""

    def __init__(self) -> None:
        self.setups: list[dict[str, str]] = []
        self._path: list[str] = []
        self._text: list[str] = []
        self._length = 0
        self.parser: Any = expat.ParserCreate()
        self.parser.StartDoctypeDeclHandler = self._refuse
        self.parser.EntityDeclHandler = self._refuse
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._characters

    def _refuse(self, *_: object) -> None:
        raise CompanionError("it declares a type of its own or entities, which are not read")

    def _start(self, name: str, _attributes: object) -> None:
        if len(self._path) >= _MOST_LEVELS:
            raise CompanionError("it is nested too deep")
        self._path.append(name)
        self._text, self._length = [], 0
        if tuple(self._path) == _PLACE:
            if len(self.setups) >= _MOST_SETUPS:
                raise CompanionError(f"it describes more than {_MOST_SETUPS:,} set-ups")
            self.setups.append({})

    def _end(self, _name: str) -> None:
        if self._inside and self._text:
            key = "/".join(self._path[len(_PLACE) :])
            if key in self.setups[-1]:
                raise CompanionError(f"it says {key[:40]} of a set-up twice")
            self.setups[-1][key] = "".join(self._text).strip()
        self._path.pop()
        self._text, self._length = [], 0

    def _characters(self, text: str) -> None:
        if self._inside and self._length < _MOST_CHARACTERS:
            self._text.append(text[: _MOST_CHARACTERS - self._length])
            self._length += len(text)

    @property
    def _inside(self) -> bool:
        return len(self._path) > len(_PLACE) and tuple(self._path[: len(_PLACE)]) == _PLACE


def _set_up(values: dict[str, str]) -> SetUp:
    number = values.get("id", "")
    if not (number.isascii() and number.isdigit() and len(number) < 6):
        raise CompanionError("one of its set-ups has no number")
    attributes = {key.partition("/")[2]: text for key, text in values.items() if key.startswith("attributes/") and text}
    channel = attributes.pop("channel", "")
    sizes = _numbers(values.get("voxelSize/size", ""))
    unit = values.get("voxelSize/unit", "")[:40]
    fits = bool(sizes) and unit.isprintable() and all(0 < size < _LARGEST_VOXEL for size in sizes)
    shape = tuple(int(size) for size in reversed(_numbers(values.get("size", ""))) if size == int(size))
    return SetUp(
        int(number),
        shape if len(shape) == 3 else (),
        tuple((axis, size, unit) for axis, size in zip("zyx", reversed(sizes))) if fits and unit else (),
        channel,
        tuple(sorted(attributes.items())),
    )


def _numbers(text: str) -> list[float]:
    """Read x, y and z; nothing where there are not three finite numbers."""
    try:
        found = [float(word) for word in text.split()]
    except ValueError:
        return []
    return found if len(found) == 3 and all(map(math.isfinite, found)) else []
