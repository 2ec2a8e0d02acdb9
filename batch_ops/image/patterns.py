"""Paths of datasets with places that are open: `t{t:05d}/s{setup:02d}/0/cells`, `entry_*/data`. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

_FIELD = re.compile(r"\{([A-Za-z_]+)(?::0?(\d{0,2})d)?\}|\*")


def is_pattern(path: str) -> bool:
    """Return whether a path has a place that is open: `*` for any characters of one name, `{t}` for a number."""
    return _FIELD.search(path) is not None


def matching(pattern: str, paths: Sequence[str]) -> list[int]:
    """Return the indices of the paths that fit the pattern."""
    wanted = _compiled(pattern)
    return [index for index, path in enumerate(paths) if wanted.fullmatch(path)]


def _compiled(pattern: str) -> re.Pattern[str]:
    parts, end, known = [], 0, set()
    for field in _FIELD.finditer(pattern):
        parts.append(re.escape(pattern[end : field.start()]))
        name = field[1]
        if name is None:
            parts.append("[^/]*")
        elif name in known:
            parts.append(f"(?P={name})")
        else:
            known.add(name)
            digits = f"{{{field[2]},}}" if field[2] else "+"
            parts.append(f"(?P<{name}>[0-9]{digits})")
        end = field.end()
    return re.compile("".join(parts) + re.escape(pattern[end:]))
