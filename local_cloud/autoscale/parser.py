"""From text to Formula: grammar, then every rule that can be checked without evaluating."""

from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import Final

from lark import Lark, Token
from lark.exceptions import UnexpectedCharacters, UnexpectedInput, UnexpectedToken

from local_cloud.autoscale.builder import Builder, place, refuse
from local_cloud.autoscale.errors import Code, FormulaError, Position
from local_cloud.autoscale.syntax import Formula, Node, Statement
from local_cloud.autoscale.vocabulary import MAX_BYTES, MAX_STATEMENTS, WRITABLE

_PUNCTUATION: Final = {
    "_SEMICOLON": "';'",
    "_ASSIGN": "'='",
    "_COLON": "':'",
    "_COMMA": "','",
    "_CLOSE": "')'",
    "_UNBRACKET": "']'",
    "OPEN": "'('",
}
_OPERANDS: Final = frozenset({"NAME", "NUMBER", "STRING", "OPEN", "BRACKET"})


@cache
def _parser() -> Lark:
    grammar = files("local_cloud.autoscale").joinpath("formula.lark").read_text(encoding="utf-8")
    return Lark(grammar, parser="lalr", transformer=Builder(), maybe_placeholders=True)


def parse(text: str) -> Formula:
    """Parse a formula. Raises FormulaError with the code that the service refuses it with.

    Refused beside wrong syntax: more than 8 KB or 100 statements, unknown functions, methods or members, a
    wrong number of arguments, variables read before they are set, service variables that cannot be set.
    """
    size = _size(text)
    if size > MAX_BYTES:
        reason = f"the formula has {size} bytes, more than the {MAX_BYTES} allowed."
        raise FormulaError(Code.TOO_LONG, Position(1, 1), reason)
    try:
        # The transformer makes statements of the tree while it is parsed, which Lark's types cannot say.
        statements: tuple[Statement, ...] = _parser().parse(text)  # type: ignore[assignment]
    except UnexpectedInput as exc:
        raise _explain(exc) from exc
    if len(statements) > MAX_STATEMENTS:
        position = statements[MAX_STATEMENTS].expression.position
        raise refuse(position, f"{len(statements)} statements are more than the {MAX_STATEMENTS} allowed.")
    _check_reads(statements)
    return Formula(text, statements)


def _size(text: str) -> int:
    try:
        return len(text.encode())
    except UnicodeEncodeError as exc:  # half a surrogate pair: no answer could repeat it
        before = text[: exc.start]
        position = Position(before.count("\n") + 1, exc.start - before.rfind("\n"))
        raise refuse(position, "the formula holds a character that is none.") from exc


def _check_reads(statements: tuple[Statement, ...]) -> None:
    known = set(WRITABLE)
    for statement in statements:
        for node in _nodes(statement.expression):
            if node.variable is not None and node.variable not in known:
                raise refuse(node.position, f"the variable {node.variable} is not defined.")
        if statement.target is not None:
            known.add(statement.target)


def _nodes(root: Node) -> Iterator[Node]:
    waiting = [root]
    while waiting:
        node = waiting.pop()
        yield node
        waiting.extend(node.below)


def _explain(exc: UnexpectedInput) -> FormulaError:
    match exc:
        case UnexpectedCharacters(line=line, column=column, char=char):
            reason = "the string is not closed" if char == '"' else f"the character {char!r} has no meaning here"
            return refuse(Position(line, column), f"{reason}.")
        case UnexpectedToken(token=Token() as token) if token.type == "$END":
            place_of_end = Position(exc.line, exc.column) if exc.line > 0 and exc.column > 0 else Position(1, 1)
            return refuse(place_of_end, f"the formula ends too early{_wanted(exc)}.")
        case UnexpectedToken(token=Token() as token):
            hint = _wanted(exc)
            if token.type == "NAME" and "_SEMICOLON" in exc.accepts:
                hint = ": perhaps a ';' is missing before it"
            return refuse(place(token), f"unexpected {str(token)[:40]!r}{hint}.")
        case _:
            return refuse(Position(1, 1), "the formula cannot be read.")


def _wanted(exc: UnexpectedToken) -> str:
    accepts = set(exc.accepts or ())
    if accepts >= _OPERANDS:
        return ": a value is missing"
    closing = sorted(_PUNCTUATION[name] for name in accepts if name in _PUNCTUATION)
    return f": {' or '.join(closing)} is missing" if closing else ""
