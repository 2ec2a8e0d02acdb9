"""Joins what the parts of an image became, in a process of its own: `order` as JSON on its input.

{"targets": the TIFFs to make: one, or one for each time point, "sizes": pixels of the whole along t, z, c, y and x,
 "planes": whether ilastik took the planes along z for time points,
 "parts": of each {"files": its TIFFs, "pages": of each of them, "axis", "read", "kept": as in `parts.Region`}}

Only pages are in memory, of which the system keeps what it likes. The TIFFs are laid out as ilastik does.
"""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from node.aside import answer
from node.planes import Pages
from node.write_tiff import CLASSIC_BYTES

# What ilastik writes of an axis along z without a unit, as where it took planes for time points.
_NO_UNIT = "pixel"
Array = Any  # numpy's, whose types Python 3.9 can't all write


def join(order: dict[str, Any]) -> dict[str, Any]:
    """Make the TIFFs of all parts."""
    targets, sizes = [Path(target) for target in order["targets"]], order["sizes"]
    each = len(targets) > 1
    if each and len(targets) != sizes["t"]:
        raise ValueError(f"{sizes['t']} time points can't become {len(targets)} files")
    dtype, said = _like(Path(order["parts"][0]["files"][0]))
    for number, target in enumerate(targets):
        times = range(number, number + 1) if each else range(sizes["t"])
        shape = (len(times), *(sizes[axis] for axis in "zcyx"))
        if order["planes"]:
            # The file says so until its pages are called planes again.
            told = {name.replace("PhysicalSizeZ", "TimeIncrement"): value for name, value in said.items()}
            told["PhysicalSizeZUnit"] = _NO_UNIT
            place = _lay_out(target, (shape[1], shape[0], *shape[2:]), dtype, told).reshape(shape)
        else:
            place = _lay_out(target, shape, dtype, said)
        for part in order["parts"]:
            _fill(place, times, part, sizes)
        place.flush()
    return {}


def _like(file: Path) -> tuple[str, dict[str, Any]]:
    """Return the type of values, and what OME-XML says of the size of pixels and the time between them."""
    import tifffile

    with tifffile.TiffFile(file) as tiff:
        told = tifffile.xml2dict(tiff.ome_metadata)["OME"]["Image"]["Pixels"] if tiff.ome_metadata else {}
        dtype = str(tiff.pages.first.dtype)
    return dtype, {name: value for name, value in told.items() if name.startswith(("PhysicalSize", "TimeIncrement"))}


def _lay_out(target: Path, shape: tuple[int, ...], dtype: str, said: Mapping[str, Any]) -> Array:
    """Write a TIFF of zeros (t, z, c, y, x), and return its pixels as they lie in the file."""
    import numpy
    import tifffile

    kind = numpy.dtype(dtype).newbyteorder("<")
    large = math.prod(shape) * kind.itemsize >= CLASSIC_BYTES
    with tifffile.TiffWriter(target, byteorder="<", ome=True, bigtiff=large) as writer:
        placed = writer.write(
            shape=shape,
            dtype=kind,
            software="ilastik",
            metadata={"axes": "TZCYX", "Pixels": dict(said)},
            returnoffset=True,
        )
    if placed is None:
        raise ValueError(f"a TIFF of {shape} can't be laid out")
    with target.open("r+b") as file:
        # All of its room at once: a full disk is said here, and could not be while it is filled through memory.
        os.posix_fallocate(file.fileno(), 0, target.stat().st_size)
    return numpy.memmap(target, kind, "r+", placed[0], shape)


def _fill(place: Array, times: range, part: Mapping[str, Any], sizes: Mapping[str, int]) -> None:
    """Write the pixels that a part is there for; its halo is left out."""
    read = {axis: range(sizes[axis]) for axis in "tzy"}
    kept = dict(read)
    read[part["axis"]], kept[part["axis"]] = range(*part["read"]), range(*part["kept"])
    wanted = [t for t in kept["t"] if t in times]
    if not wanted:
        return
    first = {axis: inside.start for axis, inside in read.items()}
    rows = slice(kept["y"].start, kept["y"].stop)
    own = slice(rows.start - first["y"], rows.stop - first["y"])
    shape = (len(read["y"]), sizes["x"])
    pages = Pages([Path(file) for file in part["files"]], part["pages"])
    try:
        for t in wanted:
            for z in kept["z"]:
                for c in range(sizes["c"]):
                    index = ((t - first["t"]) * len(read["z"]) + z - first["z"]) * sizes["c"] + c
                    page = pages.read(index)
                    _check(page.shape, shape)
                    place[t - times.start, z, c, rows] = page[own]
    finally:
        pages.close()


def _check(found: Sequence[int], wanted: Sequence[int]) -> None:
    if tuple(found) != tuple(wanted):
        raise ValueError(f"a page of a part has {tuple(found)} pixels instead of {tuple(wanted)}")


if __name__ == "__main__":
    sys.exit(answer(join))
