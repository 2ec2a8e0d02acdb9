"""Inside the parser: the dataset that a pattern of its path names, or those that are one image along t, z or c."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import h5py

from batch_ops.image.links import resolve
from batch_ops.image.patterns import is_pattern, matching, numbers, open_axis
from batch_ops.image.read_dataset import describe
from batch_ops.image.stored_values import names_in
from batch_ops.image.views import Part

READER = "pattern"
NAMES_SHOWN = 5


class Unclear(ValueError):
    """A kind of finding, and the names that it is about."""

    def __init__(self, kind: str, names: tuple[str, ...] = ()) -> None:
        super().__init__(kind)
        self.kind, self.names = kind, names


@dataclass(frozen=True)
class _Way:
    """A way through the file: the names so far, those of an axis by their numbers, and the numbers of the fields."""

    names: tuple[str | dict[int, str], ...] = ()
    axes: str = ""
    known: dict[str, str] = field(default_factory=dict)

    @property
    def first(self) -> str:
        """The path with the first name of each axis."""
        return "/".join(name if isinstance(name, str) else next(iter(name.values())) for name in self.names)


def read_pattern(file: h5py.File, pattern: str) -> dict[str, Any]:
    """Describe the image that a pattern names: {"finding": kind, ...}.

    Of datasets that are stacked the first one is described; whether the others are like it, only the node looks.
    """
    try:
        way = _way(file, pattern)
    except Unclear as unclear:
        shown = unclear.names[:NAMES_SHOWN]
        return {"finding": unclear.kind, "name": pattern, "names": list(shown), "more": len(shown) < len(unclear.names)}
    place = resolve(file, way.first)
    if place.item is None:
        return {"finding": "missing" if place.problem == "group" else place.problem, "name": way.first}
    found = describe(place.path, place.item)
    if found["finding"] != "dataset" or not way.axes:
        return found
    sizes = [len(name) for name in way.names if isinstance(name, dict)]
    whole = {"name": pattern, "shape": [*sizes, *found["shape"]], "offset": None}
    return {**found, **whole, "reader": READER, "stacked": way.axes}


def parts(file: h5py.File, pattern: str) -> Iterator[Part]:
    """Name the datasets of an image that was described so."""
    yield from _parts(file, _way(file, pattern).names, "", ())


def _parts(file: h5py.File, names: tuple[Any, ...], path: str, at: tuple[int, ...]) -> Iterator[Part]:
    if not names:
        # A link inside the file is followed here; what leads elsewhere is left for whoever reads it to refuse.
        place = resolve(file, path)
        yield Part(place.path if place.item is not None else path.strip("/"), at)
        return
    here = names[0]
    if isinstance(here, str):
        yield from _parts(file, names[1:], f"{path}/{here}", at)
        return
    for index, name in enumerate(here.values()):
        yield from _parts(file, names[1:], f"{path}/{name}", (*at, index))


def _way(file: h5py.File, pattern: str) -> _Way:
    """Follow a pattern name by name. Raises `Unclear`."""
    way, left = _Way(), pattern.split("/")
    while left:
        part = left.pop(0)
        if not is_pattern(part):
            way = replace(way, names=(*way.names, part))
            continue
        place = resolve(file, way.first) if way.names else None
        group = h5py.h5g.open(file.id, b"/") if place is None else place.group
        found = matching(part, names_in(group), way.known) if group is not None else []
        axis = open_axis(part, way.known)
        if not found:
            raise Unclear("missing")
        if axis and axis not in way.axes:
            stack = numbers(found, axis)
            if stack is None:
                raise Unclear("gap", tuple(one.name for one in found))
            known = {**way.known, axis: found[0].values[axis]}
            way = _Way((*way.names, stack), way.axes + axis, known)
            continue
        path = f"{way.first}/" if way.names else ""
        further = "/".join(itertools.takewhile(lambda name: not is_pattern(name), left))
        leading = [one for one in found if resolve(file, f"{path}{one.name}/{further}").problem != "missing"] or found
        if len(leading) > 1:
            raise Unclear("several of pattern", tuple("/".join([f"{path}{one.name}", *left]) for one in leading))
        way = _Way((*way.names, leading[0].name), way.axes, {**way.known, **leading[0].values})
    return way
