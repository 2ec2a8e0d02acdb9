"""Writes TIFFs as all readers take them: strips of rows, no tiles, no predictor, classic wherever 4 GB are enough.

ImageJ by itself reads nothing else. Only one strip is in memory at a time.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable

from node.colours import palette

STRIP_BYTES = 2**18
# Offsets of classic TIFF have 32 bits; the lists of strips are written last.
CLASSIC_BYTES = 2**32 - 2**26

Array = Any  # numpy's, whose types Python 3.9 can't all write


@dataclass(frozen=True)
class Look:
    """How a TIFF is written: compressed by deflate or not; in gray (None), or with colours for classes, of which
    `objects` are those of objects."""

    compressed: bool = False
    objects: tuple[int, ...] | None = None


@dataclass(frozen=True)
class Pixels:
    """What goes into one TIFF: `shape` (pages, y, x).

    `rows(step)` gives them once more whenever it is called: pieces of `step` rows of a page, its last one shorter.
    `said`: its description, such as the OME-XML of another TIFF of these pixels.
    """

    shape: tuple[int, int, int]
    dtype: str
    rows: Callable[[int], Iterator[Array]]
    said: bytes


class _TooLarge(Exception):
    """Classic TIFF can't hold it."""


def write_tiff(path: Path, pixels: Pixels, look: Look, limit: int = CLASSIC_BYTES) -> bool:
    """Write a TIFF; return whether it had to be a BigTIFF, as it would have more than `limit` bytes.

    How far pixels can be compressed shows only when they are: what turns out too large is begun anew.
    """
    if look.compressed or math.prod(pixels.shape) * _item_bytes(pixels) < limit:
        try:
            _write(path, pixels, look, limit)
            return False
        except _TooLarge:
            path.unlink()
    _write(path, pixels, look, None)
    return True


def _item_bytes(pixels: Pixels) -> int:
    import numpy

    return int(numpy.dtype(pixels.dtype).itemsize)


def _write(path: Path, pixels: Pixels, look: Look, limit: int | None) -> None:
    import numpy
    import tifffile

    pages, rows, columns = pixels.shape
    step = max(1, min(rows, STRIP_BYTES // max(1, columns * _item_bytes(pixels))))
    # Beside the strips themselves two numbers of each are listed.
    strips = pages * -(-rows // step)
    room = None if limit is None else limit - 16 * strips - 4096 * pages
    coloured = look.objects is not None and pixels.dtype == "uint8"
    dtype = numpy.dtype(pixels.dtype).newbyteorder("<")

    def encoded() -> Iterator[bytes]:
        written = 0
        for piece in pixels.rows(step):
            strip = numpy.ascontiguousarray(piece, dtype).tobytes()
            if look.compressed:
                strip = zlib.compress(strip)
            written += len(strip)
            if room is not None and written > room:
                raise _TooLarge
            yield strip

    with tifffile.TiffWriter(path, bigtiff=limit is None, byteorder="<") as tiff:
        tiff.write(
            encoded(),
            shape=pixels.shape,
            dtype=dtype,
            photometric="palette" if coloured else "minisblack",
            colormap=numpy.array(palette(look.objects or ()), numpy.uint16) if coloured else None,
            compression="zlib" if look.compressed else None,
            rowsperstrip=step,
            description=pixels.said,
            metadata=None,
            software="ilastik",
        )
