"""Writes the pages of TIFFs as one OME-Zarr: a folder of chunks that Fiji, MoBIE, napari and ilastik open.

NGFF 0.4 (Zarr 2) or 0.5 (Zarr 3), one scale, axes t, c, z, y, x. Standard library and numpy only: what is written is
JSON, and chunks that zlib has packed. A chunk has some MB, so that even a large image is some hundred files, and
nothing but one chunk is in memory. A segmentation is a label image by its own metadata, with the colours of classes.
"""

from __future__ import annotations

import gzip
import itertools
import json
import math
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from node.colours import palette
from node.planes import Pages
from node.write_hdf5 import times_planes_channels

AXES = "tczyx"
CHUNK_BYTES = 16 * 2**20
# Chunks become larger where there would be more of them than this.
MOST_CHUNKS = 400
_TILE = 256
_SCALE = "0"
_LEVEL = 1
_TYPES = {"t": "time", "c": "channel", "z": "space", "y": "space", "x": "space"}

Array = Any  # numpy's, whose types Python 3.9 can't all write


@dataclass(frozen=True)
class ZarrLook:
    """`version` is 0.4 or 0.5, of NGFF. `labels`: the classes of objects, of which () is none known; None for an image
    whose values are no labels."""

    version: str = "0.4"
    labels: tuple[int, ...] | None = None

    @property
    def is_zarr_3(self) -> bool:
        return self.version != "0.4"


def chunks_of(shape: Sequence[int], item_bytes: int, at_once: int = CHUNK_BYTES) -> tuple[int, ...]:
    """Return the shape (t, c, z, y, x) of the chunks of an image: whole planes, and several, where they are small."""
    t, _, z, y, x = shape
    wanted = max(at_once, math.prod(shape) * item_bytes // MOST_CHUNKS)
    plane = y * x * item_bytes
    if plane <= wanted:
        planes = min(z, wanted // plane)
        times = min(t, wanted // (plane * z)) if planes == z else 1
        return (max(1, times), 1, planes, y, x)
    side = max(_TILE, math.isqrt(wanted // item_bytes) // _TILE * _TILE)
    columns = min(x, side)
    rows = min(y, max(_TILE, wanted // (columns * item_bytes) // _TILE * _TILE))
    return (1, 1, 1, rows, columns)


def write_zarr(
    target: Path,
    sources: Sequence[Path],
    planned: tuple[int, ...],
    sizes_um: Mapping[str, float],
    look: ZarrLook,
    at_once: int = CHUNK_BYTES,
) -> None:
    """Write TIFFs of ilastik (one for each time point, or a single one) as a folder.

    `planned`: pages, rows and columns of each. `at_once`: bytes of a chunk, where they are few enough.
    """
    times, planes, channels = times_planes_channels(sources, planned)
    pages = Pages(list(sources), planned[0])
    try:
        dtype = pages.read(0).dtype.newbyteorder("<")
        shape = (times, channels, planes, *planned[1:])
        chunk = chunks_of(shape, dtype.itemsize, at_once)
        _write_metadata(target, shape, chunk, dtype, sizes_um, look)
        _write_chunks(target, pages, shape, chunk, dtype, look)
    finally:
        pages.close()


def _write_chunks(
    target: Path, pages: Pages, shape: tuple[int, ...], chunk: tuple[int, ...], dtype: Any, look: ZarrLook
) -> None:
    import numpy

    _, channels, planes, rows, columns = shape
    for place in itertools.product(*(range(-(-length // step)) for length, step in zip(shape, chunk))):
        first = [index * step for index, step in zip(place, chunk)]
        # A chunk at the end is as large as the others.
        block = numpy.zeros(chunk, dtype)
        times = range(first[0], min(first[0] + chunk[0], shape[0]))
        depth = range(first[2], min(first[2] + chunk[2], planes))
        for t, z in itertools.product(times, depth):
            page = pages.read((t * planes + z) * channels + first[1])
            part = page[first[3] : min(first[3] + chunk[3], rows), first[4] : min(first[4] + chunk[4], columns)]
            block[t - first[0], 0, z - first[2], : part.shape[0], : part.shape[1]] = part
        file = target / _SCALE / "/".join([*(["c"] if look.is_zarr_3 else []), *map(str, place)])
        file.parent.mkdir(parents=True, exist_ok=True)
        data = block.tobytes()
        file.write_bytes(gzip.compress(data, _LEVEL, mtime=0) if look.is_zarr_3 else zlib.compress(data, _LEVEL))


def _write_metadata(
    target: Path,
    shape: tuple[int, ...],
    chunk: tuple[int, ...],
    dtype: Any,
    sizes_um: Mapping[str, float],
    look: ZarrLook,
) -> None:
    (target / _SCALE).mkdir(parents=True)
    said = _said(target, sizes_um, look)
    if look.is_zarr_3:
        _write(target / "zarr.json", {"zarr_format": 3, "node_type": "group", "attributes": {"ome": said}})
        _write(
            target / _SCALE / "zarr.json",
            {
                "zarr_format": 3,
                "node_type": "array",
                "shape": shape,
                "data_type": dtype.name,
                "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": chunk}},
                "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
                "fill_value": 0,
                "codecs": [
                    {"name": "bytes", "configuration": {"endian": "little"}},
                    {"name": "gzip", "configuration": {"level": _LEVEL}},
                ],
                "dimension_names": list(AXES),
                "attributes": {},
            },
        )
        return
    _write(target / ".zgroup", {"zarr_format": 2})
    _write(target / ".zattrs", said)
    _write(
        target / _SCALE / ".zarray",
        {
            "zarr_format": 2,
            "shape": shape,
            "chunks": chunk,
            "dtype": dtype.str,
            "compressor": {"id": "zlib", "level": _LEVEL},
            "fill_value": 0,
            "order": "C",
            "filters": None,
            "dimension_separator": "/",
        },
    )


def _said(target: Path, sizes_um: Mapping[str, float], look: ZarrLook) -> dict[str, Any]:
    """Say axes, sizes of pixels and, of labels, their colours, as NGFF has it."""
    axes = [
        {"name": axis, "type": _TYPES[axis], **({"unit": "micrometer"} if axis in sizes_um else {})} for axis in AXES
    ]
    scale = {"type": "scale", "scale": [float(sizes_um.get(axis, 1.0)) for axis in AXES]}
    image: dict[str, Any] = {
        "name": target.name.partition(".")[0],
        "axes": axes,
        "datasets": [{"path": _SCALE, "coordinateTransformations": [scale]}],
    }
    version = {"version": look.version}
    if look.is_zarr_3:
        said: dict[str, Any] = {**version, "multiscales": [image]}
    else:
        said = {"multiscales": [{**version, **image}]}
    if look.labels is not None:
        colours = [[channel // 257 for channel in of_label] for of_label in zip(*palette(look.labels))]
        listed = [{"label-value": label, "rgba": [*colours[label], 255]} for label in range(1, 256)]
        said["image-label"] = {**({} if look.is_zarr_3 else version), "colors": listed}
    return said


def _write(file: Path, content: Mapping[str, Any]) -> None:
    file.write_text(json.dumps(content, indent=1))
