"""Frozen dataclasses <-> entities of Table storage, field by field from the type hints.

One property always has one type: whole numbers are Int64, times DateTime in UTC, enums their text. A field that is
a dataclass itself stands in the row with its own fields; what else no property can hold has a codec (`row_texts`).
None and empty text are not stored and are restored when read; a property that an older row lacks gets the
field's default.
"""

import dataclasses
from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from functools import cache
from operator import attrgetter
from types import NoneType
from typing import Any, cast, get_args, get_type_hints

from azure.data.tables import EdmType, EntityProperty

from batch_ops.adapters.row_texts import CODECS, NAMES

# Of Table storage, for a row that is not there.
MISSING_CODES = ("ResourceNotFound", "EntityNotFound")
# A string property holds 64 KiB of UTF-16.
_LONGEST_TEXT_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class _Column:
    """A field of a dataclass, or of a part of it, as a property of type `kind`.

    `read` takes the field's value out of the whole; `absent` is its value where a row lacks the property.
    """

    name: str
    read: Callable[[Any], Any]
    kind: type[Any]
    optional: bool
    absent: Any
    encoder: Callable[[Any], Any] | None
    decoder: Callable[[Any], Any] | None

    def encode(self, whole: Any) -> Any:
        """Return the property's value; None if it is not stored."""
        value = self.read(whole)
        if self.encoder:
            value = self.encoder(value)
        if value is None or (value == "" and not self.optional):
            return None
        if self.kind is int:
            return EntityProperty(value, EdmType.INT64)
        if self.kind is datetime:
            return _utc(self.name, value)
        return _text(self.name, str(value)) if issubclass(self.kind, str) else value

    def decode(self, row: Mapping[str, Any]) -> Any:
        """Return the field's value."""
        value: Any = row.get(self.name)
        if value is None:
            return self.absent
        if self.kind is int:
            value = int(getattr(value, "value", value))
        elif self.kind is datetime:
            # Otherwise the SDK's own subclass would leak into the product.
            value = datetime.combine(value.date(), value.timetz())
        return self.decoder(value) if self.decoder else value


@dataclass(frozen=True, slots=True)
class _Part:
    """A dataclass, with how each of its fields is made of a row."""

    kind: type[Any]
    fields: Mapping[str, "_Column | _Part"]

    def decode(self, row: Mapping[str, Any]) -> Any:
        """Make the dataclass's instance."""
        return self.kind(**{name: field.decode(row) for name, field in self.fields.items()})

    def columns(self) -> Iterator[_Column]:
        """List every property."""
        for field in self.fields.values():
            if isinstance(field, _Part):
                yield from field.columns()
            else:
                yield field


def to_properties(value: Any) -> dict[str, Any]:
    """Return the properties of a dataclass instance, without keys. Raises ValueError for what no row can hold."""
    encoded = ((column.name, column.encode(value)) for column in _columns(cast(Hashable, type(value))))
    return {name: cell for name, cell in encoded if cell is not None}


def from_properties[T](kind: type[T], row: Mapping[str, Any]) -> T:
    """Make a dataclass instance from an entity, ignoring properties that are not fields."""
    return cast(T, _part(cast(Hashable, kind)).decode(row))


@cache
def _columns(kind: Hashable) -> tuple[_Column, ...]:
    return tuple(_part(kind).columns())


@cache
def _part(kind: Hashable, path: str = "", prefix: str = "") -> _Part:
    hints = get_type_hints(kind)
    fields = dataclasses.fields(cast(Any, kind))
    return _Part(cast(Any, kind), {f.name: _field(cast(Any, kind), f, hints[f.name], path, prefix) for f in fields})


def _field(owner: type, field: dataclasses.Field[Any], hint: Any, path: str, prefix: str) -> _Column | _Part:
    path, name = path + field.name, NAMES.get((owner, field.name), field.name)
    if dataclasses.is_dataclass(hint):
        return _part(cast(Hashable, hint), f"{path}.", name if name != field.name else "")
    if codec := CODECS.get(hint):
        return _Column(prefix + name, attrgetter(path), codec.kind, False, field.default, codec.encode, codec.decode)
    kinds = [arg for arg in get_args(hint) if arg is not NoneType] or [hint]
    kind, optional = kinds[0], NoneType in get_args(hint)
    if len(kinds) != 1 or not isinstance(kind, type) or not issubclass(kind, str | int | datetime):
        raise TypeError(f"No property of a table can hold the field {field.name}: {hint}.")
    absent = None if optional else "" if kind is str else field.default
    decoder = kind if issubclass(kind, Enum) else None
    return _Column(prefix + name, attrgetter(path), kind, optional, absent, None, decoder)


def _utc(name: str, moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError(f"{name} is a time without a zone.")
    return moment.astimezone(UTC)


def _text(name: str, text: str) -> str:
    # At most two UTF-16 units per character: most texts need no exact count.
    if len(text) * 4 > _LONGEST_TEXT_BYTES < len(text.encode("utf-16-le", "surrogatepass")):
        raise ValueError(f"{name} is too long for a row of the table: {len(text)} characters.")
    return text
