"""Inside the parser: small values of an HDF5 file, as plain Python; behind hard links only, and in this file only."""

from __future__ import annotations

import math
from typing import Any

import h5py
import numpy

from batch_ops.image.links import text_of
from batch_ops.image.read_dataset import plain_storage
from batch_ops.image.virtual import sources_of

MAX_VALUE_BYTES = 64 * 1024
_MOST_CHARACTERS = 1_000


def names_in(group: Any) -> list[str]:
    """List the names in a group, sorted."""
    names: list[bytes] = []
    group.links.iterate(names.append)
    return sorted(text_of(name) for name in names)


def item_at(group: Any, path: str) -> Any:
    """Open the object behind hard links; None if there is none."""
    item = group
    for part in path.split("/"):
        name = part.encode("utf-8", "surrogateescape")
        if not isinstance(item, h5py.h5g.GroupID) or not item.links.exists(name):
            return None
        if item.links.get_info(name).type != h5py.h5l.TYPE_HARD:
            return None
        item = h5py.h5o.open(item, name)
    return item


def own_dataset(file: Any, path: str) -> Any:
    """Open a dataset of this very file: no link leads out of it. Raises ValueError."""
    item = item_at(h5py.h5g.open(file.id, b"/"), path)
    is_dataset = isinstance(item, h5py.h5d.DatasetID)
    if not is_dataset or item.get_create_plist().get_external_count() or sources_of(item).fault:
        raise ValueError(f"it has no pixels of its own at '{path}'")
    return h5py.Dataset(item)


def group_at(group: Any, path: str) -> Any:
    """Open a group; None if there is none."""
    item = item_at(group, path)
    return item if isinstance(item, h5py.h5g.GroupID) else None


def value_at(group: Any, path: str, limit: int = MAX_VALUE_BYTES) -> Any:
    """Read a dataset as h5py gives it; None if there is none, or if it is larger than `limit` bytes."""
    item = item_at(group, path)
    if not isinstance(item, h5py.h5d.DatasetID) or not plain_storage(item):
        return None
    dataset = h5py.Dataset(item)
    if dataset.size is None or dataset.nbytes > limit:
        return None
    return dataset[()]


def number_attribute(group: Any, name: str) -> float | None:
    """Read an attribute that is one number, or a text of one, in whatever way it is stored."""
    try:
        value = _attribute(group, name)
        written = text_attribute(group, name)
        number = float(value.item() if written is None else written)
    except (TypeError, ValueError, AttributeError):
        return None
    return number if math.isfinite(number) else None


def text_attribute(group: Any, name: str) -> str | None:
    """Read an attribute that is one text, or an array of its characters, as Imaris writes them."""
    value = _attribute(group, name)
    if value is None or value.dtype.kind not in "SOU" or value.size > _MOST_CHARACTERS:
        return None
    pieces = texts(value.reshape(-1))
    return "".join(pieces or []).strip() if pieces is not None else None


def texts_attribute(item: Any, name: str) -> list[str] | None:
    """Read an attribute that is a row of texts, or one."""
    value = _attribute(item, name)
    if value is None or value.dtype.kind not in "SOU" or value.size > _MOST_CHARACTERS:
        return None
    return texts(value.reshape(-1))


def numbers_attribute(item: Any, name: str) -> list[float] | None:
    """Read an attribute that is a row of finite numbers."""
    found = numbers(_attribute(item, name))
    return found if found is not None and all(map(math.isfinite, found)) else None


def _attribute(item: Any, name: str) -> Any:
    """Read a small attribute as an array; None if there is none."""
    raw = name.encode()
    if not h5py.h5a.exists(item, raw):
        return None
    attribute = h5py.h5a.open(item, raw)
    if attribute.get_storage_size() > MAX_VALUE_BYTES or attribute.get_space().get_simple_extent_npoints() < 1:
        return None
    holder = h5py.Group(item) if isinstance(item, h5py.h5g.GroupID) else h5py.Dataset(item)
    return numpy.asarray(holder.attrs[name])


def text(value: Any) -> str | None:
    """Return the value if it is a text."""
    return text_of(value) if isinstance(value, (bytes, str)) else None


def texts(value: Any) -> list[str] | None:
    """Return the texts of an array of them."""
    if getattr(value, "ndim", 0) != 1:
        return None
    return [text_of(item) for item in value if isinstance(item, (bytes, str))]


def numbers(value: Any) -> list[float] | None:
    """Return the numbers of an array of them."""
    if getattr(value, "ndim", 0) != 1 or value.dtype.kind not in "iufb":
        return None
    return [float(item) for item in value]
