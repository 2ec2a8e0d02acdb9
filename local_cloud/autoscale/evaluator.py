"""The evaluation of a formula: values out of a tree, with a bound on time and memory."""

import random
from typing import Final

from local_cloud.autoscale import functions, samples
from local_cloud.autoscale.errors import Failure
from local_cloud.autoscale.samples import PERIOD, Samples
from local_cloud.autoscale.syntax import Node
from local_cloud.autoscale.values import TICKS_PER_SECOND, TimeInterval, Timestamp, Value, parse_timestamp, type_name
from local_cloud.autoscale.vocabulary import Metric

MAX_ELEMENTS: Final = 5_000
"""Longest doubleVec of an evaluation (our bound; a day of samples has 2,880)."""
MAX_WORK: Final = 1_000_000
"""Most vector elements an evaluation may touch (our bound; about a tenth of a second)."""


class Stop(Exception):
    """`stop()` was called: what is assigned so far stands."""


class Evaluator:
    """One evaluation: the variables so far, what may be read, and the work still allowed."""

    def __init__(self, samples: Samples, now: Timestamp, seed: int, variables: dict[str, Value]) -> None:
        self.samples = samples
        self.variables = variables
        self._now = now
        self._random = random.Random(seed)
        self._work = MAX_WORK

    def value(self, node: Node) -> Value:
        """Evaluate an expression; a Failure carries the position of the innermost node concerned."""
        try:
            return node.evaluate(self)
        except Failure as failure:
            failure.position = failure.position or node.position
            raise

    def bounded(self, value: Value) -> Value:
        """Return a value that was computed; a vector must not be too long, and costs work."""
        if isinstance(value, tuple):
            self._spend(len(value))
            if len(value) > MAX_ELEMENTS:
                raise Failure(f"a doubleVec has {len(value)} elements, more than the {MAX_ELEMENTS} allowed")
        return value

    def _spend(self, elements: int) -> None:
        self._work -= elements
        if self._work < 0:
            raise Failure("the formula computes with too many values")

    def arguments(self, nodes: tuple[Node, ...]) -> tuple[Value, ...]:
        """Evaluate what stands between brackets."""
        values = tuple(self.value(node) for node in nodes)
        self._spend(sum(len(value) if isinstance(value, tuple) else 1 for value in values))
        return values

    def call(self, function: str, arguments: tuple[Value, ...]) -> Value:
        """Call a predefined function."""
        match function, arguments:
            case "stop", _:
                raise Stop
            case "rand", _:
                return self._random.random()
            case "time", () | ("",):
                return self._now
            case "time", (str() as text,):
                return parse_timestamp(text)
            case "time", (other,):
                raise Failure(f"time takes a string, not a {type_name(other)}")
            case name, _:
                return self.bounded(functions.call(name, arguments))

    def sampled(self, metric: Metric, method: str, arguments: tuple[Value, ...]) -> Value:
        """Call a method of a metric."""
        history = self.samples.visible(metric, self._now)
        match method:
            case "GetSample":
                return self.bounded(samples.sample(metric, history, self._now, arguments))
            case "GetSamplePercent":
                return samples.sample_percent(history, self._now, arguments)
            case "GetSamplePeriod":
                return TimeInterval.of(PERIOD.total_seconds() * TICKS_PER_SECOND)
            case "HistoryBeginTime":
                return samples.begin_time(metric, history)
            case _:
                return float(len(history))
