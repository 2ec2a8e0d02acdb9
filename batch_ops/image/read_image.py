"""Inside the parser: what an image file holds, as plain findings; decides nothing and reads no pixels.

Every link is looked at before anything behind it is opened; soft and external links are never followed,
as ilastik itself does not when it lists the datasets of a file. `H5Oget_info` and the size of the stored
data are never asked for: both walk the chunk index.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import h5py

# ilastik takes datasets of two to five dimensions for images and ignores all others.
DIMENSIONS = range(2, 6)
NAMES_SHOWN = 5
MAX_AXISTAGS_BYTES = 64 * 1024
_MAX_SOURCES = 1000
_MAX_DEPTH = 100
_SAME_FILE = (".", b".")


@dataclass
class _Found:
    """What the walk through the file has found so far."""

    images: list[tuple[str, Any]]
    links: list[str]
    nulls: list[str]
    objects: int = 0
    complete: bool = True


def read_image(file: h5py.File, internal_path: str | None, max_objects: int) -> dict[str, Any]:
    """Describe one image file: {"finding": kind, ...}, the kinds of `findings`."""
    if internal_path is None:
        found = _walk(file, max_objects)
        if found.nulls:
            return {"finding": "null", "name": found.nulls[0]}
        if len(found.images) > 1:
            return {"finding": "several", **_names(found)}
        if not found.complete:
            return {"finding": "too many", "objects": found.objects}
        if not found.images:
            return {"finding": "none", "names": found.links[:1]}
        return _describe(*found.images[0])
    path = internal_path.strip("/")
    kind, name, dataset = _resolve(file, path)
    if dataset is not None:
        return _describe(path, dataset)
    if kind == "missing":
        return {"finding": kind, "name": name, **_names(_walk(file, max_objects))}
    return {"finding": kind, "name": name}


def _names(found: _Found) -> dict[str, Any]:
    names = sorted(name for name, _ in found.images)
    return {
        "names": names[:NAMES_SHOWN],
        "more": len(names) > NAMES_SHOWN or not found.complete,
    }


def _walk(file: h5py.File, max_objects: int) -> _Found:
    """Find all images of the file, each object once, under the name that comes first (depth first, names in order).

    That is how ilastik lists them too. Stops once there are more images than a sentence can name.
    """
    found = _Found([], [], [])
    root = h5py.h5g.open(file.id, b"/")
    levels = [("", root, iter(_links(root, max_objects + 1)))]
    seen: set[int] = set()
    while levels:
        prefix, group, links = levels[-1]
        name, kind, address = next(links, (None, 0, 0))
        if name is None:
            levels.pop()
            continue
        found.objects += 1
        if found.objects > max_objects or len(levels) > _MAX_DEPTH or len(found.images) > NAMES_SHOWN:
            found.complete = False
            return found
        path = f"{prefix}{text_of(name)}"
        if kind != h5py.h5l.TYPE_HARD:
            found.links.append(path)
            continue
        if address in seen:
            continue
        seen.add(address)
        item = h5py.h5o.open(group, name)
        if isinstance(item, h5py.h5g.GroupID):
            levels.append((f"{path}/", item, iter(_links(item, max_objects + 1))))
        elif isinstance(item, h5py.h5d.DatasetID):
            _sort_in(found, path, item)
    return found


def _sort_in(found: _Found, path: str, dataset: Any) -> None:
    if _foreign_source(dataset) is not None:
        # Asking a virtual dataset for its extent may open its sources.
        found.images.append((path, dataset))
        return
    space = dataset.get_space()
    if space.get_simple_extent_type() == h5py.h5s.NULL:
        found.nulls.append(path)
    elif space.get_simple_extent_ndims() in DIMENSIONS:
        found.images.append((path, dataset))


def _links(group: Any, limit: int) -> list[tuple[bytes, int, int]]:
    """List name, kind and address of the links of a group, at most `limit`."""
    links: list[tuple[bytes, int, int]] = []

    def take(name: bytes, info: Any) -> bool | None:
        links.append((name, info.type, info.u))
        return True if len(links) >= limit else None

    group.links.iterate(take, info=True)
    return links


def _resolve(file: h5py.File, path: str) -> tuple[str, str, Any]:
    """Follow hard links only. Returns ("", path, dataset) or (finding, name of the offending part, None)."""
    group = h5py.h5g.open(file.id, b"/")
    parts = path.split("/")
    for index, part in enumerate(parts):
        here = "/".join(parts[: index + 1])
        name = part.encode("utf-8", "surrogateescape")
        if not part or part in (".", "..") or not group.links.exists(name):
            return "missing", path, None
        kind = group.links.get_info(name).type
        if kind == h5py.h5l.TYPE_EXTERNAL:
            return "external link", here, None
        if kind != h5py.h5l.TYPE_HARD:
            return "soft link", here, None
        item = h5py.h5o.open(group, name)
        if index == len(parts) - 1:
            if isinstance(item, h5py.h5d.DatasetID):
                return "", here, item
            return ("group" if isinstance(item, h5py.h5g.GroupID) else "missing"), here, None
        if not isinstance(item, h5py.h5g.GroupID):
            return "missing", path, None
        group = item
    return "missing", path, None


def _describe(path: str, dataset: Any) -> dict[str, Any]:
    plist = dataset.get_create_plist()
    source = _foreign_source(dataset)
    if source is not None:
        return {"finding": "virtual", "name": path, "source": source}
    if plist.get_external_count() > 0:
        return {"finding": "external storage", "name": path, "source": text_of(plist.get_external(0)[0])}
    space = dataset.get_space()
    if space.get_simple_extent_type() == h5py.h5s.NULL:
        return {"finding": "null", "name": path}
    layout = plist.get_layout()
    filters = [plist.get_filter(index) for index in range(plist.get_nfilters())]
    return {
        "finding": "dataset",
        "name": path,
        "shape": [int(n) for n in space.get_simple_extent_dims()],
        "dtype": _dtype(dataset),
        "item_bytes": int(dataset.get_type().get_size()),
        "offset": dataset.get_offset() if layout == h5py.h5d.CONTIGUOUS else None,
        "filters": [[int(code), text_of(name)] for code, _flags, _values, name in filters],
        **_axistags(dataset),
    }


def plain_storage(dataset: Any) -> bool:
    """Return whether a dataset's values are stored in this file only."""
    plist = dataset.get_create_plist()
    return bool(plist.get_layout() != h5py.h5d.VIRTUAL and plist.get_external_count() == 0)


def _foreign_source(dataset: Any) -> str | None:
    """Return the name of the first other file of a virtual dataset; None for any other dataset."""
    plist = dataset.get_create_plist()
    if plist.get_layout() != h5py.h5d.VIRTUAL:
        return None
    for index in range(min(plist.get_virtual_count(), _MAX_SOURCES)):
        source = plist.get_virtual_filename(index)
        if source not in _SAME_FILE:
            return text_of(source)
    return None if plist.get_virtual_count() <= _MAX_SOURCES else "?"


def _dtype(dataset: Any) -> str:
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


def text_of(name: bytes | str | None) -> str:
    """Make a name valid text: bytes that are not UTF-8 become replacement characters."""
    if name is None:
        return ""
    raw = name if isinstance(name, bytes) else name.encode("utf-8", "surrogateescape")
    return raw.decode("utf-8", "replace").split("\x00", 1)[0]
