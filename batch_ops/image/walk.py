"""Inside the parser: the datasets of a file and where they are; opens nothing outside of it.

Every link is looked at before anything behind it is opened. A soft link leads to an object of the same file, which the
walk finds by its own name; what an external link leads to is never looked at.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import h5py

from batch_ops.image.choice import DatasetEntry, is_table
from batch_ops.image.links import resolve, text_of
from batch_ops.image.read_dataset import dtype_of
from batch_ops.image.virtual import sources_of

# ilastik takes datasets of two to five dimensions for images and ignores all others.
DIMENSIONS = range(2, 6)
# More than a sentence can name, and enough to tell the levels of pyramids; tables are so many more.
_MAX_ENTRIES = 64
_MAX_DEPTH = 100


@dataclass
class FoundDatasets:
    """What the walk through a file has found: datasets that could be images with their entries, in the same order.

    `away`: links that lead out of the file, or nowhere. `nulls`: datasets without any dimension. `tables`: how many of
    the datasets look like tables; of more of them, which nobody would choose from, nothing is kept.
    """

    datasets: list[Any]
    entries: list[DatasetEntry]
    away: list[str]
    dangling: list[str]
    nulls: list[str]
    objects: int = 0
    tables: int = 0
    complete: bool = True

    @property
    def is_full(self) -> bool:
        """Whether there are more datasets already than anybody could choose from."""
        return len(self.entries) - self.tables >= _MAX_ENTRIES


def walk(
    file: h5py.File, max_objects: int, passed_over: re.Pattern[str] | None = None, known: Iterable[int] = ()
) -> FoundDatasets:
    """Find all datasets of 2 to 5 dimensions, each once, under the name that comes first (depth first, by name).

    That is how ilastik lists them too. Stops once there are more than anybody could choose from. `passed_over`: names
    in the root at which nobody has to look; `known`: the addresses of objects that are known already.
    """
    found = FoundDatasets([], [], [], [], [])
    root = h5py.h5g.open(file.id, b"/")
    top = _links(root, max_objects + 1)
    if passed_over is not None:
        top = [link for link in top if not passed_over.fullmatch(text_of(link[0]))]
    levels = [("", root, iter(top))]
    seen = set(known)
    while levels:
        prefix, group, links = levels[-1]
        name, kind, address = next(links, (None, 0, 0))
        if name is None:
            levels.pop()
            continue
        found.objects += 1
        if found.objects > max_objects or len(levels) > _MAX_DEPTH or found.is_full:
            found.complete = False
            return found
        path = f"{prefix}{text_of(name)}"
        if kind != h5py.h5l.TYPE_HARD:
            _follow(found, file, path)
            continue
        if address in seen:
            continue
        seen.add(address)
        item = h5py.h5o.open(group, name)
        if isinstance(item, h5py.h5g.GroupID):
            levels.append((f"{path}/", item, iter(_links(item, max_objects + 1))))
        elif isinstance(item, h5py.h5d.DatasetID):
            _sort_in(found, path, item, address)
    return found


def _follow(found: FoundDatasets, file: h5py.File, path: str) -> None:
    """Note a link that does not lead to an object of this file."""
    problem = resolve(file, path).problem
    if problem == "external link":
        found.away.append(path)
    elif problem not in ("", "group"):
        found.dangling.append(path)


def _sort_in(found: FoundDatasets, path: str, dataset: Any, address: int) -> None:
    sources = sources_of(dataset)
    if sources.fault:
        # Asking a virtual dataset for its extent may open its sources.
        shape: tuple[int, ...] = ()
    else:
        space = dataset.get_space()
        if space.get_simple_extent_type() == h5py.h5s.NULL:
            found.nulls.append(path)
            return
        if space.get_simple_extent_ndims() not in DIMENSIONS:
            return
        shape = tuple(int(n) for n in space.get_simple_extent_dims())
    entry = DatasetEntry(path, shape, dtype_of(dataset), address, sources.addresses)
    if is_table(entry):
        if found.tables >= _MAX_ENTRIES:
            return
        found.tables += 1
    found.datasets.append(dataset)
    found.entries.append(entry)


def _links(group: Any, limit: int) -> list[tuple[bytes, int, int]]:
    """List name, kind and address of the links of a group, at most `limit`."""
    links: list[tuple[bytes, int, int]] = []

    def take(name: bytes, info: Any) -> bool | None:
        links.append((name, info.type, info.u))
        return True if len(links) >= limit else None

    group.links.iterate(take, info=True)
    return links
