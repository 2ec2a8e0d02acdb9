"""Axis tags, and the order `tzyxc` in which everything inside works.

Axis keys are one letter each: `t` time, `z` `y` `x` space, `c` channel. An "order" is a string of keys.
"""

import json
from collections.abc import Mapping, Sequence

import numpy as np

from pixel_engine.errors import InputError

INSIDE = "tzyxc"

# vigra's AxisType flags, as its JSON stores them.
_TYPE_FLAGS = {"c": 1, "x": 2, "y": 2, "z": 2, "t": 8}


def parse_axistags(text: str) -> str | None:
    """Return the order that vigra's axis-tag JSON states, or None where an axis has no known meaning."""
    try:
        keys = "".join(str(axis["key"]) for axis in json.loads(text)["axes"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return keys if is_order(keys) else None


def axistags_json(order: str, pixel_sizes: Mapping[str, float]) -> str:
    """Return vigra's JSON for an order; a pixel size of 0 means unknown."""
    axes = [
        {"key": key, "typeFlags": _TYPE_FLAGS[key], "resolution": pixel_sizes.get(key, 0), "description": ""}
        for key in order
    ]
    return json.dumps({"axes": axes}, indent=2)


def parse_pixel_sizes(text: str) -> dict[str, float]:
    """Return the sampling distance by axis that vigra's JSON states, where it states one."""
    try:
        stated = {str(axis["key"]): float(axis.get("resolution", 0)) for axis in json.loads(text)["axes"]}
    except (ValueError, KeyError, TypeError, RecursionError):
        return {}
    return {key: value for key, value in stated.items() if value}


def is_order(keys: str) -> bool:
    """Say whether the text names each of its axes once, all of them known."""
    return bool(keys) and set(keys) <= set(INSIDE) and len(set(keys)) == len(keys)


def default_order(shape: Sequence[int]) -> str:
    """Return the order ilastik assumes for an array that says nothing about its axes.

    A third axis of at most four elements counts as channels.
    """
    if len(shape) == 3 and shape[-1] <= 4:
        return "yxc"
    try:
        return {2: "yx", 3: "zyx", 4: "zyxc", 5: "tzyxc"}[len(shape)]
    except KeyError:
        raise InputError(
            f"An image of {len(shape)} dimensions cannot be read: ilastik knows 2 to 5 (t, z, y, x, c)."
        ) from None


def sizes(order: str, shape: Sequence[int]) -> dict[str, int]:
    """Return the size of each of the five axes; an axis that is absent has size 1."""
    known = dict(zip(order, (int(n) for n in shape), strict=True))
    return {key: known.get(key, 1) for key in INSIDE}


def with_order(array: np.ndarray, order: str, wanted: str) -> np.ndarray:
    """Return a view of the array in another order; absent axes are added, single ones may be dropped."""
    dropped = tuple(i for i, key in enumerate(order) if key not in wanted)
    kept = [key for key in order if key in wanted]
    view = array.squeeze(axis=dropped) if dropped else array
    view = view.transpose([kept.index(key) for key in wanted if key in kept])
    return view[tuple(slice(None) if key in kept else np.newaxis for key in wanted)]
