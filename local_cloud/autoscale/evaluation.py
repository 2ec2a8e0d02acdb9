"""What an evaluation means for a pool: targets, deallocation option, the printed results."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from local_cloud.autoscale.errors import EvaluationError, Failure, FormulaError, evaluation_error
from local_cloud.autoscale.evaluator import Evaluator, Stop
from local_cloud.autoscale.parser import parse
from local_cloud.autoscale.samples import Samples
from local_cloud.autoscale.syntax import Formula, Statement
from local_cloud.autoscale.values import DeallocationOption, Timestamp, Value, render, type_name
from local_cloud.autoscale.vocabulary import ALIASES, DEALLOCATION, DEDICATED, LOW_PRIORITY, WRITABLE

_MAX_NODES: Final = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Targets:
    """How many nodes a pool is to have."""

    dedicated: int = 0
    low_priority: int = 0


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The outcome of one evaluation.

    `results` is the service's own line of all variables. After an error it and `targets` show the targets as
    they were: a failed evaluation leaves the pool as it is.
    """

    results: str
    targets: Targets
    deallocation_option: DeallocationOption
    error: EvaluationError | None


def evaluate(
    formula: Formula | str, samples: Samples, now: datetime, *, seed: int = 0, current: Targets | None = None
) -> Evaluation:
    """Evaluate a formula (or its text) at `now` (aware); never raise for what a formula may contain.

    `current` are the pool's present targets, which the formula may read and which stand where it sets none;
    `seed` decides `rand()`.
    """
    before = current or Targets()
    unchanged: dict[str, Value] = {
        DEDICATED: float(before.dedicated),
        LOW_PRIORITY: float(before.low_priority),
        DEALLOCATION: DeallocationOption.REQUEUE,
    }
    try:
        parsed = parse(formula) if isinstance(formula, str) else formula
        clock = Timestamp.of(now.astimezone(UTC))
        variables = _run(parsed, Evaluator(samples, clock, seed, dict(unchanged)))
        return _outcome(variables, None)
    except FormulaError as exc:
        return _outcome(unchanged, evaluation_error(str(exc), cause=exc.code))
    except Failure as failure:
        detail = f"{failure.position}: {failure.reason}"
        return _outcome(unchanged, evaluation_error(detail, cause=failure.code))


def _run(formula: Formula, evaluator: Evaluator) -> dict[str, Value]:
    variables = evaluator.variables
    assigned: set[str] = set()
    for alias, name in ALIASES.items():
        variables[alias] = variables[name]
    try:
        for statement in formula.statements:
            value = evaluator.value(statement.expression)
            if statement.target is None:
                continue
            _assign(variables, statement, value)
            assigned.add(statement.target)
            for alias, name in ALIASES.items():
                if statement.target == alias and name not in assigned:
                    variables[name] = value
                elif statement.target == name and alias not in assigned:
                    variables[alias] = value
    except Stop:
        pass
    return {name: value for name, value in variables.items() if name not in ALIASES}


def _assign(variables: dict[str, Value], statement: Statement, value: Value) -> None:
    name = statement.target
    assert name is not None
    if name in WRITABLE:
        try:
            value = _option(value) if name == DEALLOCATION else _node_count(name, value)
        except Failure as failure:
            failure.position = statement.expression.position
            raise
    variables[name] = value


def _option(value: Value) -> DeallocationOption:
    if isinstance(value, str) and value in frozenset(DeallocationOption):
        return DeallocationOption(value)
    raise Failure(f"{DEALLOCATION} takes {', '.join(DeallocationOption)}, not {render(value)[:40]}")


def _node_count(name: str, value: Value) -> float:
    if not isinstance(value, float):
        raise Failure(f"{name} takes a double, not a {type_name(value)}")
    if not (math.isfinite(value) and -1 < value <= _MAX_NODES):
        raise Failure(f"{name} cannot be {render(value)}")
    return value


def _outcome(variables: Mapping[str, Value], error: EvaluationError | None) -> Evaluation:
    """Read the outcome from the variables. Targets lose their fractions only here: 2.9 nodes are 2."""
    dedicated, low_priority, option = (variables[name] for name in (DEDICATED, LOW_PRIORITY, DEALLOCATION))
    assert isinstance(dedicated, float)
    assert isinstance(low_priority, float)
    assert isinstance(option, DeallocationOption)
    targets = Targets(int(dedicated), int(low_priority))
    users = sorted(name for name in variables if name not in WRITABLE)
    printed = [
        f"{DEDICATED}={targets.dedicated}",
        f"{LOW_PRIORITY}={targets.low_priority}",
        f"{DEALLOCATION}={option}",
        *(f"{name}={render(variables[name])}" for name in users),
    ]
    return Evaluation(";".join(printed), targets, option, error)
