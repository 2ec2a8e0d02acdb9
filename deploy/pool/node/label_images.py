"""Images in which every object has its id as value, in a process of its own: `order` as for `node.measure`.

One multi-page TIFF for each class, as ids begin anew in each; 0 is what is none of its objects. Objects are found as
for the table, and once more to paint them: what is held in memory are some rows, and a number for each object.
"""

from __future__ import annotations

import csv
import math
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from batch_ops.task.objects import CountedClass, ObjectsWanted, labels_name
from node.aside import answer
from node.components import Components
from node.objects import is_splittable
from node.planes import BAND_BYTES, ImagePlanes, Pages
from node.split import labels_of

TILE = 256
_CLASSIC_BYTES = 3.9e9

Array = Any  # numpy's, whose types Python 3.9 can't all write


@dataclass(frozen=True)
class Painter:
    """The objects of one class, painted band by band: TILE rows of a plane, from the first on."""

    image: ImagePlanes
    pages: Pages
    wanted: ObjectsWanted
    one: CountedClass
    dtype: str
    folder: Path

    def bands(self, t: int) -> Iterator[Array]:
        """Yield the ids of each band (rows x columns) of a time point, plane after plane."""
        if self.wanted.split and is_splittable(self.image):
            yield from self._parts(t)
            return
        with self._components() as first:
            for _ in self._runs(first, t):
                pass
            ids = first.ids()
        with self._components() as again:
            for shape, start, stop, number in self._runs(again, t):
                yield _painted(shape, start, stop, ids[number], self.dtype)

    def _components(self) -> Components:
        return Components(self.image.columns, 0, self.image.planes, self.folder)

    def _runs(self, components: Components, t: int) -> Iterator[tuple[tuple[int, int], Array, Array, Array]]:
        """Yield of each band of a time point its shape, and start, stop and number of its runs."""
        last = -1
        for z, row, mask in self.masks(t):
            if z != last:
                components.next_plane()
                last = z
            yield (mask.shape, *components.number(mask, row))

    def masks(self, t: int) -> Iterator[tuple[int, int, Array]]:
        """Yield z, first row and mask of each band."""
        for z in range(self.image.planes):
            page = self.pages.read(t * self.image.planes + z)
            for row in range(0, self.image.rows, TILE):
                yield z, row, page[row : row + TILE] == self.one.label

    def _parts(self, t: int) -> Iterator[Array]:
        import numpy

        whole = numpy.zeros((self.image.planes, self.image.rows, self.image.columns), bool)
        for z, row, mask in self.masks(t):
            whole[z, row : row + TILE] = mask
        labels = labels_of(whole, self.wanted.pixel_size_um or (1.0, 1.0, 1.0))
        for plane in labels:
            for row in range(0, self.image.rows, TILE):
                yield plane[row : row + TILE].astype(self.dtype)


def _painted(shape: tuple[int, int], start: Array, stop: Array, ids: Array, dtype: str) -> Array:
    """Paint runs, which lie on the flat axis of rows that have one pixel more."""
    import numpy

    flat = numpy.zeros(shape[0] * (shape[1] + 1), dtype)
    if start.size:
        length = stop - start
        before = numpy.cumsum(length) - length
        flat[numpy.arange(int(length.sum())) + numpy.repeat(start - before, length)] = numpy.repeat(ids + 1, length)
    return flat.reshape(shape[0], shape[1] + 1)[:, :-1]


def paint(order: dict[str, Any], largest_page: int = BAND_BYTES) -> dict[str, Any]:
    """Paint the objects of every class of the table; return the classes, and pages and axes of their TIFFs.

    Pages of more than `largest_page` bytes are written in tiles.
    """
    wanted = ObjectsWanted.from_json(order["wanted"])
    most = _greatest_ids(Path(order["table"]))
    of_image = Path(order["image"]), order["dataset"], order["axes"], order["read_as"]
    pages = Pages([Path(file) for file in order["files"]], order["pages"])
    folder = Path(order["labels"])
    folder.mkdir(exist_ok=True)
    with ImagePlanes(*of_image) as image:
        sized = ObjectsWanted(wanted.classes, 0, wanted.pixel_size_um or image.pixel_size_um(), wanted.split)
        for one in wanted.classes:
            greatest = most.get(one.label, 0)
            painter = Painter(image, pages, sized, one, _type_for(greatest), folder)
            painted = _write(folder.parent / labels_name(one.label), painter, largest_page)
            if painted != greatest:
                raise ValueError(f"{painted} objects of class {one.label} were painted where the table has {greatest}")
        pages.close()
        axes = ("t" if image.times > 1 else "") + image.space
        return {"classes": [one.label for one in wanted.classes], "pages": image.times * image.planes, "axes": axes}


def _greatest_ids(table: Path) -> dict[int, int]:
    """Return the greatest id of each class."""
    most: dict[int, int] = {}
    with table.open(encoding="utf-8", newline="") as file:
        rows = csv.reader(file)
        columns = next(rows)
        of_class, of_id = columns.index("class"), columns.index("id")
        for row in rows:
            label = int(row[of_class])
            most[label] = max(most.get(label, 0), int(row[of_id]))
    return most


def _type_for(greatest: int) -> str:
    return "uint8" if greatest < 2**8 else "uint16" if greatest < 2**16 else "uint32"


def _write(path: Path, painter: Painter, largest_page: int) -> int:
    """Write the TIFF of one class, page by page or, where a page is large, tile by tile; return the greatest id."""
    import numpy
    import tifffile

    image, greatest = painter.image, 0
    shape = (image.times, image.planes, image.rows, image.columns)
    tiled = image.rows * image.columns * 4 > largest_page

    def bands() -> Iterator[Array]:
        nonlocal greatest
        for t in range(image.times):
            for band in painter.bands(t):
                greatest = max(greatest, int(band.max()))
                yield band

    def tiles() -> Iterator[Array]:
        for band in bands():
            for column in range(0, image.columns, TILE):
                tile = numpy.zeros((TILE, TILE), painter.dtype)
                part = band[:, column : column + TILE]
                tile[: part.shape[0], : part.shape[1]] = part
                yield tile

    def planes() -> Iterator[Array]:
        found, rows = bands(), range(0, image.rows, TILE)
        for _ in range(image.times * image.planes):
            yield numpy.concatenate([next(found) for _ in rows])

    huge = math.prod(shape) * numpy.dtype(painter.dtype).itemsize > _CLASSIC_BYTES
    with tifffile.TiffWriter(path, bigtiff=huge, ome=True) as tiff:
        tiff.write(
            tiles() if tiled else planes(),
            shape=shape,
            dtype=painter.dtype,
            photometric="minisblack",
            compression="zlib",
            tile=(TILE, TILE) if tiled else None,
            metadata={"axes": "TZYX"},
        )
    return greatest


if __name__ == "__main__":
    sys.exit(answer(paint))
