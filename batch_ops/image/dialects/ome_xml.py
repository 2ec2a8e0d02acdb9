"""Inside the parser: what the OME-XML of a TIFF says of its images: sizes, and which page holds which plane. Pure.

It is as hostile as the file: a document with a type declaration, and so with entities, is refused, and so is one that
maps no page to a plane, two to one, or a plane to another file.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any
from xml.parsers import expat

MAX_CHARACTERS = 16 * 2**20
_MOST_IMAGES = 1_000
_MOST_PLANES = 10_000_000
_ORDERS = frozenset({"XYZCT", "XYZTC", "XYCZT", "XYCTZ", "XYTCZ", "XYTZC"})


class OmeError(ValueError):
    """Why it can't be used, as the end of a sentence."""


class ElsewhereError(OmeError):
    """Some of its planes, or what describes them, are in another file, whose name this is."""


@dataclass
class OmeImage:
    """One image: its attributes, those of its Pixels, and of each TiffData with the file that it names."""

    name: str = ""
    pixels: dict[str, str] = field(default_factory=dict)
    samples: list[str] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    data: list[dict[str, str]] = field(default_factory=list)

    def size(self, axis: str) -> int:
        """Return how long the image is along an axis. Raises `OmeError`."""
        return _whole(self.pixels.get(f"Size{axis.upper()}", ""), 1)

    def pixel_sizes(self) -> list[list[Any]]:
        """Return [axis, size, unit] for each axis of space that says it."""
        found = []
        for axis in "zyx":
            try:
                size = float(self.pixels.get(f"PhysicalSize{axis.upper()}", ""))
            except ValueError:
                continue
            if math.isfinite(size) and 0 < size < 1e12:
                found.append([axis, size, self.pixels.get(f"PhysicalSize{axis.upper()}Unit", "µm")[:40]])
        return found

    def channels_of_page(self) -> int:
        """Return how many channels lie in one page. Raises `OmeError`."""
        return max([1, *(_whole(text or "1", 1) for text in self.samples)])

    def pages(self) -> list[int]:
        """Return the number of the page of each plane, in the order t, z, c. Raises `OmeError`."""
        order = self.pixels.get("DimensionOrder", "")
        if order not in _ORDERS:
            raise OmeError(f"it has no order of dimensions but '{order[:20]}'")
        sizes = {"Z": self.size("z"), "T": self.size("t"), "C": -(-self.size("c") // self.channels_of_page())}
        count = sizes["Z"] * sizes["T"] * sizes["C"]
        if count > _MOST_PLANES:
            raise OmeError(f"it declares {count:,} planes")
        steps, step = {}, 1
        for axis in order[2:]:
            steps[axis], step = step, step * sizes[axis]
        pages = [-1] * count  # by the place of a plane in the order of dimensions
        for data in self.data or [{}]:
            at = sum(_whole(data.get(f"First{axis}", "0"), 0) * steps[axis] for axis in "ZTC")
            first = _whole(data.get("IFD", "0"), 0)
            rest = count - at if "IFD" not in data and len(self.data) <= 1 else 1
            planes = _whole(data.get("PlaneCount", str(rest)), 0)
            if any(_whole(data.get(f"First{axis}", "0"), 0) >= sizes[axis] for axis in "ZTC") or at + planes > count:
                raise OmeError("it describes a plane beyond the image")
            for number in range(planes):
                if pages[at + number] not in (-1, first + number):
                    raise OmeError("it describes a plane twice")
                pages[at + number] = first + number
        if -1 in pages:
            raise OmeError(f"{pages.count(-1)} of its {count} planes are in no page")
        places = (
            t * steps["T"] + z * steps["Z"] + c * steps["C"]
            for t in range(sizes["T"])
            for z in range(sizes["Z"])
            for c in range(sizes["C"])
        )
        return [pages[place] for place in places]


def parse(text: str) -> list[OmeImage]:
    """List the images of a file. Raises `OmeError`, `ElsewhereError`."""
    if len(text) > MAX_CHARACTERS:
        raise OmeError("it is too long")
    reader = _Reader()
    try:
        reader.parser.Parse(text.encode("utf-8", "replace"), True)
    except expat.ExpatError as exc:
        raise OmeError(f"it is no XML ({expat.errors.messages[exc.code]})") from exc
    if reader.elsewhere:
        raise ElsewhereError(reader.elsewhere)
    if not reader.images:
        raise OmeError("it describes no image")
    return reader.images


class _Reader:
    def __init__(self) -> None:
        self.parser = expat.ParserCreate(namespace_separator=" ")
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._characters
        self.parser.StartDoctypeDeclHandler = self._refuse
        self.images: list[OmeImage] = []
        self.elsewhere = ""
        self._own = ""
        self._text: list[str] | None = None
        self._file = ""

    def _refuse(self, *_: object) -> None:
        raise OmeError("it declares a type of document")

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        name = tag.rpartition(" ")[2]
        if name == "OME":
            self._own = attributes.get("UUID", "")
        elif name == "BinaryOnly":
            self.elsewhere = attributes.get("MetadataFile", "") or "another file"
        elif name == "Image":
            self.images.append(OmeImage(attributes.get("Name", "")))
            if len(self.images) > _MOST_IMAGES:
                raise OmeError(f"it describes more than {_MOST_IMAGES} images")
        elif self.images and name == "Pixels":
            self.images[-1].pixels = attributes
        elif self.images and name == "Channel":
            self.images[-1].samples.append(attributes.get("SamplesPerPixel", ""))
            self.images[-1].names.append(attributes.get("Name", ""))
        elif self.images and name == "TiffData":
            self.images[-1].data.append(attributes)
        elif self.images and name == "UUID":
            self._text, self._file = [], attributes.get("FileName", "")

    def _characters(self, text: str) -> None:
        if self._text is not None:
            self._text.append(text)

    def _end(self, tag: str) -> None:
        if self._text is not None and tag.rpartition(" ")[2] == "UUID":
            if "".join(self._text).strip() != self._own:
                self.elsewhere = self.elsewhere or self._file or "another file"
            self._text = None


def _whole(text: str, least: int) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 12) or int(text) < least:
        raise OmeError(f"'{text[:20]}' is no number of it")
    return int(text)
