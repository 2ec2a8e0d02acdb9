"""OData as Batch has it: `$filter` parsed into a test of records, `$select` into a choice of properties."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import reduce
from operator import eq, ge, gt, le, lt, ne
from typing import Any

from local_cloud.batch.state.errors import ServiceError
from local_cloud.batch.state.times import parse_moment

_TOKEN = re.compile(
    r"\s*(?:(?P<open>\()|(?P<close>\))|(?P<comma>,)"
    r"|(?P<date>[Dd]ate[Tt]ime'(?:[^']|'')*')|(?P<text>'(?:[^']|'')*')"
    r"|(?P<number>-?\d{1,15}(?:\.\d{1,15})?(?![\w]))|(?P<name>[A-Za-z_][\w/]*))"
)
_OPERATORS: Mapping[str, Callable[[Any, Any], bool]] = {
    "eq": eq, "ne": ne, "ge": ge, "gt": gt, "le": le, "lt": lt,
}  # fmt: skip
_DEEPEST = 50  # nested parentheses
EQUALITY = frozenset({"eq", "ne"})
ORDER = frozenset(_OPERATORS)
PREFIX = frozenset({"startswith"})


class Type(Enum):
    """What a property is compared with."""

    TEXT = "a string"
    MOMENT = "a date such as DateTime'2026-11-22T08:00:00Z'"
    NUMBER = "a number"
    BOOLEAN = "true or false"


@dataclass(frozen=True, slots=True)
class Property[R]:
    """A property that a list can be filtered by: how to read it, and with what to compare it."""

    read: Callable[[R], Any]
    type: Type = Type.TEXT
    operators: frozenset[str] = EQUALITY


type Properties[R] = Mapping[str, Property[R]]
type Test[R] = Callable[[R], bool]


def parse_filter[R](text: str, properties: Properties[R]) -> Test[R]:
    """Turn a `$filter` into a test of records; InvalidQueryParameterValue when the list does not allow it.

    A record without the property passes `ne` and nothing else. Strings are compared without regard to case.
    """
    return _Parser(text, properties).parse()


def _refuse(text: str, reason: str) -> ServiceError:
    return ServiceError(
        "InvalidQueryParameterValue",
        f"The $filter can't be taken: {reason}",
        QueryParameterName="$filter",
        QueryParameterValue=text[:500],
        Reason=reason,
    )


class _Parser[R]:
    def __init__(self, text: str, properties: Properties[R]) -> None:
        self._text = text
        self._properties = properties
        self._tokens = self._split()
        self._position = 0
        self._depth = 0

    def _split(self) -> list[tuple[str, str]]:
        tokens = []
        position = 0
        while self._text[position:].strip():
            match = _TOKEN.match(self._text, position)
            if match is None:
                raise _refuse(self._text, f"it can't be read from character {position + 1}")
            kind = match.lastgroup or ""
            tokens.append((kind, match[kind]))
            position = match.end()
        return tokens

    def parse(self) -> Test[R]:
        if not self._tokens:
            raise _refuse(self._text, "it is empty")
        test = self._either()
        if self._position < len(self._tokens):
            raise _refuse(self._text, f"'{self._tokens[self._position][1]}' is not expected there")
        return test

    def _peek(self) -> tuple[str, str]:
        return self._tokens[self._position] if self._position < len(self._tokens) else ("end", "its end")

    def _take(self, kind: str) -> str:
        found, text = self._peek()
        if found != kind:
            raise _refuse(self._text, f"{kind} is expected instead of {text}")
        self._position += 1
        return text

    def _word(self, word: str) -> bool:
        kind, text = self._peek()
        if kind == "name" and text.lower() == word:
            self._position += 1
            return True
        return False

    def _either(self) -> Test[R]:
        tests = [self._both()]
        while self._word("or"):
            tests.append(self._both())
        return reduce(_or, tests)

    def _both(self) -> Test[R]:
        tests = [self._single()]
        while self._word("and"):
            tests.append(self._single())
        return reduce(_and, tests)

    def _single(self) -> Test[R]:
        if self._peek()[0] == "open":
            self._depth += 1
            if self._depth > _DEEPEST:
                raise _refuse(self._text, "its parentheses are nested too deep")
            self._take("open")
            test = self._either()
            self._take("close")
            self._depth -= 1
            return test
        if self._word("startswith"):
            return self._prefix()
        name = self._take("name")
        operator = self._take("name")
        declared = self._declared(name, operator)
        return self._comparison(name, declared, operator)

    def _declared(self, name: str, operator: str) -> Property[R]:
        declared = self._properties.get(name)
        if declared is None:
            raise _refuse(self._text, f"this list can't be filtered by '{name}'")
        if operator not in declared.operators:
            allowed = ", ".join(sorted(declared.operators))
            raise _refuse(self._text, f"'{name}' can be filtered with {allowed}, not with '{operator}'")
        return declared

    def _prefix(self) -> Test[R]:
        self._take("open")
        name = self._take("name")
        declared = self._declared(name, "startswith")
        self._take("comma")
        prefix = _unquote(self._take("text")).lower()
        self._take("close")
        read = declared.read
        return lambda record: (read(record) or "").lower().startswith(prefix)

    def _comparison(self, name: str, declared: Property[R], operator: str) -> Test[R]:
        kind, text = self._peek()
        self._position += 1
        value = self._value(name, declared.type, kind, text)
        read, compare = declared.read, _OPERATORS[operator]
        if declared.type is Type.TEXT:
            lowered = value.lower()
            if compare is eq:  # much the commonest: without another call
                return lambda record: (read(record) or "\0").lower() == lowered
            return _guarded(lambda record: _lower(read(record)), lowered, compare)
        return _guarded(read, value, compare)

    def _value(self, name: str, wanted: Type, kind: str, text: str) -> Any:
        if wanted is Type.TEXT and kind == "text":
            return _unquote(text)
        if wanted is Type.NUMBER and kind == "number":
            return float(text)
        if wanted is Type.BOOLEAN and kind == "name" and text.lower() in ("true", "false"):
            return text.lower() == "true"
        if wanted is Type.MOMENT and kind == "date":
            try:
                return parse_moment(_unquote(text[len("datetime") :]))
            except ValueError as exc:
                raise _refuse(self._text, f"{text} is no date") from exc
        raise _refuse(self._text, f"'{name}' is compared with {wanted.value}, not with {text}")


def _or[R](one: Test[R], other: Test[R]) -> Test[R]:
    return lambda record: one(record) or other(record)


def _and[R](one: Test[R], other: Test[R]) -> Test[R]:
    return lambda record: one(record) and other(record)


def _guarded[R](read: Callable[[R], Any], value: Any, compare: Callable[[Any, Any], bool]) -> Test[R]:
    if compare is eq:
        return lambda record: bool(read(record) == value)
    if compare is ne:
        return lambda record: bool(read(record) != value)

    def test(record: R) -> bool:
        found = read(record)
        return found is not None and compare(found, value)

    return test


def _lower(value: str | None) -> str | None:
    return None if value is None else value.lower()


def _unquote(text: str) -> str:
    return text[1:-1].replace("''", "'")


def parse_select(text: str | None) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Turn a `$select` into a choice of properties, at the top or by paths such as `executionInfo/exitCode`.

    A name that the object does not have selects nothing.
    """
    if text is None or not text.strip():
        return lambda view: view
    paths = [tuple(part.strip() for part in path.split("/")) for path in text.split(",")]
    if any(not all(path) for path in paths):
        raise ServiceError(
            "InvalidQueryParameterValue",
            "The $select must be names divided by commas.",
            QueryParameterName="$select",
            QueryParameterValue=text[:500],
        )
    if any(path == ("*",) for path in paths):
        return lambda view: view

    def choose(view: dict[str, Any]) -> dict[str, Any]:
        chosen: dict[str, Any] = {}
        for path in paths:
            _copy(view, chosen, path)
        return chosen

    return choose


def _copy(source: dict[str, Any], target: dict[str, Any], path: tuple[str, ...]) -> None:
    name, rest = path[0], path[1:]
    if name not in source:
        return
    value = source[name]
    if not rest or not isinstance(value, dict):
        target[name] = value
        return
    inner = target.setdefault(name, {})
    if isinstance(inner, dict):
        _copy(value, inner, rest)
