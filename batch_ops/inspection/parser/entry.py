"""What runs in the parser process: one hostile file, one job, findings as plain values.

The HDF5 library itself is used (h5py), not pyfive, a parser in pure Python, because ilastik uses the same
library: what opens here opens there. Tried with 4,000 copies of a small image with flipped bits: the library
refused 707, pyfive only 460 (it read on where ilastik would have stopped, on a machine paid for); the library
looped forever in 3, pyfive in none; one look cost 0.9 against 1.3 ms, the import 0.18 against 0.38 s. The
loops, crashes and huge allocations are what the confined process is for (`parser/fork_server`), which pure Python
would need as well: its loops are as long as a file says.
"""

from __future__ import annotations

import codecs
import errno
import io
from collections.abc import Callable, Iterator
from typing import IO, Any, cast

import h5py
import numpy
import tifffile

from batch_ops.image.dialects import tiff
from batch_ops.image.dialects.read_file import read_file
from batch_ops.image.read_forests import EXT_PARAM, LEAF, OPTIONS
from batch_ops.image.read_project import read_project
from batch_ops.inspection.parser.block_file import BLOCK_BYTES, BlockFile, ShortFile

Fetch = Callable[[int, int], bytes]


def parse(job: dict[str, Any], head: bytes, fetch: Fetch) -> dict[str, Any]:
    """Do one job: {"kind": "image" | "project", "size": bytes, ...}; "block_bytes": of one read.

    Whatever the library does with a damaged file - it raises nearly every kind of exception - is one finding.
    """
    kind = "damaged"
    try:
        if job["kind"] == "image" and head.startswith(tiff.MAGIC):
            kind = "damaged tiff"
            with tifffile.TiffFile(cast("IO[bytes]", ShortFile(job["size"], fetch, head))) as tif:
                return tiff.read(tif, job["internal_path"])
        blocks = BlockFile(job["size"], fetch, head, job.get("block_bytes", BLOCK_BYTES))
        with h5py.File(blocks, "r") as file:
            if job["kind"] == "project":
                return read_project(file)
            return read_file(file, job["internal_path"], job["max_objects"], trained=job["trained"])
    except MemoryError:
        return {"finding": "memory"}
    except Exception as exc:
        if isinstance(exc, OSError) and exc.errno == errno.EMFILE and exc.filename:
            # A module that `warm_up` does not import: our fault, not the file's.
            raise
        return {"finding": kind, "detail": str(exc) or type(exc).__name__}


def warm_up() -> None:
    """Import everything that h5py and numpy import lazily: a confined parser can open no file."""
    for codec in ("ascii", "utf-8", "latin-1", "utf-16", "utf-32", "unicode_escape"):
        codecs.lookup(codec)
    image = {"internal_path": None, "max_objects": 99, "trained": ["group/data"]}
    tiffs = (("image", image, data) for data in _tiffs())
    for kind, options, data in (("image", image, _image()), ("project", {}, _project()), *tiffs):
        found = parse({"kind": kind, "size": len(data), **options}, data, _nothing)
        if found["finding"].startswith("damaged") or found.get("damage"):
            raise RuntimeError(f"The HDF5 parser does not work here: {found.get('detail') or found['damage']}")


def _image() -> bytes:
    memory = io.BytesIO()
    with h5py.File(memory, "w") as file:
        values = file.create_dataset("group/data", shape=(2, 2), dtype="u1", chunks=(1, 2), compression="gzip")
        values.attrs["axistags"] = '{"axes": []}'
        values.attrs.create("fixed", b"text", dtype="S4")
        file["flags"] = [True, False]
        file["floats"] = [1.5]
        file["table"] = numpy.zeros(2, [("a", "f4"), ("b", "S3")])
        file["link"] = h5py.SoftLink("/group")
    return memory.getvalue()


def _tiffs() -> Iterator[bytes]:
    for how in ({"ome": True}, {"imagej": True, "resolution": (2.0, 2.0)}, {"bigtiff": True}):
        memory = io.BytesIO()
        tifffile.imwrite(memory, numpy.zeros((2, 3, 4), "u1"), photometric="minisblack", **how)
        yield memory.getvalue()


def _project() -> bytes:
    memory = io.BytesIO()
    with h5py.File(memory, "w") as file:
        file["workflowName"] = b"text"
        file["FeatureSelections/FeatureIds"] = [b"one", b"two"]
        file["FeatureSelections/Scales"] = [0.3, 0.7]
        file["FeatureSelections/SelectionMatrix"] = [[True, False]]
        file.create_dataset("PixelClassification/LabelNames", data=["a", "\u00e9"], dtype=h5py.string_dtype())
        file["Input Data/infos/lane0000/Raw Data/shape"] = [1, 2]
        forest = file.create_group("PixelClassification/ClassifierForests/Forest0000")
        forest.attrs["vigra_random_forest_version"] = [0.1]
        for name in (*OPTIONS, *EXT_PARAM):
            forest[f"{'_options' if name in OPTIONS else '_ext_param'}/{name}"] = [1.0]
        forest["Tree_0/topology"] = numpy.array([1, 1, 0, 0, 7, 9, 0, LEAF, 2, LEAF, 2])
        forest["Tree_0/parameters"] = [1.0, 1.0, 1.0, 1.0]
    return memory.getvalue()


def _nothing(_offset: int, _length: int) -> bytes:
    raise OSError("there is nothing to fetch")
