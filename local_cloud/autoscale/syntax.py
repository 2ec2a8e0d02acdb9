"""What a formula is once it is parsed: statements, whose expressions know how they are evaluated."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from local_cloud.autoscale.errors import Position
from local_cloud.autoscale.values import Value
from local_cloud.autoscale.vocabulary import Metric

if TYPE_CHECKING:
    from local_cloud.autoscale.evaluator import Evaluator


@dataclass(frozen=True, slots=True)
class Node:
    """Any expression: the position that its messages name, its operands, and how its value is found.

    `depth` is the height of the tree below it, bounded by the parser. Of a variable or a metric alone, `variable`
    (with the dollar sign) or `metric` says which.
    """

    position: Position
    evaluate: "Callable[[Evaluator], Value]"
    below: tuple["Node", ...] = ()
    depth: int = 1
    variable: str | None = None
    metric: Metric | None = None


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
