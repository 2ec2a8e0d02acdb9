"""Inside the parser: where the values of virtual datasets lie, and how they are compressed there.

HDF5 reads whatever their sources name: through a link into another file, and round in a circle until the process dies.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import h5py

from batch_ops.image.links import Place, resolve, text_of

_SAME_FILE = (".", b".")
_MAX_SOURCES = 1000
# Views of views of views; each costs HDF5 a part of its stack.
_MAX_DEPTH = 8


@dataclass(frozen=True)
class Fault:
    """Why the values of a virtual dataset are not in its file, or nowhere: a kind of finding, and the source."""

    kind: str
    source: str


@dataclass(frozen=True)
class Sources:
    """Where a virtual dataset's values are: why they can't be read, else the filters and the chunks of its sources.

    `filters`: (HDF5 filter number, its name in the file). `chunks`: of the first that is stored in chunks.
    `addresses`: of the sources; those of sources that are virtual themselves, too.
    """

    fault: Fault | None = None
    filters: tuple[tuple[int, str], ...] = ()
    chunks: tuple[int, ...] = ()
    addresses: frozenset[int] = frozenset()


def sources_of(dataset: Any) -> Sources:
    """Look at all that a virtual dataset takes its values from; nothing for one that has them itself."""
    if not is_virtual(dataset):
        return Sources()
    search = _Search(h5py.File(h5py.h5i.get_file_id(dataset)))
    fault = search.fault(dataset, ())
    return Sources(fault, tuple(sorted(search.filters)), search.chunks, frozenset(search.seen))


def is_virtual(dataset: Any) -> bool:
    return bool(isinstance(dataset, h5py.h5d.DatasetID) and dataset.get_create_plist().get_layout() == h5py.h5d.VIRTUAL)


def filters_of(plist: Any) -> list[tuple[int, str]]:
    """List the filters of a dataset: number, and name in the file."""
    found = (plist.get_filter(index) for index in range(plist.get_nfilters()))
    return [(int(code), text_of(name)) for code, _flags, _values, name in found]


class _Search:
    """Follows sources, each name and each dataset once."""

    def __init__(self, file: h5py.File) -> None:
        self._file = file
        self.filters: set[tuple[int, str]] = set()
        self.chunks: tuple[int, ...] = ()
        self._places: dict[str, Place] = {}
        self.seen: set[int] = set()

    def fault(self, dataset: Any, above: tuple[int, ...]) -> Fault | None:
        """`above`: the addresses of the datasets on the way here."""
        plist = dataset.get_create_plist()
        if plist.get_virtual_count() > _MAX_SOURCES:
            return Fault("virtual", "?")
        for index in range(plist.get_virtual_count()):
            source = plist.get_virtual_filename(index)
            if source not in _SAME_FILE:
                return Fault("virtual", text_of(source))
            if fault := self._of_source(plist.get_virtual_dsetname(index), above):
                return fault
        return None

    def _of_source(self, source: str, above: tuple[int, ...]) -> Fault | None:
        for name in _names(source):
            if len(self._places) > _MAX_SOURCES:
                return Fault("virtual", "?")
            place = self._places[name] = self._places.get(name) or resolve(self._file, name)
            # HDF5 takes `..` for a name like any other, and follows soft links that are not followed here.
            if place.problem in ("external link", "soft link") or ".." in name.split("/"):
                return Fault("virtual", text_of(name))
            if place.item is None:
                # Read as its fill value; of a row of names, those after it are not looked for.
                return None
            if place.address in above or len(above) > _MAX_DEPTH:
                return Fault("circle", text_of(name))
            if place.address in self.seen:
                continue
            plist = place.item.get_create_plist()
            if plist.get_external_count():
                return Fault("virtual", text_of(name))
            self.filters.update(filters_of(plist))
            if plist.get_layout() == h5py.h5d.CHUNKED:
                self.chunks = self.chunks or tuple(map(int, plist.get_chunk()))
            if is_virtual(place.item) and (fault := self.fault(place.item, (*above, place.address))):
                return fault
            self.seen.add(place.address)
        # A row without an end: what comes after it was not looked at.
        return Fault("virtual", "?") if _is_row(source) else None


def _names(name: str) -> Iterator[str]:
    """List what the name of a source stands for: `%b` is the number of a block, from 0 on, and `%%` a percent sign."""
    parts = [part.split("%b") for part in name.split("%%")]
    for number in range(_MAX_SOURCES if _is_row(name) else 1):
        yield "%".join(str(number).join(part) for part in parts)


def _is_row(name: str) -> bool:
    return any("%b" in part for part in name.split("%%"))
