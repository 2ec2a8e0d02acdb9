"""Types, operators, functions and results of the autoscale language."""

import doctest
from types import ModuleType

import pytest

from local_cloud import autoscale
from local_cloud.autoscale import DeallocationOption, Samples, Targets, evaluate, parameters, parse, samples


@pytest.mark.parametrize(
    ("expression", "printed"),
    [
        ("1 + 2 * 3 - 4 / 2", "5"),
        ("(1 + 2) * 3", "9"),
        ("10 - 3 - 2", "5"),
        ("-2 * -3", "6"),
        ("!0 + !5", "1"),
        ("1.5e2", "150"),
        ("1 / 3", "0.333333333333333"),
        ("1e20", "1E+20"),
        ("1 / 0", "Infinity"),
        ("0 / 0", "NaN"),
        ("1 < 2 && 2 <= 2 && 3 > 2 && 2 >= 2 && 1 == 1 && 1 != 2", "1"),
        ("0 || 0", "0"),
        ("1 || 0 && 0", "1"),
        ("0 ? 1 : 2 > 1 ? 3 : 4", "3"),
        ('"a" < "b"', "1"),
        ("[1, 2, 3] * 2", "[2,4,6]"),
        ("[1, 2] + [10, 20]", "[11,22]"),
        ("[1, [2, 3]]", "[1,2,3]"),
        ("TimeInterval_Minute * 90", "01:30:00"),
        ("2 * TimeInterval_Day + TimeInterval_100ns", "2.00:00:00.0000001"),
        ("TimeInterval_Hour / 2 - TimeInterval_Hour", "-00:30:00"),
        ("-TimeInterval_Second", "-00:00:01"),
        ("TimeInterval_Week > TimeInterval_Day", "1"),
        ("TimeInterval_Year / 365 == TimeInterval_Day", "1"),
        ("time()", "2026-01-07T09:30:00.000Z"),
        ('time("")', "2026-01-07T09:30:00.000Z"),
        ("time() + TimeInterval_Hour", "2026-01-07T10:30:00.000Z"),
        ("TimeInterval_Hour + time()", "2026-01-07T10:30:00.000Z"),
        ('time() - time("2026-01-06")', "1.09:30:00"),
        ('time("2016-10-13T19:18:47.805Z")', "2016-10-13T19:18:47.805Z"),
        ('time("2016-10-13T19:18+02:00")', "2016-10-13T17:18:00.000Z"),
        ('time("Thu, 13 Oct 2016 19:18:47 GMT")', "2016-10-13T19:18:47.000Z"),
        ("time().weekday", "3"),
        ("time().year + time().month + time().day", "2034"),
        ("time().hour * 3600 + time().minute * 60 + time().second", "34200"),
        ('time("2026-01-04").weekday', "7"),
    ],
)
def test_expressions_have_the_documented_values(value, expression: str, printed: str) -> None:
    """Every operator, literal and member has its documented value and prints as the service prints it."""
    assert value(expression) == printed


@pytest.mark.parametrize(
    ("expression", "printed"),
    [
        ("avg(1, [2, 3], 6)", "3"),
        ("len([1, 2], 3)", "3"),
        ("len()", "0"),
        ("max([1, 7], 3)", "7"),
        ("min([1, 7], 3)", "1"),
        ("sum([1, 2], 3)", "6"),
        ("norm(3, 4)", "5"),
        ("range(2, [9, 4])", "7"),
        ("std(2, 4, 4, 4, 5, 5, 7, 9)", "2.1380899352994"),
        ("lg(8)", "3"),
        ("lg([8, 2])", "[3,1]"),
        ("ln(1)", "0"),
        ("log(1000)", "3"),
        ("log([10], 100)", "[1,2]"),
        ("log(0)", "-Infinity"),
        ("percentile([5, 1, 3, 2, 4], 50)", "3"),
        ("percentile([5, 1, 3, 2, 4], 100)", "5"),
        ("val([5, 6, 7], 1)", "6"),
        ("ceil(1.2)", "2"),
        ("floor([1.8, -1.2])", "[1,-2]"),
        ("round(2.6)", "3"),
    ],
)
def test_functions_have_the_documented_values(value, expression: str, printed: str) -> None:
    """Every predefined function, over doubles, vectors and lists of both."""
    assert value(expression) == printed


