"""How request bodies are declared: each property with its type, its limits and what becomes of it.

A body is read by a `Record`; the same declarations are the source of COVERAGE.md's field lists.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import Enum
from typing import Any, Protocol

from local_cloud.batch.state.errors import ServiceError, bad_property
from local_cloud.batch.state.times import LONGEST, format_duration, iso, parse_duration, parse_moment

_INTEGER = re.compile(r"[+-]?\d{1,19}")
_IDENTIFIER = re.compile(r"[A-Za-z0-9_-]+")


class Support(Enum):
    """What becomes of a property."""

    DONE = "done"
    IGNORED = "accepted and ignored"
    REFUSED = "refused"


class Kind(Protocol):
    """A type of value in a request's body."""

    def read(self, value: object, path: str) -> Any:
        """Return the value in its canonical form. Raises ServiceError when it is not of this type."""


def _typed[V](kind: type[V], value: object, path: str, wanted: str) -> V:
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise bad_property(path, value, f"it must be {wanted}", "InvalidRequestBody")
    return value


@dataclass(frozen=True, slots=True)
class Text:
    """A string of at most `longest` characters."""

    longest: int = 32_768
    shortest: int = 0

    def read(self, value: object, path: str) -> str:
        text = _typed(str, value, path, "a string")
        if "\0" in text:
            raise bad_property(path, "(text with a NUL)", "it must not hold a NUL character")
        if not self.shortest <= len(text) <= self.longest:
            raise bad_property(path, text, f"it must have {self.shortest} to {self.longest} characters")
        return text


@dataclass(frozen=True, slots=True)
class Identifier:
    """An id: letters, digits, hyphens and underscores, at most `longest` of them."""

    longest: int = 64

    def read(self, value: object, path: str) -> str:
        text = Text().read(value, path)
        if _IDENTIFIER.fullmatch(text) is None or len(text) > self.longest:
            raise bad_property(path, value, f"it must have 1 to {self.longest} of A-Z, a-z, 0-9, '-' and '_'")
        return text


@dataclass(frozen=True, slots=True)
class Integer:
    """An integer within limits; some clients send it as a string."""

    lowest: int = -(2**31)
    highest: int = 2**31 - 1

    def read(self, value: object, path: str) -> int:
        if isinstance(value, str) and _INTEGER.fullmatch(value):
            value = int(value)
        number = _typed(int, value, path, "an integer")
        if not self.lowest <= number <= self.highest:
            raise bad_property(path, number, f"it must be from {self.lowest} to {self.highest}")
        return number


@dataclass(frozen=True, slots=True)
class Boolean:
    """true or false."""

    def read(self, value: object, path: str) -> bool:
        return _typed(bool, value, path, "true or false")


@dataclass(frozen=True, slots=True)
class Choice:
    """One of some words, read without regard to case."""

    words: tuple[str, ...]

    def read(self, value: object, path: str) -> str:
        text = _typed(str, value, path, "a string")
        for word in self.words:
            if word.lower() == text.lower():
                return word
        raise bad_property(path, value, f"it must be one of {', '.join(self.words)}")


@dataclass(frozen=True, slots=True)
class Duration:
    """An ISO 8601 duration within limits."""

    shortest: timedelta = timedelta(0)
    longest: timedelta = LONGEST + timedelta(seconds=1)  # clients round it on the way

    def read(self, value: object, path: str) -> str:
        try:
            length = parse_duration(_typed(str, value, path, "a duration such as PT15M"))
        except ValueError as exc:
            raise bad_property(path, value, "it must be a duration such as PT15M", "InvalidRequestBody") from exc
        if not self.shortest <= length <= self.longest:
            limits = f"{format_duration(self.shortest)} to {format_duration(self.longest)}"
            raise bad_property(path, value, f"it must be from {limits}")
        return format_duration(length)


@dataclass(frozen=True, slots=True)
class Moment:
    """A time such as 2026-11-22T08:00:00Z."""

    def read(self, value: object, path: str) -> str:
        text = _typed(str, value, path, "a time such as 2026-11-22T08:00:00Z")
        try:
            return iso(parse_moment(text))
        except ValueError as exc:
            raise bad_property(path, value, "it must be a time such as 2026-11-22T08:00:00Z") from exc


@dataclass(frozen=True, slots=True)
class Anything:
    """An object or list whose inside is kept but not looked at."""

    type: type = dict

    def read(self, value: object, path: str) -> Any:
        return _typed(self.type, value, path, "an object" if self.type is dict else "a list")


@dataclass(frozen=True, slots=True)
class ListOf:
    """A list of values of one kind."""

    kind: Kind
    longest: int = 10_000

    def read(self, value: object, path: str) -> list[Any]:
        entries = _typed(list, value, path, "a list")
        if len(entries) > self.longest:
            raise bad_property(path, f"{len(entries)} entries", f"at most {self.longest} entries are permitted")
        return [self.kind.read(entry, f"{path}[{index}]") for index, entry in enumerate(entries)]


@dataclass(frozen=True, slots=True)
class Field:
    """A property of a record."""

    kind: Kind
    required: bool = False
    support: Support = Support.DONE
    note: str = ""


@dataclass(frozen=True, slots=True)
class Record:
    """An object with named properties; any other property is refused.

    `read_only` names are dropped silently: clients that send back what they got include them.
    `older` maps the names that older api-versions have for properties to today's.
    `check` sees the whole record when its properties are read, and raises ServiceError.
    """

    name: str
    fields: Mapping[str, Field]
    read_only: frozenset[str] = frozenset()
    check: Callable[[dict[str, Any], str], None] | None = field(default=None, compare=False)
    older: Mapping[str, str] = field(default_factory=dict)

    def read(self, value: object, path: str = "") -> dict[str, Any]:
        prefix = f"{path}." if path else ""
        out: dict[str, Any] = {}
        for name, entry in _typed(dict, value, path or "body", "an object").items():
            name = self.older.get(name, name)
            declared = self.fields.get(name)
            if declared is None:
                if name in self.read_only or name.startswith("odata."):
                    continue
                raise ServiceError(
                    "InvalidRequestBody",
                    f"The property '{name}' does not exist on {self.name}.",
                    PropertyName=f"{prefix}{name}",
                )
            if entry is None:
                continue
            if declared.support is Support.REFUSED and entry not in (False, [], {}):
                raise bad_property(
                    f"{prefix}{name}",
                    entry,
                    f"the local Batch service does not do it{': ' + declared.note if declared.note else ''}",
                    "UnsupportedProperty",
                )
            out[name] = declared.kind.read(entry, f"{prefix}{name}")
        for name, declared in self.fields.items():
            if declared.required and name not in out:
                raise ServiceError(
                    "MissingRequiredProperty",
                    f"The property '{prefix}{name}' is required.",
                    PropertyName=f"{prefix}{name}",
                )
        if self.check is not None:
            self.check(out, prefix)
        return out


def ignored(kind: Kind, note: str = "") -> Field:
    """Declare a property that is kept and shown, without effect."""
    return Field(kind, support=Support.IGNORED, note=note)


def refused(kind: Kind, note: str = "") -> Field:
    """Declare a property that is answered with an error."""
    return Field(kind, support=Support.REFUSED, note=note)


def required(kind: Kind) -> Field:
    """Declare a property that must be there."""
    return Field(kind, required=True)


def done(kind: Kind) -> Field:
    """Declare a property that has its effect."""
    return Field(kind)
