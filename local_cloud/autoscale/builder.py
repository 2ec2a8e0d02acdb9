"""The parser's callbacks: each completed rule becomes a node, bottom-up, so that no recursion is needed."""

from collections.abc import Callable
from typing import cast

from lark import Token, Transformer, v_args

from local_cloud.autoscale import syntax
from local_cloud.autoscale.errors import Code, Failure, FormulaError, Position
from local_cloud.autoscale.evaluator import Evaluator
from local_cloud.autoscale.functions import ARITIES, flatten
from local_cloud.autoscale.operators import binary, member_of, negate, truth
from local_cloud.autoscale.syntax import Node
from local_cloud.autoscale.values import Value
from local_cloud.autoscale.vocabulary import (
    CONSTANTS,
    MAX_DEPTH,
    MEMBERS,
    METHODS,
    METRICS,
    WRITABLE,
)


def place(token: Token) -> Position:
    """Return where a token begins."""
    return Position(token.line or 1, token.column or 1)


def refuse(position: Position, reason: str) -> FormulaError:
    """Make the error of a formula with a fault at `position`."""
    return FormulaError(Code.SYNTAX, position, reason)


def _node(position: Position, evaluate: Callable[[Evaluator], Value], *below: Node) -> Node:
    depth = 1 + max((node.depth for node in below), default=0)
    if depth > MAX_DEPTH:
        raise refuse(position, f"expressions are nested more than {MAX_DEPTH} deep; use a variable between.")
    return Node(position, evaluate, below, depth)


def variable_name(token: Token) -> str:
    """Return the name of a variable with its dollar sign, which user variables may leave out."""
    name = str(token)
    if name.startswith("$"):
        return name
    if f"${name}" in METRICS or f"${name}" in WRITABLE:
        raise refuse(place(token), f"{name} is a service variable: write ${name}.")
    return f"${name}"


@v_args(inline=True)
class Builder(Transformer[Token, tuple[syntax.Statement, ...]]):
    """Keeps no state: one instance serves all parses."""

    def start(self, *statements: syntax.Statement) -> tuple[syntax.Statement, ...]:
        """Collect all statements in their order."""
        return statements

    def assignment(self, target: Token, expression: Node) -> syntax.Statement:
        """`target = expression`."""
        if target in CONSTANTS:
            raise refuse(place(target), f"{target} is a constant and cannot be assigned.")
        name = variable_name(target)
        if name in METRICS:
            raise refuse(place(target), f"{name} is read-only and cannot be assigned.")
        return syntax.Statement(name, expression)

    def bare(self, expression: Node) -> syntax.Statement:
        """Evaluate an expression for its effect."""
        return syntax.Statement(None, expression)

    def choice(self, condition: Node, mark: Token, then: Node, otherwise: Node) -> Node:
        """`condition ? then : otherwise`; only the chosen branch is evaluated."""

        def evaluate(run: Evaluator) -> Value:
            return run.value(then if truth(run.value(condition)) else otherwise)

        return _node(place(mark), evaluate, condition, then, otherwise)

    def logic(self, first: Node, *rest: Token | Node) -> Node:
        """`a && b ...`, `a || b ...`; stops at the first operand that decides."""
        operands = (first, *(node for node in rest if isinstance(node, Node)))
        decisive = rest[0] == "||"

        def evaluate(run: Evaluator) -> Value:
            found = any(truth(run.value(operand)) is decisive for operand in operands)
            return float(found is decisive)

        return _node(place(cast(Token, rest[0])), evaluate, *operands)

    def chain(self, first: Node, *rest: Token | Node) -> Node:
        """Chain operators of one rank, from left to right, so that depth does not grow."""
        marks, operands = cast(tuple[Token, ...], rest[::2]), cast(tuple[Node, ...], rest[1::2])
        steps = [(str(mark), place(mark), operand) for mark, operand in zip(marks, operands, strict=True)]

        def evaluate(run: Evaluator) -> Value:
            result = run.value(first)
            for symbol, position, operand in steps:
                right = run.value(operand)
                try:
                    result = run.bounded(binary(symbol, result, right))
                except Failure as failure:
                    failure.position = position
                    raise
            return result

        return _node(steps[0][1], evaluate, first, *operands)

    def negation(self, mark: Token, operand: Node) -> Node:
        """`-a`, `!a`."""
        return _node(place(mark), lambda run: negate(str(mark), run.value(operand)), operand)

    def member(self, owner: Node, name: Token) -> Node:
        """`timestamp.hour` and its like."""
        if name not in MEMBERS:
            hint = f"write {name}(...)" if name in METHODS else f"a timestamp has {', '.join(MEMBERS)}"
            raise refuse(place(name), f"there is no member {name}: {hint}.")
        return _node(place(name), lambda run: member_of(run.value(owner), str(name)), owner)

    def method(self, owner: Node, name: Token, opening: Token, arguments: tuple[Node, ...] | None) -> Node:
        """`$Metric.Method(...)`; the service's messages name the column of the bracket."""
        if name not in METHODS:
            raise refuse(place(name), f"there is no method {name}: metrics have {', '.join(METHODS)}.")
        metric = owner.metric
        if metric is None:
            raise refuse(place(name), f"{name} belongs to metrics such as $PendingTasks, not to other values.")
        given = arguments or ()
        _count(place(opening), str(name), len(given), METHODS[name])
        return _node(place(opening), lambda run: run.sampled(metric, str(name), run.arguments(given)), *given)

    def number(self, token: Token) -> Node:
        """Read a double."""
        return _literal(token, float(token))

    def text(self, token: Token) -> Node:
        """Read a string without its quotes."""
        return _literal(token, str(token)[1:-1])

    def name(self, token: Token) -> Node:
        """Look up a constant, a metric or a variable."""
        if token in CONSTANTS:
            return _literal(token, CONSTANTS[token])
        name = variable_name(token)
        metric = METRICS.get(name)
        if metric is not None:
            return Node(place(token), lambda run: run.samples.current(metric), metric=metric)
        return Node(place(token), lambda run: run.variables[name], variable=name)

    def call(self, function: Token, opening: Token, arguments: tuple[Node, ...] | None) -> Node:
        """`function(...)`."""
        given = arguments or ()
        if function not in ARITIES:
            raise refuse(place(function), f"there is no function {function}.")
        _count(place(opening), str(function), len(given), ARITIES[function])
        return _node(place(function), lambda run: run.call(str(function), run.arguments(given)), *given)

    def group(self, _opening: Token, inner: Node) -> Node:
        """`( ... )`: leaves no trace in the tree."""
        return inner

    def vector(self, opening: Token, items: tuple[Node, ...] | None) -> Node:
        """`[ ... ]`."""
        given = items or ()
        return _node(place(opening), lambda run: run.bounded(flatten("[]", run.arguments(given))), *given)

    def arguments(self, *nodes: Node) -> tuple[Node, ...]:
        """Collect what stands between commas."""
        return nodes


def _literal(token: Token, value: Value) -> Node:
    return Node(place(token), lambda run: value)


def _count(position: Position, name: str, given: int, allowed: tuple[int, int | None]) -> None:
    least, most = allowed
    if given < least or (most is not None and given > most):
        wanted = str(least) if least == most else f"{least} or more" if most is None else f"{least} to {most}"
        raise refuse(position, f"{name} takes {wanted} arguments, not {given}.")
