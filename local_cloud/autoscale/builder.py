"""The parser's callbacks: each completed rule becomes a node, bottom-up, so that no recursion is needed."""

from lark import Token, Transformer, v_args

from local_cloud.autoscale import syntax
from local_cloud.autoscale.errors import Code, FormulaError, Position
from local_cloud.autoscale.functions import ARITIES
from local_cloud.autoscale.syntax import Node
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


def _above(position: Position, *below: Node) -> int:
    depth = 1 + max((node.depth for node in below), default=0)
    if depth > MAX_DEPTH:
        raise refuse(position, f"expressions are nested more than {MAX_DEPTH} deep; use a variable between.")
    return depth


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
        """`condition ? then : otherwise`."""
        depth = _above(place(mark), condition, then, otherwise)
        return syntax.Choice(place(mark), depth, condition, then, otherwise)

    def logic(self, first: Node, *rest: Token | Node) -> Node:
        """`a && b ...`, `a || b ...`."""
        operands = (first, *(node for node in rest if isinstance(node, Node)))
        mark = rest[0]
        assert isinstance(mark, Token)
        return syntax.Logic(place(mark), _above(place(mark), *operands), str(mark), operands)

    def chain(self, first: Node, *rest: Token | Node) -> Node:
        """Chain operators of one rank, from left to right."""
        steps = tuple(
            syntax.Step(place(mark), str(mark), operand)
            for mark, operand in zip(rest[::2], rest[1::2], strict=True)
            if isinstance(mark, Token) and isinstance(operand, Node)
        )
        depth = _above(steps[0].position, first, *(step.operand for step in steps))
        return syntax.Chain(steps[0].position, depth, first, steps)

    def negation(self, mark: Token, operand: Node) -> Node:
        """`-a`, `!a`."""
        return syntax.Negation(place(mark), _above(place(mark), operand), str(mark), operand)

    def member(self, owner: Node, name: Token) -> Node:
        """`owner.name`."""
        if name not in MEMBERS:
            hint = f"write {name}(...)" if name in METHODS else f"a timestamp has {', '.join(MEMBERS)}"
            raise refuse(place(name), f"there is no member {name}: {hint}.")
        return syntax.Member(place(name), _above(place(name), owner), owner, str(name))

    def method(self, owner: Node, name: Token, opening: Token, arguments: tuple[Node, ...] | None) -> Node:
        """`$Metric.Method(...)`; the service's messages name the column of the bracket."""
        if name not in METHODS:
            raise refuse(place(name), f"there is no method {name}: metrics have {', '.join(METHODS)}.")
        if not isinstance(owner, syntax.MetricName):
            raise refuse(place(name), f"{name} belongs to metrics such as $PendingTasks, not to other values.")
        given = arguments or ()
        _count(place(opening), str(name), len(given), METHODS[name])
        depth = _above(place(opening), *given)
        return syntax.SampleCall(place(opening), depth, owner.metric, str(name), given)

    def number(self, token: Token) -> Node:
        """Read a double."""
        return syntax.Literal(place(token), 1, float(token))

    def text(self, token: Token) -> Node:
        """Read a string without its quotes."""
        return syntax.Literal(place(token), 1, str(token)[1:-1])

    def name(self, token: Token) -> Node:
        """Look up a constant, a metric or a variable."""
        if token in CONSTANTS:
            return syntax.Literal(place(token), 1, CONSTANTS[token])
        name = variable_name(token)
        if name in METRICS:
            return syntax.MetricName(place(token), 1, METRICS[name])
        return syntax.Variable(place(token), 1, name)

    def call(self, function: Token, opening: Token, arguments: tuple[Node, ...] | None) -> Node:
        """`function(...)`."""
        given = arguments or ()
        if function not in ARITIES:
            raise refuse(place(function), f"there is no function {function}.")
        _count(place(opening), str(function), len(given), ARITIES[function])
        return syntax.Call(place(function), _above(place(opening), *given), str(function), given)

    def group(self, _opening: Token, inner: Node) -> Node:
        """`( ... )`: leaves no trace in the tree."""
        return inner

    def vector(self, opening: Token, items: tuple[Node, ...] | None) -> Node:
        """`[ ... ]`."""
        given = items or ()
        return syntax.Vector(place(opening), _above(place(opening), *given), given)

    def arguments(self, *nodes: Node) -> tuple[Node, ...]:
        """Collect what stands between commas."""
        return nodes


def _count(position: Position, name: str, given: int, allowed: tuple[int, int | None]) -> None:
    least, most = allowed
    if given < least or (most is not None and given > most):
        wanted = str(least) if least == most else f"{least} or more" if most is None else f"{least} to {most}"
        raise refuse(position, f"{name} takes {wanted} arguments, not {given}.")
