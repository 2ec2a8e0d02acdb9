"""Inside the parser: where a path leads; every link is looked at before anything behind it is opened."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import h5py

_MAX_LINKS = 16


@dataclass(frozen=True)
class Place:
    """Where a path leads: `item` and the hard-linked `path` to it, or `problem`, a kind of finding, at `path`.

    `group`: what is there where it is "group".
    """

    path: str
    item: Any = None
    address: int = 0
    problem: str = ""
    group: Any = None


def resolve(file: h5py.File, path: str) -> Place:
    """Follow a path along hard links and soft links inside the file."""
    root = group = h5py.h5g.open(file.id, b"/")
    parts, followed = _parts(path), 0
    here: list[str] = []
    item, address = None, 0
    while parts:
        part = parts.pop(0)
        shown = "/".join([*here, part])
        name = part.encode("utf-8", "surrogateescape")
        if part == ".." or not isinstance(group, h5py.h5g.GroupID) or not group.links.exists(name):
            return Place(path, problem="soft link" if followed else "missing")
        info = group.links.get_info(name)
        if info.type == h5py.h5l.TYPE_SOFT:
            followed += 1
            target = group.links.get_val(name).decode("utf-8", "surrogateescape")
            if followed > _MAX_LINKS:
                return Place(shown, problem="soft link")
            if target.startswith("/"):
                group, here = root, []
            parts = _parts(target) + parts
            item = group
            continue
        if info.type != h5py.h5l.TYPE_HARD:
            return Place(shown, problem="external link")
        item, address = h5py.h5o.open(group, name), info.u
        here.append(part)
        group = item
    place = "/".join(here)
    if isinstance(item, h5py.h5d.DatasetID):
        return Place(place, item, address)
    if isinstance(item, h5py.h5g.GroupID):
        return Place(place or path, problem="group", group=item)
    return Place(place or path, problem="missing")


def _parts(path: str) -> list[str]:
    return [part for part in path.split("/") if part not in ("", ".")]


def text_of(name: bytes | str | None) -> str:
    """Make a name valid text: bytes that are not UTF-8 become replacement characters."""
    if name is None:
        return ""
    raw = name if isinstance(name, bytes) else name.encode("utf-8", "surrogateescape")
    return raw.decode("utf-8", "replace").split("\x00", 1)[0]
