"""File patterns of output files: which files of a task they name, and under which relative names."""

import glob
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")
_WILD = re.compile(r"[*?\[]")


@dataclass(frozen=True, slots=True)
class Match:
    """A file that a pattern names; `name` is relative to the pattern's fixed part, with slashes."""

    path: Path
    name: str


def expand(pattern: str, environment: Mapping[str, str]) -> str:
    """Replace `$NAME` and `${NAME}` in a pattern; unknown variables become nothing."""
    return _VARIABLE.sub(lambda found: environment.get(found[1] or found[2], ""), pattern)


def is_wild(pattern: str) -> bool:
    """Say whether a pattern can name more than one file."""
    return _WILD.search(pattern) is not None


def find(pattern: str, directory: Path) -> list[Match]:
    """Find the files that `pattern` names, relative to `directory` or absolute, ordered by name.

    A leading dot must be written out; links to folders are not followed.
    """
    parts = [part for part in pattern.split("/") if part not in ("", ".")]
    base = Path("/") if pattern.startswith("/") else directory
    fixed = 0
    while fixed < len(parts) - 1 and not is_wild(parts[fixed]):
        base = base / parts[fixed]
        fixed += 1
    base = Path(os.path.normpath(base))
    wanted = parts[fixed:]
    if not wanted:
        return []
    if not is_wild(pattern):
        path = base / wanted[0]
        return [Match(path, wanted[0])] if path.is_file() else []
    expression = re.compile(glob.translate("/".join(wanted), recursive=True))
    found = []
    for folder, folders, files in os.walk(base):
        above = Path(folder).relative_to(base).as_posix() + "/" if folder != str(base) else ""
        if "**" not in wanted and above.count("/") == len(wanted) - 1:
            folders.clear()  # nothing below is named
        names = ((Path(folder, name), above + name) for name in files)
        found += [Match(path, name) for path, name in names if expression.match(name) and path.is_file()]
    return sorted(found, key=lambda match: match.name)
