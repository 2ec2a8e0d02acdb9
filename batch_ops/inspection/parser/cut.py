"""What runs in the process that cuts a box of pixels out of a hostile file: confined as the parser is."""

from __future__ import annotations

import base64
import importlib
import io
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import IO, Any, cast

import h5py
import numpy
import tifffile

from batch_ops.image.axistags import own_sizes
from batch_ops.image.dialects import tiff
from batch_ops.image.dialects.read_file import parts_of, read_file
from batch_ops.image.filters import name_of, need_a_plain_copy
from batch_ops.image.readings import PLAIN_READER
from batch_ops.image.stored_values import own_dataset
from batch_ops.image.views import Part
from batch_ops.inspection.parser import entry
from batch_ops.inspection.parser.block_file import BlockFile, ShortFile
from batch_ops.inspection.parser.cut_tiff import cut_tiff

Fetch = Callable[[int, int], bytes]
_MAX_OBJECTS = 2_000
with suppress(ImportError):
    # On import it registers more compressions; whoever needs none of them can do without.
    importlib.import_module("hdf5plugin")


def cut(job: dict[str, Any], head: bytes, fetch: Fetch) -> dict[str, Any]:
    """Cut pixels out: {"path", "reader", "axes", "shape", "dtype": of the image, "box": [[first, last plus one], ...],
    "size": of the file, "block_bytes": of one read}.

    Whatever the libraries do with a damaged file is one finding: {"finding": "damaged", "detail"}.
    """
    try:
        if head.startswith(tiff.MAGIC):
            with tifffile.TiffFile(cast("IO[bytes]", ShortFile(job["size"], fetch, head, job["block_bytes"]))) as tif:
                return _found(job, cut_tiff(tif, job), tiff.read(tif, job["path"]).get("pixel_sizes", []))
        with h5py.File(BlockFile(job["size"], fetch, head, job["block_bytes"]), "r") as file:
            return _cut_hdf5(file, job)
    except MemoryError:
        return {"finding": "damaged", "detail": "a piece of it needs too much memory"}
    except Exception as exc:  # h5py and tifffile raise nearly every kind for damaged files
        return {"finding": "damaged", "detail": " ".join(f"{type(exc).__name__}: {exc}".split())[:500]}


def _cut_hdf5(file: h5py.File, job: dict[str, Any]) -> dict[str, Any]:
    reader, path, box = job["reader"] or PLAIN_READER, job["path"], [slice(*ends) for ends in job["box"]]
    found = read_file(file, path, _MAX_OBJECTS, reader=reader)
    if (found.get("shape"), found.get("dtype")) != (job["shape"], job["dtype"]):
        raise ValueError(f"'{path}' is not what was segmented")
    if lacking := _lacking(found):
        return {"finding": "compressed", "detail": lacking}
    pixels = numpy.zeros([part.stop - part.start for part in box], job["dtype"])
    for part in parts_of(file, reader, tuple(job["shape"]), path) or (Part(path),):
        if all(here.start <= index < here.stop for index, here in zip(part.at, box, strict=False)):
            source = own_dataset(file, part.path)
            inner = tuple(box[len(part.at) :])
            sizes = zip(source.shape, inner, strict=False)
            if len(source.shape) != len(inner) or any(have < here.stop for have, here in sizes):
                raise ValueError(f"'{part.path}' does not hold what it should")
            values = source[inner]
            at = tuple(index - here.start for index, here in zip(part.at, box, strict=False))
            pixels[at] = values.astype(source.dtype.newbyteorder("=")).view(job["dtype"])
    return _found(job, pixels, _sizes(file, job, found, reader))


def _sizes(file: h5py.File, job: dict[str, Any], found: dict[str, Any], reader: str) -> Any:
    """Return the sizes of pixels: those of its tags, else as far as they stand in the order that their file knows."""
    if found.get("axistags"):
        return own_sizes(own_dataset(file, found["name"]))
    space = "".join(axis for axis in job["axes"] if axis in "zyx")
    return found.get("pixel_sizes", []) if reader != PLAIN_READER or "zyx".endswith(space) else []


def _lacking(found: dict[str, Any]) -> str:
    """Name the compressions that nothing here can undo."""
    codes = [(int(code), str(label)) for code, label in found.get("filters", ()) if need_a_plain_copy([code])]
    return ", ".join(name_of(code, label) for code, label in codes if not h5py.h5z.filter_avail(code))


def _found(job: dict[str, Any], pixels: Any, sizes: Any) -> dict[str, Any]:
    data = base64.b64encode(numpy.ascontiguousarray(pixels, job["dtype"]).tobytes()).decode()
    return {"finding": "pixels", "data": data, "pixel_sizes": [list(size) for size in sizes]}


def warm_up() -> None:
    """Import everything that is imported lazily: a confined process can open no file."""
    entry.warm_up()
    for data, path in _samples():
        job = {"path": path, "reader": "", "axes": "yx", "shape": [64, 64], "dtype": "uint16"}
        found = cut({**job, "box": [[1, 33], [2, 3]], "size": len(data), "block_bytes": 4096}, data, _nothing)
        if found["finding"] != "pixels":
            raise RuntimeError(f"Nothing can be cut out here: {found.get('detail')}")


def _samples() -> Iterator[tuple[bytes, str]]:
    pixels, memory = numpy.zeros((64, 64), "u2"), io.BytesIO()
    with h5py.File(memory, "w") as file:
        file.create_dataset("data", data=pixels, chunks=(16, 16), compression="gzip", shuffle=True)
    yield memory.getvalue(), "data"
    ways: tuple[dict[str, Any], ...] = ({}, {"compression": "zlib", "predictor": True})
    for how in ways:
        memory = io.BytesIO()
        tifffile.imwrite(memory, pixels, photometric="minisblack", **how)
        yield memory.getvalue(), "series0"


def _nothing(_offset: int, _length: int) -> bytes:
    raise OSError("there is nothing to fetch")
