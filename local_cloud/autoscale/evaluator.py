"""The evaluation of a formula: values out of a tree, with a bound on time and memory."""

import random
from typing import Final

from local_cloud.autoscale import functions, sampling, syntax
from local_cloud.autoscale.errors import Failure
from local_cloud.autoscale.operators import binary, negate, truth
from local_cloud.autoscale.samples import PERIOD, Samples
from local_cloud.autoscale.syntax import Node
from local_cloud.autoscale.values import (
    TICKS_PER_SECOND,
    TimeInterval,
    Timestamp,
    Value,
    Vec,
    parse_timestamp,
    type_name,
)

MAX_ELEMENTS: Final = 5_000
"""Longest doubleVec of an evaluation (our bound; a day of samples has 2,880)."""
MAX_WORK: Final = 1_000_000
"""Most vector elements an evaluation may touch (our bound; about a tenth of a second)."""


class Stop(Exception):
    """`stop()` was called: what is assigned so far stands."""


class Evaluator:
    """One evaluation: the variables so far, what may be read, and the work still allowed."""

    def __init__(self, samples: Samples, now: Timestamp, seed: int, variables: dict[str, Value]) -> None:
        self._samples = samples
        self._now = now
        self._random = random.Random(seed)
        self._work = MAX_WORK
        self.variables = variables

    def value(self, node: Node) -> Value:
        """Evaluate an expression; a Failure carries the position of the innermost node concerned."""
        try:
            return self._value(node)
        except Failure as failure:
            if failure.position is None:
                failure.position = node.position
            raise

    def _value(self, node: Node) -> Value:
        match node:
            case syntax.Literal():
                return node.value
            case syntax.Variable():
                return self.variables[node.name]
            case syntax.Chain():
                return self._chain(node)
            case syntax.SampleCall():
                return self._sample_call(node)
            case syntax.Call():
                return self._call(node)
            case syntax.Choice():
                return self.value(node.then if truth(self.value(node.condition)) else node.otherwise)
            case syntax.Logic():
                return self._logic(node)
            case syntax.MetricName():
                return self._samples.current(node.metric)
            case syntax.Negation():
                return negate(node.operator, self.value(node.operand))
            case syntax.Member():
                return self._member(node)
            case syntax.Vector():
                return self._bounded(functions.flatten("[]", self._arguments(node.items)))
            case _:
                raise TypeError(f"no rule for {type(node).__name__}")

    def _bounded(self, value: Value) -> Value:
        if isinstance(value, tuple):
            self._spend(len(value))
            if len(value) > MAX_ELEMENTS:
                raise Failure(f"a doubleVec has {len(value)} elements, more than the {MAX_ELEMENTS} allowed")
        return value

    def _spend(self, elements: int) -> None:
        self._work -= elements
        if self._work < 0:
            raise Failure("the formula computes with too many values")

    def _arguments(self, nodes: tuple[Node, ...]) -> tuple[Value, ...]:
        values = tuple(self.value(node) for node in nodes)
        self._spend(sum(len(value) if isinstance(value, tuple) else 1 for value in values))
        return values

    def _chain(self, node: syntax.Chain) -> Value:
        result = self.value(node.first)
        for step in node.steps:
            operand = self.value(step.operand)
            try:
                result = self._bounded(binary(step.operator, result, operand))
            except Failure as failure:
                failure.position = failure.position or step.position
                raise
        return result

    def _logic(self, node: syntax.Logic) -> Value:
        decisive = node.operator == "||"
        found = any(truth(self.value(operand)) is decisive for operand in node.operands)
        return float(found is decisive)

    def _member(self, node: syntax.Member) -> Value:
        owner = self.value(node.owner)
        if not isinstance(owner, Timestamp):
            raise Failure(f"only a timestamp has a {node.name}, not a {type_name(owner)}")
        moment = owner.moment
        return float(moment.isoweekday() if node.name == "weekday" else getattr(moment, node.name))

    def _call(self, node: syntax.Call) -> Value:
        arguments = self._arguments(node.arguments)
        match node.function, arguments:
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
                return self._bounded(functions.call(name, arguments))

    def _sample_call(self, node: syntax.SampleCall) -> Value:
        arguments = self._arguments(node.arguments)
        history = self._samples.visible(node.metric, self._now)
        match node.method:
            case "GetSample":
                found: Vec = sampling.sample(node.metric, history, self._now, arguments)
                return self._bounded(found)
            case "GetSamplePercent":
                return sampling.sample_percent(history, self._now, arguments)
            case "GetSamplePeriod":
                return TimeInterval.of(PERIOD.total_seconds() * TICKS_PER_SECOND)
            case "HistoryBeginTime":
                return sampling.begin_time(node.metric, history)
            case _:
                return float(len(history))
