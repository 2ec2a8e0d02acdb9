"""The operators, each on the pairs of types that the service documents; any other pair fails."""

import math
import operator
from collections.abc import Callable
from typing import Any, Final

from local_cloud.autoscale.errors import Failure
from local_cloud.autoscale.values import TimeInterval, Timestamp, Value, Vec, type_name

type Arithmetic = Callable[[float, float], float]


def _divide(left: float, right: float) -> float:
    """Divide by IEEE's rules, as .NET does: x/0 is infinite, 0/0 undefined."""
    if right != 0:
        return left / right
    if left == 0 or math.isnan(left) or math.isnan(right):
        return math.nan
    return math.copysign(math.inf, left) * math.copysign(1.0, right)


_ARITHMETIC: Final[dict[str, Arithmetic]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": _divide,
}
_COMPARISONS: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "<": operator.lt,
    "<=": operator.le,
    "==": operator.eq,
    ">=": operator.ge,
    ">": operator.gt,
    "!=": operator.ne,
}


def binary(symbol: str, left: Value, right: Value) -> Value:
    """Evaluate `left symbol right`."""
    if symbol in _COMPARISONS:
        return _compare(symbol, left, right)
    match left, right:
        case float(), float():
            return _ARITHMETIC[symbol](left, right)
        case tuple(), float():
            return tuple(_ARITHMETIC[symbol](item, right) for item in left)
        case tuple(), tuple():
            return _pairwise(symbol, left, right)
        case _:
            found = _on_times(symbol, left, right)
    if found is None:
        raise Failure(_unknown(symbol, left, right))
    return found


def _pairwise(symbol: str, left: Vec, right: Vec) -> Vec:
    if len(left) != len(right):
        raise Failure(f"{symbol} needs vectors of one length, not {len(left)} and {len(right)} elements")
    return tuple(map(_ARITHMETIC[symbol], left, right))


def _on_times(symbol: str, left: Value, right: Value) -> Value | None:
    match symbol, left, right:
        case "*", float(), TimeInterval():
            return TimeInterval.of(left * right.ticks)
        case "*", TimeInterval(), float():
            return TimeInterval.of(left.ticks * right)
        case "/", TimeInterval(), float():
            return TimeInterval.of(_divide(float(left.ticks), right))
        case "+", TimeInterval(), TimeInterval():
            return TimeInterval(left.ticks + right.ticks)
        case "-", TimeInterval(), TimeInterval():
            return TimeInterval(left.ticks - right.ticks)
        case "+", TimeInterval(), Timestamp():
            return Timestamp(left.ticks + right.ticks)
        case "+", Timestamp(), TimeInterval():
            return Timestamp(left.ticks + right.ticks)
        case "-", Timestamp(), Timestamp():
            return TimeInterval(left.ticks - right.ticks)
        case _:
            return None


def _compare(symbol: str, left: Value, right: Value) -> Value:
    comparable = (float, str, Timestamp, TimeInterval)
    if type(left) is not type(right) or not isinstance(left, comparable):
        raise Failure(_unknown(symbol, left, right))
    return float(_COMPARISONS[symbol](left, right))


def _unknown(symbol: str, left: Value, right: Value) -> str:
    sentence = f"{symbol} is not defined for {type_name(left)} and {type_name(right)}"
    if symbol == "-" and isinstance(left, Timestamp) and isinstance(right, TimeInterval):
        return sentence + ": add the negative interval instead"
    return sentence


def negate(symbol: str, operand: Value) -> Value:
    """Evaluate `-operand` or `!operand`."""
    match symbol, operand:
        case "-", float():
            return -operand
        case "-", TimeInterval():
            return TimeInterval(-operand.ticks)
        case "!", float():
            return float(operand == 0)
        case _:
            raise Failure(f"{symbol} is not defined for {type_name(operand)}")


def truth(value: Value) -> bool:
    """Say whether a condition holds: any double but zero."""
    if not isinstance(value, float):
        raise Failure(f"a condition must be a double, not a {type_name(value)}")
    return value != 0


def member_of(value: Value, name: str) -> Value:
    """Evaluate `value.name`."""
    if not isinstance(value, Timestamp):
        raise Failure(f"only a timestamp has a {name}, not a {type_name(value)}")
    moment = value.moment
    return float(moment.isoweekday() if name == "weekday" else getattr(moment, name))
