"""Inside the parser: files of BigDataViewer: `t<time>/s<set-up>/0/cells` is one volume (z, y, x) at full resolution.

A set-up is an angle, a channel or a tile: an image by itself. Its 16-bit numbers are unsigned, though stored as signed
ones, unless the attribute `dataType` of the set-up says `int16`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

import h5py

from batch_ops.image.dialects.assembly import MOST_TIMES, damaged, describe_assembled
from batch_ops.image.links import resolve
from batch_ops.image.stored_values import group_at, item_at, names_in, text_attribute
from batch_ops.image.views import Part

READER = "bigdataviewer"
OWN = re.compile("t[0-9]{5,9}|s[0-9]{2,5}|__DATA_TYPES__")
_SETUP = re.compile("s[0-9]{2,5}")
_SETUPS = re.compile(r"s[0-9]{2,5}(\+s[0-9]{2,5})*")
# Volumes that are looked at between the first and the last time point.
_MOST_BETWEEN = 12
# One volume, or all of a set-up as the path in a configuration names them.
_OPEN = r"\*|\{[a-z]+(?::[0-9]*d)?\}"
_PATH = re.compile(
    rf"/?(t(?:[0-9]{{5,9}}|{_OPEN}))/(s(?:[0-9]{{2,5}}(?:\+s[0-9]{{2,5}})*|{_OPEN}))/([0-9]{{1,3}})/cells"
)


def read(file: h5py.File, internal_path: str | None) -> dict[str, Any] | None:
    """Describe the set-ups, or the one that `internal_path` names, their axes t, z, y, x.

    Each is an image; those that a path names together (`s00+s01`, or `s{c}` for all) are the channels of one. None for
    a file of another kind, or where the path names anything else.
    """
    root = h5py.h5g.open(file.id, b"/")
    named = _PATH.fullmatch(internal_path or "")
    setups = [name for name in names_in(root) if _SETUP.fullmatch(name) and item_at(root, f"{name}/resolutions")]
    if not setups or (internal_path is not None and named is None):
        return None
    times = _times(root, internal_path)
    if not times:
        return None
    if fault := _fault_of_times(root, times) if len(times) > 1 else None:
        return fault
    time, setup, level = named.groups() if named else ("t{t:05d}", "", "0")
    chosen = [setup] if _SETUPS.fullmatch(setup) else ["+".join(setups)] if re.match(r"s\{c[:}]", setup) else setups
    found = []
    for name in chosen:
        volumes = [f"{at}/{one}/{level}/cells" for at in _some(times, len(setups)) for one in name.split("+")]
        if fault := _fault_of_some(file, volumes):
            return fault
        one = _describe(root, file, times, name.split("+"), level)
        if one["finding"] != "dataset":
            return one
        found.append({**one, "name": f"{time}/{name}/{level}/cells", "scene": name})
    others = [name for name in setups if name not in setup.split("+")] if named else []
    return {**found[0], "others": others} if len(found) == 1 else {"finding": "images", "images": found}


def parts(file: h5py.File, path: str, _shape: tuple[int, ...]) -> Iterator[Part]:
    """Name the volumes of the set-up that `path` names."""
    named = _PATH.fullmatch(path)
    if named is None:
        return
    setups = named[2].split("+")
    for index, time in enumerate(_times(h5py.h5g.open(file.id, b"/"), path)):
        for channel, setup in enumerate(setups):
            yield Part(f"{time}/{setup}/{named[3]}/cells", (index, channel) if len(setups) > 1 else (index,))


def path_of_training(path: str) -> str | None:
    """Return how a configuration names all volumes of the set-up of which a training image is one."""
    named = _PATH.fullmatch(path)
    return f"t{{t:05d}}/{named[2]}/{named[3]}/cells" if named else None


def _times(root: Any, path: str | None) -> list[str]:
    """List the groups of time points from the first to the last, or the one that a path names."""
    named = _PATH.fullmatch(path or "")
    if named and named[1][1:].isdigit():
        return [named[1]]
    numbers = sorted(int(name[1:]) for name in names_in(root) if re.fullmatch("t[0-9]{5,9}", name))
    if not numbers or numbers[-1] - numbers[0] > MOST_TIMES:
        return []
    return [f"t{number:05d}" for number in range(numbers[0], numbers[-1] + 1)]


def _fault_of_times(root: Any, times: Sequence[str]) -> dict[str, Any] | None:
    """Say which time point is not there, or in another file, without a look into any of them."""
    for time in times:
        if not root.links.exists(time.encode()):
            return {"finding": "time", "name": time}
        if root.links.get_info(time.encode()).type == h5py.h5l.TYPE_EXTERNAL:
            return {"finding": "external link", "name": time}
    return None


def _some(times: Sequence[str], setups: int) -> list[str]:
    """Choose time points to look at: the last, where a recording that was broken off ends, and some before.

    Each volume takes a read or two; only the node looks at all of them.
    """
    between = times[1:-1] if setups <= _MOST_BETWEEN else []
    step = -(-len(between) * setups // _MOST_BETWEEN) or 1
    return [*between[step // 2 :: step], *times[1:][-1:]]


def _fault_of_some(file: h5py.File, paths: Sequence[str]) -> dict[str, Any] | None:
    """Say which volume is not there, or in another file."""
    for path in paths:
        place = resolve(file, path)
        if place.item is None:
            missing = place.problem in ("missing", "group")
            return {"finding": "time" if missing else place.problem, "name": path if missing else place.path}
    return None


def _describe(root: Any, file: h5py.File, times: list[str], setups: list[str], level: str) -> dict[str, Any]:
    channels = len(setups) if len(setups) > 1 else None
    described = describe_assembled(file, lambda t, c: f"{times[t]}/{setups[c]}/{level}/cells", len(times), channels)
    if described["finding"] != "dataset":
        return described
    if not described["axes"].endswith("zyx"):
        return damaged(f"the volumes of its set-up {setups[0]} have not three dimensions")
    holders = (group_at(root, setups[0]), item_at(root, f"{times[0]}/{setups[0]}/{level}/cells"))
    said = {text_attribute(holder, "dataType") for holder in holders if holder is not None}
    dtype = "uint16" if described["dtype"] == "int16" and "int16" not in said else described["dtype"]
    return {**described, "reader": READER, "dtype": dtype, "pixel_sizes": []}
