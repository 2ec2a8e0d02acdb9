"""What ilastik can't take of a dataset: names that it would split or does not list, and attributes that it fails on."""

from __future__ import annotations

import json
import re
from typing import Any

ALIAS = "ilastik_batch_input"  # replaces the name of a dataset that ilastik would split
MAX_ATTRIBUTE_BYTES = 64 * 1024
PLAIN_DATASET = re.compile(r"[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*")


def listed_name(file: Any, name: str) -> str:
    """Find the name under which ilastik lists a dataset: each once, without soft links."""
    wanted = file[name]
    found: str | None = file.visititems(lambda listed, thing: listed if thing == wanted else None)
    return name if found is None else found


def rename(file: Any, listed: str) -> None:
    """Rename the dataset to the alias, and remove its other names."""
    dataset = file[listed]
    if ALIAS in file and file[ALIAS] != dataset:
        del file[ALIAS]
    while listed != ALIAS:
        if ALIAS in file:
            del file[listed]
        else:
            file.move(listed, ALIAS)
        listed = listed_name(file, ALIAS)


def odd_attributes(dataset: Any) -> list[str]:
    """Name the attributes that ilastik fails on, and does not need: units in no table, ranges that are no pairs."""
    attributes = dataset.attrs
    odd = []
    for name in ("axis_units", "drange"):
        if name in attributes and not (_is_small(dataset, name) and _is_readable(name, attributes[name])):
            odd.append(name)
    return odd


def _is_small(dataset: Any, name: str) -> bool:
    return bool(dataset.attrs.get_id(name).get_storage_size() <= MAX_ATTRIBUTE_BYTES)


def _is_readable(name: str, value: Any) -> bool:
    if name == "drange":
        return getattr(value, "shape", None) == (2,) and value.dtype.kind in "uif"
    try:
        return isinstance(json.loads(value), dict)
    except (ValueError, TypeError, RecursionError):
        return False
