"""Inside the parser: images that lie in one dataset for each time point and channel, as plain findings."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import h5py

from batch_ops.image.read_image import read_image
from batch_ops.image.stored_values import names_in
from batch_ops.image.walk import DIMENSIONS

# A file says how many it has; more than this nobody has recorded.
MOST_TIMES = 1_000_000


def count_of(group: Any, prefix: str) -> int:
    """Count the members `<prefix>0`, `<prefix>1`, ... without a gap; 0 where one is missing or too much."""
    pattern = re.compile(re.escape(prefix) + "([0-9]{1,9})")
    numbers = sorted(int(match[1]) for match in map(pattern.fullmatch, names_in(group)) if match)
    return len(numbers) if numbers == list(range(len(numbers))) and len(numbers) <= MOST_TIMES else 0


def describe_assembled(
    file: h5py.File,
    path_of: Callable[[int, int], str],
    times: int,
    channels: int | None,
    inner: tuple[int, ...] | None = None,
) -> dict[str, Any]:
    """Describe an image of times x channels x `inner` by its first time point; `inner`: what is no padding.

    `channels` is None for an image without that axis. Only the node looks whether later
    time points are like the first.
    """
    found: list[dict[str, Any]] = []
    for channel in range(1 if channels is None else channels):
        path = path_of(0, channel)
        one = read_image(file, path, 0)
        if one["finding"] != "dataset":
            return damaged(f"there is no '{path}'") if one["finding"] in ("missing", "group") else one
        found.append(one)
        first = found[0]
        shape = tuple(one["shape"]) if inner is None else inner
        if (one["shape"], one["dtype"]) != (first["shape"], first["dtype"]) and inner is None:
            return damaged(f"'{path}' is not like the first channel")
        if one["dtype"] != first["dtype"] or not _holds(one["shape"], shape):
            return damaged(f"'{path}' of {one['dtype']} does not hold an image of {shape}")
    first = found[0]
    filters = {tuple(pair) for one in found for pair in one["filters"]}
    return {
        **first,
        "shape": [times, *shape] if channels is None else [times, channels, *shape],
        "offset": None,
        "filters": sorted(map(list, filters)),
        "axistags": None,
        "tags_readable": True,
        "axes": ("t" if channels is None else "tc") + "zyx"[-len(shape) :],
    }


def damaged(detail: str) -> dict[str, Any]:
    """Say what is wrong with a file of a known kind."""
    return {"finding": "damaged", "detail": detail}


def _holds(stored: list[int], needed: tuple[int, ...]) -> bool:
    fits = all(have >= need > 0 for have, need in zip(stored, needed))
    return len(stored) == len(needed) and len(needed) in DIMENSIONS and fits
