"""Frozen dataclasses <-> entities of Table storage, field by field from the type hints.

One property always has one type: whole numbers are Int64, times DateTime in UTC, enums their text. None
and empty text are not stored and are restored when read; a property that an older row lacks gets the
field's default.
"""

import dataclasses
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from functools import cache
from types import NoneType
from typing import Any, cast, get_args, get_type_hints

from azure.data.tables import EdmType, EntityProperty

# A string property holds 64 KiB of UTF-16.
_LONGEST_TEXT_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class _Column:
    """A field of a dataclass as a property."""

    name: str
    kind: type[Any]
    optional: bool
    default: Any

    def encode(self, value: Any) -> Any:
        """Return the property's value; None if it is not stored."""
        if value is None or (value == "" and not self.optional):
            return None
        if self.kind is int:
            return EntityProperty(value, EdmType.INT64)
        if self.kind is datetime:
            return _utc(self.name, value)
        return _text(self.name, str(value)) if issubclass(self.kind, str) else value

    def decode(self, value: Any) -> Any:
        """Return the field's value."""
        if value is None:
            return None if self.optional else "" if self.kind is str else self.default
        if self.kind is int:
            return int(getattr(value, "value", value))
        if self.kind is datetime:
            # Otherwise the SDK's own subclass would leak into the product.
            return datetime.combine(value.date(), value.timetz())
        return self.kind(value) if issubclass(self.kind, Enum) else value


def to_properties(value: Any) -> dict[str, Any]:
    """Return the properties of a dataclass instance, without keys. Raises ValueError for what no row can hold."""
    encoded = (
        (column.name, column.encode(getattr(value, column.name))) for column in _columns(cast(Hashable, type(value)))
    )
    return {name: cell for name, cell in encoded if cell is not None}


def from_properties[T](kind: type[T], row: Mapping[str, Any]) -> T:
    """Make a dataclass instance from an entity, ignoring properties that are not fields."""
    return kind(**{column.name: column.decode(row.get(column.name)) for column in _columns(cast(Hashable, kind))})


@cache
def _columns(kind: Hashable) -> tuple[_Column, ...]:
    hints = get_type_hints(kind)
    return tuple(_column(field, hints[field.name]) for field in dataclasses.fields(cast(Any, kind)))


def _column(field: dataclasses.Field[Any], hint: Any) -> _Column:
    kinds = [arg for arg in get_args(hint) if arg is not NoneType] or [hint]
    if len(kinds) != 1 or not issubclass(kinds[0], str | int | datetime):
        raise TypeError(f"No property of a table can hold the field {field.name}: {hint}.")
    return _Column(field.name, kinds[0], NoneType in get_args(hint), field.default)


def _utc(name: str, moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError(f"{name} is a time without a zone.")
    return moment.astimezone(UTC)


def _text(name: str, text: str) -> str:
    # At most two UTF-16 units per character: most texts need no exact count.
    if len(text) * 4 > _LONGEST_TEXT_BYTES < len(text.encode("utf-16-le", "surrogatepass")):
        raise ValueError(f"{name} is too long for a row of the table: {len(text)} characters.")
    return text
