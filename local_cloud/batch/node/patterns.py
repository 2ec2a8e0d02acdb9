"""File patterns of output files: which files of a task they name, and under which relative names."""

import os
import re
from collections.abc import Iterator, Mapping
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
    """Find the files that `pattern` names, relative to `directory` or absolute, ordered by name."""
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
    return sorted(_walk(base, "", wanted), key=lambda match: match.name)


def _walk(folder: Path, prefix: str, parts: list[str]) -> Iterator[Match]:
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError:
        return
    first, rest = parts[0], parts[1:]
    if first == "**":
        # `**` stands for no folder, or for one folder followed by `**` again.
        if rest:
            yield from _walk(folder, prefix, rest)
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if entry.is_dir(follow_symlinks=False):
                yield from _walk(Path(entry.path), f"{prefix}{entry.name}/", parts)
            elif not rest and entry.is_file():
                yield Match(Path(entry.path), prefix + entry.name)
        return
    expression = _expression(first)
    for entry in entries:
        if expression.fullmatch(entry.name) is None:
            continue
        if not rest and entry.is_file():
            yield Match(Path(entry.path), prefix + entry.name)
        elif rest and entry.is_dir(follow_symlinks=False):
            yield from _walk(Path(entry.path), f"{prefix}{entry.name}/", rest)


def _expression(part: str) -> re.Pattern[str]:
    """Turn one path segment into a regular expression; a leading dot must be written out."""
    out = [] if part.startswith((".", "[.")) else [r"(?!\.)"]
    position = 0
    while position < len(part):
        letter = part[position]
        close = part.find("]", position + 2) if letter == "[" else -1
        if letter == "*":
            out.append("[^/]*")
        elif letter == "?":
            out.append("[^/]")
        elif close > 0:
            inside = part[position + 1 : close]
            negated = inside.startswith("!")
            body = re.sub(r"([\\\[\]^&~|])", r"\\\1", inside[1:] if negated else inside)
            out.append(f"[{'^' if negated else ''}{body}]")
            position = close
        else:
            out.append(re.escape(letter))
        position += 1
    try:
        return re.compile("".join(out))
    except re.error:  # such as [z-a]
        return re.compile(re.escape(part))
