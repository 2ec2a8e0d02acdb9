"""Paths of datasets with places that are open: `t{t:05d}/s{setup:02d}/0/cells`, `entry_*/data`. Pure.

`*` stands for any characters of one name, `{...}` for a number. Datasets whose paths differ in {t}, {z} or {c} are one
image along that axis.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

STACKED = "tzc"
_FIELD = re.compile(r"\{([A-Za-z_]+)(?::0?([1-9]?)d)?\}|\*")


class Matched(NamedTuple):
    """A name that fits; `values` of its fields, as they are written."""

    name: str
    values: Mapping[str, str]


def is_pattern(path: str) -> bool:
    """Return whether a path has a place that is open."""
    return _FIELD.search(path) is not None


def repeated_axis(path: str) -> str:
    """Return an axis whose field stands in a path twice; "" for none. Only names of its first number would be found."""
    fields = [field[1] for field in _FIELD.finditer(path) if field[1]]
    return next((field for field in fields if field in STACKED and fields.count(field) > 1), "")


def matching(pattern: str, names: Iterable[str], known: Mapping[str, str]) -> list[Matched]:
    """Return the names that fit a pattern of one name; `known`: the numbers of fields that are clear already."""
    wanted = re.compile(_expression(pattern, known))
    found = ((name, wanted.fullmatch(name)) for name in names)
    return [Matched(name, {**known, **match.groupdict()}) for name, match in found if match]


def numbers(matched: Iterable[Matched], field: str) -> dict[int, str] | None:
    """Return the names by the field's numbers, in order; None if one number is missing, or is there twice."""
    names = sorted((int(one.values[field]), one.name) for one in matched)
    first = names[0][0] if names else 0
    return dict(names) if [number for number, _ in names] == list(range(first, first + len(names))) else None


def open_axis(pattern: str, known: Mapping[str, str]) -> str:
    """Return the axis along which the names of a pattern are stacked; "" for none."""
    fields = [field[1] for field in _FIELD.finditer(pattern) if field[1] and field[1] not in known]
    return fields[0] if len(fields) == 1 and fields[0] in STACKED else ""


def _expression(pattern: str, known: Mapping[str, str]) -> str:
    parts, end, here = [], 0, set()
    for field in _FIELD.finditer(pattern):
        parts.append(re.escape(pattern[end : field.start()]))
        name = field[1]
        if name is None:
            parts.append("[^/]*")
        elif name in known:
            parts.append(f"0*{int(known[name])}")
        elif name in here:
            parts.append(f"(?P={name})")
        else:
            here.add(name)
            parts.append(f"(?P<{name}>[0-9]{{{field[2] or 1},9}})")
        end = field.end()
    return "".join(parts) + re.escape(pattern[end:])
