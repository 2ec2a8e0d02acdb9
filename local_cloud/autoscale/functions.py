"""The predefined functions that need nothing but their arguments."""

import math
from collections.abc import Callable, Iterable
from typing import Final

from local_cloud.autoscale.errors import Failure
from local_cloud.autoscale.values import Value, Vec, type_name

ARITIES: Final[dict[str, tuple[int, int | None]]] = {
    **dict.fromkeys(("avg", "len", "max", "min", "norm", "range", "std", "sum"), (0, None)),
    **dict.fromkeys(("lg", "ln", "log", "ceil", "floor", "round"), (1, None)),
    **dict.fromkeys(("percentile", "val"), (2, 2)),
    **dict.fromkeys(("rand", "stop"), (0, 0)),
    "time": (0, 1),
}


def flatten(name: str, arguments: Iterable[Value]) -> Vec:
    """Join a doubleVecList into one vector."""
    result: list[float] = []
    for value in arguments:
        match value:
            case float():
                result.append(value)
            case tuple():
                result.extend(value)
            case _:
                raise Failure(f"{name} takes doubles and doubleVecs, not a {type_name(value)}")
    return tuple(result)


def _logarithm(of: Callable[[float], float]) -> Callable[[float], float]:
    """Make a logarithm as in .NET: of zero it is minus infinity, of less undefined."""
    return lambda x: of(x) if x > 0 else (-math.inf if x == 0 else math.nan)


def _whole(of: Callable[[float], int]) -> Callable[[float], float]:
    return lambda x: float(of(x)) if math.isfinite(x) else x


_COMPONENTWISE: Final[dict[str, Callable[[float], float]]] = {
    "lg": _logarithm(math.log2),
    "ln": _logarithm(math.log),
    "log": _logarithm(math.log10),
    "ceil": _whole(math.ceil),
    "floor": _whole(math.floor),
    "round": _whole(round),
}


def _sum(vec: Vec) -> float:
    """Add plainly: math.fsum would raise where IEEE answers infinity."""
    return sum(vec, 0.0)


def _std(vec: Vec) -> float:
    if len(vec) < 2:
        raise Failure("std needs at least two values")
    mean = _sum(vec) / len(vec)
    return math.sqrt(_sum(tuple((item - mean) * (item - mean) for item in vec)) / (len(vec) - 1))


_OF_ANY: Final[dict[str, Callable[[Vec], float]]] = {
    "len": lambda vec: float(len(vec)),
    "sum": _sum,
    "norm": lambda vec: math.hypot(*vec),
    "std": _std,
}
_OF_SOME: Final[dict[str, Callable[[Vec], float]]] = {
    "avg": lambda vec: _sum(vec) / len(vec),
    "max": max,
    "min": min,
    "range": lambda vec: max(vec) - min(vec),
}


def call(name: str, arguments: tuple[Value, ...]) -> Value:
    """Call one of the functions that need nothing but their arguments."""
    if name in _COMPONENTWISE:
        of = _COMPONENTWISE[name]
        if len(arguments) == 1 and isinstance(arguments[0], float):
            return of(arguments[0])
        return tuple(map(of, flatten(name, arguments)))
    if name in _OF_ANY:
        return _OF_ANY[name](flatten(name, arguments))
    if name in _OF_SOME:
        vec = flatten(name, arguments)
        if not vec:
            raise Failure(f"{name} of no values: check the number of samples first")
        return _OF_SOME[name](vec)
    match name, arguments:
        case "percentile", (tuple() as vec, float() as percent):
            return _percentile(vec, percent)
        case "val", (tuple() as vec, float() as index):
            return _element(vec, index)
        case _:
            given = ", ".join(map(type_name, arguments))
            raise Failure(f"{name} takes a doubleVec and a double, not {given}")


def _percentile(vec: Vec, percent: float) -> float:
    """Return the element by nearest rank."""
    if not vec:
        raise Failure("percentile of no values: check the number of samples first")
    if not 0 <= percent <= 100:
        raise Failure(f"percentile takes 0 to 100, not {percent:g}")
    return sorted(vec)[max(0, math.ceil(percent / 100 * len(vec)) - 1)]


def _element(vec: Vec, index: float) -> float:
    if not 0 <= index < len(vec):
        raise Failure(f"val asks for element {index:g} of a vector of {len(vec)}")
    return vec[int(index)]
