"""Values that came from outside, held to what they may be: JSON texts, numbers, lists, tables.

Pure and stdlib only, for Python 3.9 and newer (see contract.py). What a task leaves behind comes from a machine
that ran other people's data, so nothing is trusted: size, depth, types, ranges and lengths are checked, unknown and
doubled keys are refused.

    ManifestError(ValueError)    the file is not one of ours; says what is wrong with it
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NoReturn

MAX_BYTES = 32 * 2**20  # room for 100,000 outputs
MAX_LINE_CHARS = 500
MAX_SECONDS = 366 * 24 * 3600

UTC = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")
_FORBIDDEN = re.compile("[\0\ud800-\udfff]")
_STEP = re.compile(r"[a-z_]{1,32}")


class ManifestError(ValueError):
    """The file is not a manifest or outcome that the task script could have written."""


def refuse(reason: str) -> NoReturn:
    """Raise ManifestError with this reason."""
    raise ManifestError(f"This is not a manifest of a task: {reason}.")


def check_text(value: object, what: str, limit: int, pattern: re.Pattern[str] | None = None) -> None:
    """Refuse what is not text of at most `limit` characters, all of it in the form of `pattern`."""
    if not isinstance(value, str):
        refuse(f"{what} is not text")
    if len(value) > limit:
        refuse(f"{what} is longer than {limit} characters")
    if pattern and not pattern.fullmatch(value):
        refuse(f"{what} is not in the required form")
    if _FORBIDDEN.search(value):
        refuse(f"{what} holds characters that no text may hold")


def listed(value: object, most: int) -> list[Any]:
    """Return the value if it is a list of at most so many."""
    if not isinstance(value, list) or len(value) > most:
        refuse(f"there is no list where one belongs, or one of more than {most}")
    return value


def check_number(value: object, what: str, least: int, most: int) -> None:
    """Refuse what is not a whole number from `least` to `most`."""
    if isinstance(value, bool) or not isinstance(value, int):
        refuse(f"{what} is not a whole number")
    if not least <= value <= most:
        refuse(f"{what} is out of range")


def check_lines(value: object, what: str, most: int, limit: int) -> None:
    """Refuse what is not a tuple of at most `most` texts of at most `limit` characters each."""
    if not isinstance(value, tuple) or len(value) > most:
        refuse(f"{what}: not a list of at most {most}")
    for line in value:
        check_text(line, what, limit)


def check_seconds(value: object) -> None:
    """Refuse what is not a short table of steps and the seconds that each took."""
    if not isinstance(value, Mapping) or len(value) > 16:
        refuse("the timings are not a short table")
    for step, seconds in value.items():
        check_text(step, "a step", 32, _STEP)
        if isinstance(seconds, bool) or not isinstance(seconds, (int, float)):
            refuse(f"the seconds of {step} are not a number")
        if not 0 <= seconds <= MAX_SECONDS:
            refuse(f"the seconds of {step} are out of range")


def load(content: bytes, what: str) -> dict[str, Any]:
    """Read a JSON object; raises ManifestError for anything else, and for more than MAX_BYTES."""
    if len(content) > MAX_BYTES:
        refuse(f"it is longer than {MAX_BYTES} bytes")
    try:
        value = json.loads(content.decode("utf-8"), object_pairs_hook=_without_doubles, parse_constant=_no_constant)
    except ManifestError:
        raise
    except (ValueError, RecursionError) as exc:
        raise ManifestError(f"This is not a manifest: it is not JSON ({type(exc).__name__}).") from exc
    return table(value, what)


def table(value: object, what: str) -> dict[str, Any]:
    """Return the value if it is a JSON object."""
    if not isinstance(value, dict):
        refuse(f"{what} is not a table")
    return value


def as_tuple(value: object) -> object:
    """Return a list as a tuple, anything else as it is."""
    return tuple(value) if isinstance(value, list) else value


def fields(kind: type, value: object, what: str) -> dict[str, Any]:
    """Return the value if it is a JSON object with exactly the fields of this dataclass."""
    data = table(value, what)
    names = _names(kind)
    if data.keys() != names:
        odd = ", ".join(sorted(plain_line(name, 40) for name in set(data) ^ names)[:5])
        refuse(f"{what} lacks or has beyond its fields: {odd}")
    return data


@lru_cache(maxsize=64)
def _names(kind: type) -> frozenset[str]:
    return frozenset(field.name for field in dataclasses.fields(kind))


def dump(data: Mapping[str, Any]) -> bytes:
    """Write a JSON object as UTF-8 with a line break at its end."""
    return (json.dumps(data, indent=1, allow_nan=False) + "\n").encode()


def plain_line(text: str, limit: int = MAX_LINE_CHARS) -> str:
    """Turn text from a log into one line for a report: printable, and of limited length."""
    clean = "".join(c if c.isprintable() else " " for c in text.rstrip())
    return clean if len(clean) <= limit else f"{clean[: limit - 1]}…"


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    data = dict(pairs)
    if len(data) != len(pairs):
        refuse("a key stands twice")
    return data


def _no_constant(name: str) -> NoReturn:
    refuse(f"{name} is not a number")
