"""OData as Batch has it: `$filter` parsed into a test of records, `$select` into a choice of properties."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from itertools import accumulate
from operator import eq, ge, gt, le, lt, ne
from typing import Any

from lark import Lark, Token, Transformer, v_args
from lark.exceptions import UnexpectedCharacters, UnexpectedInput, VisitError

from local_cloud.batch.state.errors import ServiceError
from local_cloud.batch.state.times import parse_moment

_PARSER = Lark(
    r"""
    ?start: either
    ?either: both | both (_OR both)+ -> any_of
    ?both: single | single (_AND single)+ -> all_of
    ?single: _OPEN either _CLOSE
           | _STARTSWITH _OPEN NAME _COMMA TEXT _CLOSE -> prefix
           | NAME NAME (TEXT | DATE | NUMBER | NAME) -> comparison
    _OR: "or"i
    _AND: "and"i
    _STARTSWITH: "startswith"i
    _OPEN: "("
    _CLOSE: ")"
    _COMMA: ","
    DATE.1: /datetime'([^']|'')*'/i
    TEXT: /'([^']|'')*'/
    NUMBER: /-?[0-9]{1,15}(\.[0-9]{1,15})?(?!\w)/
    NAME: /[A-Z_][\w\/]*/i
    %ignore /\s+/
    """,
    parser="lalr",
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
    if max(accumulate((letter == "(") - (letter == ")") for letter in text), default=0) > _DEEPEST:
        raise _refuse(text, "its parentheses are nested too deep")
    try:
        test: Test[R] = _Tests(text, properties).transform(_PARSER.parse(text))
    except UnexpectedCharacters as exc:
        raise _refuse(text, f"it can't be read from character {(exc.pos_in_stream or 0) + 1}") from exc
    except UnexpectedInput as exc:
        found = getattr(exc, "token", "")
        raise _refuse(text, f"'{found}' is not expected there" if found else "it ends too early") from exc
    except VisitError as exc:
        raise exc.orig_exc from None
    return test


def _refuse(text: str, reason: str) -> ServiceError:
    return ServiceError(
        "InvalidQueryParameterValue",
        f"The $filter can't be taken: {reason}",
        QueryParameterName="$filter",
        QueryParameterValue=text[:500],
        Reason=reason,
    )


@v_args(inline=True)
class _Tests[R](Transformer[Token, Any]):
    """Makes a test of each rule of the grammar."""

    def __init__(self, text: str, properties: Properties[R]) -> None:
        super().__init__()
        self._text = text
        self._properties = properties

    def any_of(self, *tests: Test[R]) -> Test[R]:
        return lambda record: any(test(record) for test in tests)

    def all_of(self, *tests: Test[R]) -> Test[R]:
        return lambda record: all(test(record) for test in tests)

    def prefix(self, name: Token, text: Token) -> Test[R]:
        read, prefix = self._declared(name, "startswith").read, _unquote(text).lower()
        return lambda record: (read(record) or "").lower().startswith(prefix)

    def comparison(self, name: Token, operator: Token, value: Token) -> Test[R]:
        declared = self._declared(name, operator)
        wanted = self._value(name, declared.type, value)
        read, compare = declared.read, _OPERATORS[operator]
        if declared.type is Type.TEXT:
            lowered = wanted.lower()
            if compare is eq:  # much the commonest: without another call
                return lambda record: (read(record) or "\0").lower() == lowered
            return _guarded(lambda record: _lower(read(record)), lowered, compare)
        return _guarded(read, wanted, compare)

    def _declared(self, name: str, operator: str) -> Property[R]:
        declared = self._properties.get(name)
        if declared is None:
            raise _refuse(self._text, f"this list can't be filtered by '{name}'")
        if operator not in declared.operators:
            allowed = ", ".join(sorted(declared.operators))
            raise _refuse(self._text, f"'{name}' can be filtered with {allowed}, not with '{operator}'")
        return declared

    def _value(self, name: str, wanted: Type, value: Token) -> Any:
        match wanted, value.type:
            case Type.TEXT, "TEXT":
                return _unquote(value)
            case Type.NUMBER, "NUMBER":
                return float(value)
            case Type.BOOLEAN, "NAME" if value.lower() in ("true", "false"):
                return value.lower() == "true"
            case Type.MOMENT, "DATE":
                try:
                    return parse_moment(_unquote(value[len("datetime") :]))
                except ValueError as exc:
                    raise _refuse(self._text, f"{value} is no date") from exc
        raise _refuse(self._text, f"'{name}' is compared with {wanted.value}, not with {value}")


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
