"""Imported before the product, makes frozen dataclasses of this process as cheap as others.

A frozen value is made by a call for each of its fields: a fifth of the time of a history. That nobody changes one is
for mypy to say and for the suite to show, which plays histories too and is not thawed; here are millions of them.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

_dataclass, _replace = dataclasses.dataclass, dataclasses.replace
_copiers: dict[type, Callable[[Any, dict[str, Any]], Any]] = {}


def _thawed(cls: type | None = None, /, *, frozen: bool = False, unsafe_hash: bool = False, **options: Any) -> Any:
    is_hashable = unsafe_hash or (frozen and options.get("eq", True))
    return _dataclass(cls, unsafe_hash=is_hashable, **options)


def _copier(cls: type) -> Callable[[Any, dict[str, Any]], Any]:
    """Write a function that makes a value like another one, with some fields changed."""
    fields = dataclasses.fields(cls)
    if not all(field.init for field in fields):
        return lambda old, changes: _replace(old, **changes)
    lines = [
        "def copied(old, changes):",
        "    new = make(cls)",
        *(f"    new.{field.name} = old.{field.name}" for field in fields),
        "    for name in changes:",
        "        setattr(new, name, changes[name])",
        "    new.__post_init__()" if hasattr(cls, "__post_init__") else "",
        "    return new",
    ]
    scope: dict[str, Any] = {"cls": cls, "make": object.__new__}
    exec("\n".join(lines), scope)  # noqa: S102  # as the real ones write their methods
    copied: Callable[[Any, dict[str, Any]], Any] = scope["copied"]
    return copied


def _changed[T](value: T, /, **changes: Any) -> T:
    cls = type(value)
    if (copied := _copiers.get(cls)) is None:
        copied = _copiers[cls] = _copier(cls)
    changed: T = copied(value, changes)
    return changed


dataclasses.dataclass = _thawed
dataclasses.replace = _changed
