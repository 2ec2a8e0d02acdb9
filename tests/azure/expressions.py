"""What is left of a template's expressions when all is worked out that needs no resource: `reference` and around it.

Language: https://learn.microsoft.com/azure/azure-resource-manager/templates/template-expressions.
"""

import re
import uuid
from collections.abc import Callable, Iterator
from typing import Any

_WORDS = re.compile(r"\s*(?:('(?:[^']|'')*')|(-?\d+)|([A-Za-z_]\w*)|([(),.\[\]]))")
# The name space of guid(): https://github.com/Azure/bicep/issues/1690.
_SPACE = uuid.UUID("11fb06fb-712d-4ddd-98c7-e71bbd588830")

type Lookup = Callable[[str], dict[str, Any]]


def is_expression(text: str) -> bool:
    """Whether a text of a template is to be worked out."""
    return text.startswith("[") and not text.startswith("[[") and text.endswith("]")


def texts(value: Any) -> Iterator[str]:
    """All texts in a value, names too."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield name
            yield from texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from texts(inner)
    elif isinstance(value, str):
        yield value


def references(value: Any) -> set[str]:
    """Ids, in small letters, of resources that must exist before the value is known."""
    found = (text for text in texts(value) if is_expression(text))
    return {name.lower() for text in found for name in re.findall(r"reference\('([^']+)'", text)}


def resolve(value: Any, lookup: Lookup) -> Any:
    """The value with every expression worked out; `lookup` gives a resource by its id."""
    if isinstance(value, dict):
        return {resolve(name, lookup): resolve(inner, lookup) for name, inner in value.items()}
    if isinstance(value, list):
        return [resolve(inner, lookup) for inner in value]
    if not isinstance(value, str) or not is_expression(value):
        return value
    return _Reader(value[1:-1], lookup).whole()


class _Reader:
    def __init__(self, text: str, lookup: Lookup) -> None:
        self._words: list[Any] = []
        self._lookup = lookup
        end = 0
        while end < len(text.rstrip()):
            match = _WORDS.match(text, end)
            assert match, f"This is no expression: {text[end:]}"
            end = match.end()
            literal, number, *rest = match.groups()
            self._words.append(
                ("value", literal[1:-1].replace("''", "'"))
                if literal
                else ("value", int(number))
                if number
                else ("word", rest[0] or rest[1])
            )

    def whole(self) -> Any:
        value = self._value()
        assert not self._words, self._words
        return value

    def _next(self) -> Any:
        return self._words.pop(0)[1]

    def _is(self, word: str) -> bool:
        return bool(self._words) and self._words[0] == ("word", word)

    def _value(self) -> Any:
        kind, value = self._words.pop(0)
        if kind == "word":
            assert self._next() == "("
            arguments = []
            while not self._is(")"):
                arguments.append(self._value())
                if self._is(","):
                    self._next()
            self._next()
            value = self._call(value, arguments)
        while self._is(".") or self._is("["):
            is_name = self._next() == "."
            value = value[self._next() if is_name else self._value()]
            if not is_name:
                assert self._next() == "]"
        return value

    def _call(self, name: str, arguments: list[Any]) -> Any:
        match name:
            case "reference":
                found = self._lookup(arguments[0])
                return found if arguments[2:] == ["full"] else found["properties"]
            case "format":
                return re.sub(r"\{(\d+)\}", lambda m: str(arguments[1 + int(m[1])]), arguments[0])
            case "guid":
                return str(uuid.uuid5(_SPACE, "-".join(map(str, arguments))))
            case "string":
                return str(arguments[0])
            case "extensionResourceId":
                scope, kind, *names = arguments
                provider, *types = kind.split("/")
                parts = "/".join(f"{a}/{b}" for a, b in zip(types, names, strict=True))
                return f"{scope}/providers/{provider}/{parts}"
        raise NotImplementedError(f"{name}(...) in an expression")
