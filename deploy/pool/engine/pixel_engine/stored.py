"""Reading what a project stores, from files that anybody may have made.

A few bytes of HDF5 can declare any number of values, or name another file - a pipe, a device - that holds them.
"""

from typing import Any

import h5py

# Storage that is compressed as far as deflate can go holds so many times its bytes.
_TIGHTEST = 1100
_SMALL = 2**20
_LARGE = 2**28


def value_of(item: object, *, large: bool = False) -> Any:
    """Return the whole content of a dataset of at most 1 MB, or 256 MB where it may be large.

    Raises ValueError for anything else: a group, more values than the file can hold, values kept in other files.
    """
    if not isinstance(item, h5py.Dataset):
        raise ValueError(f"{getattr(item, 'name', item)} is not a dataset")
    if item.external or item.is_virtual:
        raise ValueError(f"{item.name} keeps its values in another file")
    size = (item.size or 0) * item.dtype.itemsize
    if size > (_LARGE if large else _SMALL) or size > _SMALL + _TIGHTEST * item.id.get_storage_size():
        raise ValueError(f"{item.name} declares {item.size} values, which no project has")
    return item[()]


def text_of(item: object) -> str:
    """Return the text of a dataset; raises ValueError as `value_of`."""
    return as_text(value_of(item))


def as_text(value: object) -> str:
    """Return a stored text, which h5py gives as bytes."""
    return value.decode("utf-8") if isinstance(value, bytes) else str(value)


def refuse_links_elsewhere(file: h5py.File) -> None:
    """Raise ValueError where the file links to another one, which might be anything."""
    found = file.id.links.visit(lambda name, info: name if info.type == h5py.h5l.TYPE_EXTERNAL else None, info=True)
    if found is not None:
        raise ValueError(f"{as_text(found)} links to another file")
