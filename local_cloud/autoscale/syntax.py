"""The tree of a formula: frozen nodes, each with the position its messages name and its depth."""

from dataclasses import dataclass

from local_cloud.autoscale.errors import Position
from local_cloud.autoscale.values import Value
from local_cloud.autoscale.vocabulary import Metric


@dataclass(frozen=True, slots=True)
class Node:
    """Any expression; `depth` is the height of the tree below it, bounded by the parser."""

    position: Position
    depth: int


@dataclass(frozen=True, slots=True)
class Literal(Node):
    """A number, a string or a named constant."""

    value: Value


@dataclass(frozen=True, slots=True)
class Variable(Node):
    """A user variable, a target or the deallocation option, by its name with the dollar sign."""

    name: str


@dataclass(frozen=True, slots=True)
class MetricName(Node):
    """A metric without a method: its current value."""

    metric: Metric


@dataclass(frozen=True, slots=True)
class Vector(Node):
    """`[a, b, ...]`."""

    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Negation(Node):
    """`-a` or `!a`."""

    operator: str
    operand: Node


@dataclass(frozen=True, slots=True)
class Step:
    """One operator of a chain and what stands right of it."""

    position: Position
    operator: str
    operand: Node


@dataclass(frozen=True, slots=True)
class Chain(Node):
    """`a + b - c ...`, `a * b / c ...` or one comparison: from left to right, so depth does not grow."""

    first: Node
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Logic(Node):
    """`a && b && ...` or `a || b || ...`; stops at the first operand that decides."""

    operator: str
    operands: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Choice(Node):
    """`condition ? then : otherwise`; only the chosen branch is evaluated."""

    condition: Node
    then: Node
    otherwise: Node


@dataclass(frozen=True, slots=True)
class Member(Node):
    """`timestamp.hour` and its like."""

    owner: Node
    name: str


@dataclass(frozen=True, slots=True)
class Call(Node):
    """`function(arguments)`."""

    function: str
    arguments: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class SampleCall(Node):
    """`$Metric.Method(arguments)`."""

    metric: Metric
    method: str
    arguments: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Statement:
    """`target = expression`, or an expression alone (`stop();`), which only has its effect."""

    target: str | None
    expression: Node


@dataclass(frozen=True, slots=True)
class Formula:
    """A formula that the service would accept for a pool."""

    text: str
    statements: tuple[Statement, ...]
