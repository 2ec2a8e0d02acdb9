"""Reads the values of a tool's profile one by one, and says of each fault where it is.

Pure and stdlib only, for Python 3.9 and newer (see contract.py).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from enum import Enum
from typing import Any, TypeVar

MAX_CHARS = 2000
_MOST = 500
_MISSING: Any = object()
_Kind = TypeVar("_Kind", bound=Enum)


class ToolProfileError(ValueError):
    """A tool's profile can't be used; the sentence says what is wrong with it."""


class InputForm(str, Enum):  # noqa: UP042 - Python 3.9 has no StrEnum
    """What a tool gets: a TIFF of strips with ImageJ's words for its axes, or HDF5 as ilastik reads it."""

    TIFF = "tiff"
    HDF5 = "hdf5"

    def __str__(self) -> str:
        return str(self.value)


class ExitMeaning(str, Enum):  # noqa: UP042 - Python 3.9 has no StrEnum
    """What an exit code of a tool means: whose fault it is says whether another try can help."""

    IMAGE = "image"
    PROJECT = "project"
    MEMORY = "memory"
    NODE = "node"

    def __str__(self) -> str:
        return str(self.value)


class ProfileReading:
    """One table of a profile; `end` refuses what nobody has asked for, unless a later version may have written it."""

    def __init__(self, where: str, found: Mapping[str, Any], *, lenient: bool = False) -> None:
        self.where, self._lenient = where, lenient
        self._found = found
        self._asked: set[str] = set()

    def end(self) -> None:
        """Refuse keys that are not known: a misspelt rule would be none."""
        for name in sorted(set(self._found) - self._asked if not self._lenient else ()):
            raise ToolProfileError(
                f"{self.where} has an unknown key '{name}'; known are {', '.join(sorted(self._asked))}."
            )

    def text(
        self, name: str, pattern: re.Pattern[str] | None = None, wanted: str = "text", default: str = _MISSING
    ) -> str:
        value = self._value(name, default)
        fits = isinstance(value, str) and len(value) <= MAX_CHARS and value.isprintable()
        if not fits or (value == "" and default != "") or (pattern and not pattern.fullmatch(value)):
            raise self._fault(name, wanted)
        return str(value)

    def pattern(self, name: str, default: str = _MISSING) -> str:
        """Read a regular expression of Python, in its multi-line mode."""
        text = self.text(name, default=default)
        try:
            re.compile(text, re.MULTILINE)
        except re.error as exc:
            raise ToolProfileError(f"{self.where} must give {name} as a regular expression: {exc}.") from exc
        return text

    def texts(self, name: str, default: tuple[str, ...] = _MISSING) -> tuple[str, ...]:
        value = self._value(name, default)
        if not isinstance(value, (list, tuple)) or len(value) > _MOST or not all(map(_is_text, value)):
            raise self._fault(name, "a list of texts")
        return tuple(value)

    def flag(self, name: str) -> bool:
        value = self._value(name, False)
        if not isinstance(value, bool):
            raise self._fault(name, "true or false")
        return value

    def number(self, name: str, default: float, *, least: float, most: float) -> float:
        value = self._value(name, default)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not least <= value <= most:
            raise self._fault(name, f"a number from {least:g} to {most:g}")
        return float(value)

    def numbers(self, name: str, default: tuple[int, ...]) -> tuple[int, ...]:
        value = self._value(name, default)
        if not isinstance(value, (list, tuple)) or not value or not all(map(_is_code, value)):
            raise self._fault(name, "a list of exit codes from 0 to 255")
        return tuple(value)

    def mapping(self, name: str, names: re.Pattern[str]) -> tuple[tuple[str, str], ...]:
        value = self._value(name, {})
        if not isinstance(value, Mapping) or not all(names.fullmatch(key) and _is_text(v) for key, v in value.items()):
            raise self._fault(name, "names of variables with their texts")
        return tuple(sorted(value.items()))

    def by_code(self, name: str) -> Iterable[tuple[int, Any]]:
        value = self._value(name, {})
        if not isinstance(value, Mapping) or not all(re.fullmatch("[0-9]{1,3}", str(code)) for code in value):
            raise self._fault(name, "exit codes with what they mean")
        return sorted((int(code), meaning) for code, meaning in value.items())

    def table(self, name: str) -> ProfileReading:
        value = self._value(name, {})
        if not isinstance(value, Mapping):
            raise self._fault(name, "a table")
        return ProfileReading(f"{self.where}, in [{name}],", value, lenient=self._lenient)

    def tables(self, name: str) -> list[ProfileReading]:
        value = self._value(name, [])
        if not isinstance(value, list) or len(value) > _MOST or not all(isinstance(one, Mapping) for one in value):
            raise self._fault(name, "a list of tables")
        where = f"{self.where}, in [[{name}]] number"
        return [ProfileReading(f"{where} {n},", one, lenient=self._lenient) for n, one in enumerate(value, 1)]

    def one_of(self, name: str, word: Any, kinds: type[_Kind]) -> _Kind:
        try:
            return kinds(word)
        except ValueError as exc:
            raise self._fault(name, f"one of {', '.join(str(kind) for kind in kinds)}") from exc

    def _value(self, name: str, default: Any) -> Any:
        self._asked.add(name)
        value = self._found.get(name, default)
        if value is _MISSING:
            raise ToolProfileError(f"{self.where} has no {name}.")
        return value

    def _fault(self, name: str, wanted: str) -> ToolProfileError:
        return ToolProfileError(f"{self.where} must give {name} as {wanted}.")


def _is_text(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= MAX_CHARS and value.isprintable()


def _is_code(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 255
