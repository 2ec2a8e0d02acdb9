"""Inside the parser: what one dataset of a file is, as plain findings; reads no pixels.

`H5Oget_info` and the size of the stored data are never asked for: both walk the chunk index.
"""

from __future__ import annotations

from typing import Any

import h5py

from batch_ops.image.links import text_of
from batch_ops.image.virtual import filters_of, sources_of

MAX_AXISTAGS_BYTES = 64 * 1024


def describe(path: str, dataset: Any) -> dict[str, Any]:
    """Describe a dataset: {"finding": "dataset", ...}, or why its values are not in this file."""
    plist = dataset.get_create_plist()
    sources = sources_of(dataset)
    if sources.fault:
        return {"finding": sources.fault.kind, "name": path, "source": sources.fault.source}
    if plist.get_external_count() > 0:
        return {"finding": "external storage", "name": path, "source": text_of(plist.get_external(0)[0])}
    space = dataset.get_space()
    if space.get_simple_extent_type() == h5py.h5s.NULL:
        return {"finding": "null", "name": path}
    layout = plist.get_layout()
    return {
        "finding": "dataset",
        "name": path,
        "shape": [int(n) for n in space.get_simple_extent_dims()],
        "dtype": dtype_of(dataset),
        "item_bytes": int(dataset.get_type().get_size()),
        "offset": dataset.get_offset() if layout == h5py.h5d.CONTIGUOUS else None,
        "filters": [list(one) for one in [*filters_of(plist), *sources.filters]],
        **_axistags(dataset),
    }


def plain_storage(dataset: Any) -> bool:
    """Return whether a dataset's values are stored in this file only."""
    plist = dataset.get_create_plist()
    return bool(plist.get_layout() != h5py.h5d.VIRTUAL and plist.get_external_count() == 0)


def dtype_of(dataset: Any) -> str:
    """Return numpy's name of a plain number type, else a word for what the values are."""
    kind = dataset.get_type()
    words = {
        h5py.h5t.STRING: "text",
        h5py.h5t.COMPOUND: "compound values",
        h5py.h5t.REFERENCE: "references",
        h5py.h5t.OPAQUE: "opaque values",
        h5py.h5t.VLEN: "lists of varying length",
        h5py.h5t.ARRAY: "arrays",
        h5py.h5t.BITFIELD: "bit fields",
        h5py.h5t.TIME: "times",
    }
    word = words.get(kind.get_class())
    if word is not None:
        return word
    try:
        return str(kind.dtype.name)
    except (TypeError, ValueError):
        return "an unusual kind of number"


def _axistags(dataset: Any) -> dict[str, Any]:
    """Return {"axistags": text or None, "tags_readable": whether the attribute, if there, is one text, "tags_plain"}.

    Plain is a text by itself: ilastik can't read one in an array, nor one with anything after its end.
    """
    if not h5py.h5a.exists(dataset, b"axistags"):
        return {"axistags": None, "tags_readable": True, "tags_plain": True}
    attribute = h5py.h5a.open(dataset, b"axistags")
    unreadable = {"axistags": None, "tags_readable": False, "tags_plain": False}
    if (
        attribute.get_type().get_class() != h5py.h5t.STRING
        or attribute.get_space().get_simple_extent_npoints() != 1
        or attribute.get_storage_size() > MAX_AXISTAGS_BYTES
    ):
        return unreadable
    value = h5py.Dataset(dataset).attrs["axistags"]
    value = value.item() if hasattr(value, "item") else value
    text = text_of(value) if isinstance(value, bytes) else value
    if not isinstance(text, str) or len(text) > MAX_AXISTAGS_BYTES:
        return unreadable
    raw = value.encode("utf-8", "surrogateescape") if isinstance(value, str) else value
    plain = attribute.get_space().get_simple_extent_type() == h5py.h5s.SCALAR and raw.rstrip(b"\0") == text.encode()
    return {"axistags": text, "tags_readable": True, "tags_plain": plain}
