"""Nothing that anybody can write raises anything but FormulaError, takes long or takes much memory."""

import math
import time
import tracemalloc
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from local_cloud.autoscale import FormulaError, Samples, Targets, evaluate, parse
from local_cloud.autoscale.errors import Position
from local_cloud.autoscale.functions import ARITIES
from local_cloud.autoscale.vocabulary import MEMBERS, METHODS

_NOW = datetime(2026, 1, 7, 9, 30, tzinfo=UTC)
_OPERATORS = ("+", "-", "*", "/", "<", "<=", "==", ">=", ">", "!=", "&&", "||")
_METRICS = ("$PendingTasks", "$CPUPercent", "$PreemptedNodeCount")


def _samples(count: int = 60) -> Samples:
    samples = Samples()
    for back in range(count, 0, -1):
        moment = _NOW - back * timedelta(seconds=30)
        samples.record(moment, {"$PendingTasks": back, "$CPUPercent": math.nan, "$ActiveTasks": math.inf})
    return samples


_SAMPLES = _samples()

_atoms = st.one_of(
    st.floats(min_value=0, allow_nan=False, allow_infinity=False).map(repr),
    st.integers(0, 10**30).map(str),
    st.sampled_from(
        (
            *("1e999", "0", "time()", 'time("2026-01-01")', 'time("9999-12-31")', '""', '"x"', "[]", "[1,2,3]"),
            *("TimeInterval_Year", "TimeInterval_100ns", "TimeInterval_Zero", "requeue", "rand()", "stop()"),
            *("$TargetDedicatedNodes", "$NodeDeallocationOption", "$ActiveTasks", *_METRICS),
        )
    ),
)


def _grow(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    some = st.lists(inner, max_size=3).map(", ".join)
    return st.one_of(
        st.tuples(inner, st.sampled_from(_OPERATORS), inner).map(lambda it: f"({it[0]} {it[1]} {it[2]})"),
        st.tuples(st.sampled_from("-!"), inner).map("".join),
        st.tuples(inner, inner, inner).map(lambda it: f"({it[0]} ? {it[1]} : {it[2]})"),
        st.tuples(st.sampled_from(sorted(ARITIES)), some).map(lambda it: f"{it[0]}({it[1]})"),
        st.tuples(st.sampled_from(_METRICS), st.sampled_from(sorted(METHODS)), some).map(
            lambda it: f"{it[0]}.{it[1]}({it[2]})"
        ),
        st.tuples(inner, st.sampled_from(MEMBERS)).map(lambda it: f"({it[0]}).{it[1]}"),
        some.map("[{}]".format),
    )


_expressions = st.recursive(_atoms, _grow, max_leaves=12)
_targets = st.sampled_from(
    ["x", "$TargetDedicatedNodes", "$TargetLowPriority", "$NodeDeallocationOption", "$TargetDedicated"]
)
_formulas = st.lists(st.tuples(_targets, _expressions).map(" = ".join), min_size=1, max_size=4).map(";\n".join)
_words = st.sampled_from(
    (
        *("x", "$x", "$PendingTasks", ".", "GetSample", "(", ")", "[", "]", ",", ";", ":", "?", "=", "!"),
        *("1", "2.5", ".5", "1e9", '"', "//", "\n", "time", "requeue", "\u00e9", "\x00", "\ud800", *_OPERATORS),
    )
)


def _check(text: str) -> None:
    evaluation = evaluate(text, _SAMPLES, _NOW, current=Targets(3, 4))
    assert evaluation.results.startswith("$TargetDedicatedNodes=")
    assert evaluation.targets.dedicated >= 0
    assert evaluation.targets.low_priority >= 0
    if evaluation.error is not None:
        assert evaluation.error.detail.startswith("Line ")
        assert evaluation.targets == Targets(3, 4)


@settings(max_examples=150, deadline=None)
@given(_formulas)
def test_well_formed_formulas_give_targets_or_an_error(text: str) -> None:
    """Any combination of the language's words, whatever its types, is evaluated or told what is wrong."""
    _check(text)


@settings(max_examples=120, deadline=None)
@given(st.one_of(st.text(max_size=60), st.lists(_words, max_size=30).map(" ".join)))
def test_any_text_is_a_formula_or_a_formula_error(text: str) -> None:
    """parse() raises FormulaError with a position inside the text, and nothing else."""
    _check(text)
    position = _fault(text)
    assert 1 <= position.line <= text.count("\n") + 1
    assert 1 <= position.column <= len(text) + 1


def _fault(text: str) -> Position:
    try:
        parse(text)
    except FormulaError as exc:
        return exc.position
    return Position(1, 1)


@pytest.mark.slow
@pytest.mark.parametrize(
    "text",
    [
        "(" * 8000,
        "(" * 4000 + "1" + ")" * 4000,
        "[" * 4000 + "]" * 4000,
        "-" * 8000 + "1",
        "max(" * 1600 + "1" + ")" * 1600,
        "1" + "+1" * 4000,
        "1?1:" * 2000 + "1",
        "1&&" * 2600 + "1",
        "x=" * 4000,
        "time()" + ".hour" * 1500,
        "9" * 8000,
        '"' + "a" * 8000,
        "v=[1,2];" + "v=[v,v];" * 98,
        "v=$PendingTasks.GetSample(2400);v=[v,v];x=" + "+".join(["std(v)"] * 1100),
        "v=$PendingTasks.GetSample(2400);v=[v,v];x=v" + "*v" * 4000,
        "x=" + "+".join(["len($PendingTasks.GetSample(9999))"] * 200),
    ],
    ids=lambda text: text[:12],
)
def test_hostile_formulas_end_soon_and_in_little_memory(text: str) -> None:
    """A formula of 8 KB costs less than two seconds of CPU and 64 MB, whatever stands in it."""
    samples = _samples(2880)
    parse("x = 1")
    began = time.process_time()
    evaluation = evaluate(text[:8192], samples, _NOW)
    took = time.process_time() - began
    tracemalloc.start()
    assert evaluate(text[:8192], samples, _NOW) == evaluation
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert took < 2
    assert peak < 64 * 2**20


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("v=$PendingTasks.GetSample(2400);v=[v,v];x=v" + "*v" * 300, "the formula computes with too many values"),
        ("v=$PendingTasks.GetSample(2400);v=[v,v];x=" + "+".join(["std(v)"] * 300), "too many values"),
        ("v=$PendingTasks.GetSample(2400);v=[v,v,v]", "a doubleVec has 7200 elements, more than the 5000 allowed"),
    ],
    ids=["operators", "functions", "length"],
)
def test_work_beyond_the_bounds_fails_the_evaluation(text: str, reason: str) -> None:
    """The bounds are told like any other failure."""
    error = evaluate(text, _samples(2880), _NOW).error
    assert reason in error.detail
