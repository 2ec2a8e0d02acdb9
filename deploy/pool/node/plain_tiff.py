"""Writes an image as the plain TIFF that every tool reads, in a process of its own: `order` as JSON on its input.

{"image", "dataset", "axes", "read_as": as for `node.measure`, "target": the TIFF to make}

Strips of rows without compression, pages t, z, c (c fastest), with ImageJ's words for the axes; a BigTIFF only where
4 GB are not enough. All pixels are read, so that a damaged image is noticed before a tool makes something of it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from node.aside import answer
from node.planes import BAND_BYTES, ImagePlanes

STRIP_BYTES = 2**18
_CLASSIC_BYTES = 2**32 - 2**26

Array = Any  # numpy's, whose types Python 3.9 can't all write


def write_plain_tiff(order: dict[str, Any]) -> dict[str, Any]:
    """Write it; return its pages."""
    import tifffile

    of_image = Path(order["image"]), order["dataset"], order["axes"], order["read_as"]
    with ImagePlanes(*of_image) as image:
        sizes = image.sizes_um()
        pages = image.times * image.planes * image.channels
        row_bytes = max(1, image.columns * _item_bytes(image))
        step = max(1, min(image.rows, STRIP_BYTES // row_bytes))
        bigtiff = pages * image.rows * row_bytes >= _CLASSIC_BYTES
        with tifffile.TiffWriter(order["target"], bigtiff=bigtiff, byteorder="<") as tiff:
            tiff.write(
                _strips(image, step, row_bytes),
                shape=(pages, image.rows, image.columns),
                dtype=_little(image),
                photometric="minisblack",
                rowsperstrip=step,
                resolution=(1 / sizes["x"], 1 / sizes["y"]) if {"x", "y"} <= set(sizes) else None,
                resolutionunit="NONE",
                description=_said(image, sizes),
                metadata=None,
                software="",
            )
    return {"pages": pages}


def _strips(image: ImagePlanes, step: int, row_bytes: int) -> Iterator[bytes]:
    import numpy

    rows = max(step, BAND_BYTES // row_bytes // step * step)
    for t in range(image.times):
        for z in range(image.planes):
            for c in range(image.channels):
                for row in range(0, image.rows, rows):
                    band = image.read(t, slice(z, z + 1), slice(row, row + rows), c=slice(c, c + 1))[0, :, :, 0]
                    for first in range(0, len(band), step):
                        yield numpy.ascontiguousarray(band[first : first + step], _little(image)).tobytes()


def _said(image: ImagePlanes, sizes: dict[str, float]) -> bytes:
    """Say the axes as ImageJ does."""
    count = image.times * image.planes * image.channels
    lines = ["ImageJ=1.53t", f"images={count}"]
    if count > 1:
        lines += [f"channels={image.channels}", f"slices={image.planes}", f"frames={image.times}", "hyperstack=true"]
        lines += ["mode=grayscale"]
    if sizes:
        lines += ["unit=micron", *([f"spacing={sizes['z']:g}"] if "z" in sizes else [])]
    return "".join(f"{line}\n" for line in lines).encode("ascii")


def _little(image: ImagePlanes) -> Any:
    import numpy

    return numpy.dtype(image.dtype).newbyteorder("<")


def _item_bytes(image: ImagePlanes) -> int:
    return int(_little(image).itemsize)


if __name__ == "__main__":
    sys.exit(answer(write_plain_tiff))
