"""Inside the parser: files of BigDataViewer: `t<time>/s<set-up>/0/cells` is one volume (z, y, x) at full resolution.

A set-up is an angle, a channel or a tile: an image by itself. Its 16-bit numbers are unsigned, though stored as signed
ones, unless the file says otherwise.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import h5py

from batch_ops.image.dialects.assembly import damaged, describe_assembled
from batch_ops.image.stored_values import group_at, item_at, names_in, text_attribute
from batch_ops.image.views import Part

READER = "bigdataviewer"
_SETUP = re.compile("s[0-9]{2,5}")
# One volume, or all of a set-up as the path in a configuration names them.
_OPEN = r"\*|\{[a-z]+(?::[0-9]*d)?\}"
_PATH = re.compile(rf"/?(t(?:[0-9]{{5,9}}|{_OPEN}))/(s(?:[0-9]{{2,5}}|{_OPEN}))/([0-9]{{1,3}})/cells")
_SHOWN = 5


def read(file: h5py.File, internal_path: str | None) -> dict[str, Any] | None:
    """Describe the only set-up, or the one that `internal_path` names, its axes t, z, y, x.

    None for a file of another kind, or where the path names anything else.
    """
    root = h5py.h5g.open(file.id, b"/")
    named = _PATH.fullmatch(internal_path or "")
    setups = [name for name in names_in(root) if _SETUP.fullmatch(name) and item_at(root, f"{name}/resolutions")]
    if not setups or (internal_path is not None and named is None):
        return None
    times = _times(root, internal_path)
    if times is None:
        return damaged("some of its time points are missing")
    if not times:
        return None
    time, setup, level = named.groups() if named else ("t{t:05d}", "", "0")
    chosen = [setup] if _SETUP.fullmatch(setup) else setups
    found = {f"{time}/{name}/{level}/cells": _describe(root, file, times, name, level) for name in chosen[:_SHOWN]}
    if len(chosen) == 1:
        ((path, one),) = found.items()
        return {**one, "name": path, "scene": chosen[0]}
    return {
        "finding": "several",
        "names": list(found),
        "shapes": [one.get("shape", []) for one in found.values()],
        "more": len(chosen) > len(found),
    }


def parts(file: h5py.File, path: str, _shape: tuple[int, ...]) -> Iterator[Part]:
    """Name the volumes of the set-up that `path` names."""
    named = _PATH.fullmatch(path)
    times = _times(h5py.h5g.open(file.id, b"/"), path) or []
    for index, time in enumerate(times if named else []):
        yield Part(f"{time}/{named[2]}/{named[3]}/cells" if named else "", (index,))


def path_of_training(path: str) -> str | None:
    """Return how a configuration names all volumes of the set-up of which a training image is one."""
    named = _PATH.fullmatch(path)
    return f"t{{t:05d}}/{named[2]}/{named[3]}/cells" if named else None


def _times(root: Any, path: str | None) -> list[str] | None:
    """List the groups of time points, or the one that a path names; None if some between the first and last lack."""
    named = _PATH.fullmatch(path or "")
    if named and named[1][1:].isdigit():
        return [named[1]]
    numbers = sorted(int(name[1:]) for name in names_in(root) if re.fullmatch("t[0-9]{5,9}", name))
    if numbers and (numbers[-1] - numbers[0] != len(numbers) - 1 or len(set(numbers)) != len(numbers)):
        return None
    return [f"t{number:05d}" for number in numbers]


def _describe(root: Any, file: h5py.File, times: list[str], setup: str, level: str) -> dict[str, Any]:
    described = describe_assembled(file, lambda t, _: f"{times[t]}/{setup}/{level}/cells", len(times), None)
    if described["finding"] != "dataset":
        return described
    if len(described["shape"]) != 4:
        return damaged(f"the volumes of its set-up {setup} have not three dimensions")
    holders = (group_at(root, setup), item_at(root, f"{times[0]}/{setup}/{level}/cells"))
    said = any(text_attribute(holder, "dataType") for holder in holders if holder is not None)
    dtype = "uint16" if described["dtype"] == "int16" and not said else described["dtype"]
    return {**described, "reader": READER, "dtype": dtype, "pixel_sizes": []}