def test_rand_follows_the_seed(run) -> None:
    """rand() is between 0 and 1, the same for one seed and different for another."""
    first, again, other = (run("x = rand();", seed=seed).results for seed in (1, 1, 2))
    assert first == again != other
    assert 0 <= float(first.rpartition("=")[2]) < 1


@pytest.mark.parametrize(
    ("formula", "targets"),
    [
        pytest.param("$TargetDedicatedNodes = 2.9;", Targets(2, 7), id="2.9 nodes are 2; what is not set stays"),
        pytest.param("$TargetLowPriorityNodes = 1;", Targets(5, 1), id="each kind of nodes by itself"),
        pytest.param("$TargetDedicatedNodes = $TargetDedicatedNodes / 2;", Targets(2, 7), id="from what it is"),
        pytest.param("$TargetDedicated = 3; $TargetLowPriority = 4;", Targets(3, 4), id="aliases"),
        pytest.param("$TargetDedicatedNodes = 1; $TargetDedicated = 3;", Targets(1, 7), id="full name before alias"),
        pytest.param("$TargetDedicated = 3; $TargetDedicatedNodes = 1;", Targets(1, 7), id="alias before full name"),
        pytest.param("x = 2; $TargetDedicatedNodes = $x;", Targets(2, 7), id="x and $x are one variable"),
        pytest.param("$TargetDedicatedNodes = 3; stop(); $TargetDedicatedNodes = 9;", Targets(3, 7), id="stop"),
        pytest.param(
            "// first\r\nx =\n  1 // one\n + 2;\n\n$TargetDedicatedNodes = x // last", Targets(3, 7), id="free form"
        ),
    ],
)
def test_targets_follow_the_formula(run, formula: str, targets: Targets) -> None:
    """Targets are read, set and left as documented, by both of their names."""
    evaluation = run(formula, current=Targets(dedicated=5, low_priority=7))
    assert (evaluation.targets, evaluation.error) == (targets, None)


def test_results_list_targets_first_and_variables_in_order(run) -> None:
    """The results line reads as the service's, user variables with a dollar sign and sorted."""
    evaluation = run("zeta = 1; $alpha = [1, 2]; $NodeDeallocationOption = terminate;")
    assert evaluation.results == (
        "$TargetDedicatedNodes=0;$TargetLowPriorityNodes=0;$NodeDeallocationOption=terminate;$alpha=[1,2];$zeta=1"
    )


def test_requeue_is_the_default_deallocation_option(run) -> None:
    """As in Azure, where it kills running work."""
    assert run("x = 1").deallocation_option is DeallocationOption.REQUEUE


def test_only_the_chosen_branch_is_evaluated(run) -> None:
    """A guard by ?: protects GetSample from too few samples; && and || stop when decided."""
    window = "$PendingTasks.GetSample(TimeInterval_Hour)"
    assert run(f"x = 1 ? 2 : avg({window}); y = 0 && avg({window}); z = 1 || avg({window})").error is None


def test_a_parsed_formula_evaluates_like_its_text(run, now) -> None:
    """Services parse once and evaluate often."""
    text = "$TargetDedicatedNodes = time().hour;"
    assert evaluate(parse(text), Samples(), now) == run(text)


def test_documented_working_hours_formula(run) -> None:
    """The weekday example of the documentation gives 20 nodes on a Wednesday morning."""
    evaluation = run(
        "$curTime = time();"
        "$workHours = $curTime.hour >= 8 && $curTime.hour < 18;"
        "$isWeekday = $curTime.weekday >= 1 && $curTime.weekday <= 5;"
        "$isWorkingWeekdayHour = $workHours && $isWeekday;"
        "$TargetDedicatedNodes = $isWorkingWeekdayHour ? 20:10;"
    )
    assert evaluation.results == (
        "$TargetDedicatedNodes=20;$TargetLowPriorityNodes=0;$NodeDeallocationOption=requeue;"
        "$curTime=2026-01-07T09:30:00.000Z;$isWeekday=1;$isWorkingWeekdayHour=1;$workHours=1"
    )


@pytest.mark.parametrize("module", [autoscale, samples, parameters], ids=lambda module: module.__name__)
def test_the_examples_in_the_documentation_of_the_code_hold(module: ModuleType) -> None:
    """What the docstrings show is what happens."""
    result = doctest.testmod(module)
    assert result.attempted > 0
    assert result.failed == 0
