"""Which compressions of HDF5 can be read: by ilastik itself, or by the node, which writes a plain copy for it; pure."""

from __future__ import annotations

from collections.abc import Iterable

# deflate, shuffle, fletcher32, szip, nbit, scale-offset and lzf come with ilastik's HDF5.
ILASTIKS = frozenset({1, 2, 3, 4, 5, 6, 32000})
# The package hdf5plugin of the node's Python has these; names as people know them.
NODES = {307: "bzip2", 32001: "Blosc", 32004: "LZ4", 32008: "bitshuffle", 32013: "ZFP", 32015: "Zstandard"}
NODES |= {32017: "SZ", 32024: "SZ3", 32026: "Blosc2", 32028: "SPERR"}
_UNREADABLE = {305: "LZO", 32002: "MAFISC", 32003: "Snappy", 32019: "JPEG"}


def name_of(code: int, label: str) -> str:
    """Name a filter for people; `label` is what the file calls it."""
    return NODES.get(code) or _UNREADABLE.get(code) or label or "unknown"


def need_a_plain_copy(codes: Iterable[int]) -> bool:
    """Return whether ilastik can't read what these filters have written."""
    return not ILASTIKS.issuperset(codes)
