"""What is refused, when, with which code and at which line and column."""

import pytest

from local_cloud.autoscale import Code, FormulaError, Targets, parse


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "Line 1, Col 1: the formula ends too early: a value is missing."),
        ("x = 1\ny = 2;", "Line 2, Col 1: unexpected 'y': perhaps a ';' is missing before it."),
        ("x = (1 + 2;", "Line 1, Col 11: unexpected ';': ')' is missing."),
        ("x = 1;\n  y = ;", "Line 2, Col 7: unexpected ';': a value is missing."),
        ("x = 1;;", "Line 1, Col 7: unexpected ';': a value is missing."),
        ("x = 3 # 4", "Line 1, Col 7: the character '#' has no meaning here."),
        ('x = "abc', "Line 1, Col 5: the string is not closed."),
        ("x = y;", "Line 1, Col 5: the variable $y is not defined."),
        ("$ActiveTasks = 1;", "Line 1, Col 1: $ActiveTasks is read-only and cannot be assigned."),
        ("x = PendingTasks;", "Line 1, Col 5: PendingTasks is a service variable: write $PendingTasks."),
        ("TargetDedicatedNodes = 1", "Line 1, Col 1: TargetDedicatedNodes is a service variable"),
        ("requeue = 1", "Line 1, Col 1: requeue is a constant and cannot be assigned."),
        ("x = sqrt(2)", "Line 1, Col 5: there is no function sqrt."),
        ("x = rand(1)", "Line 1, Col 9: rand takes 0 arguments, not 1."),
        ("x = val([1])", "Line 1, Col 8: val takes 2 arguments, not 1."),
        ("x = $PendingTasks.Sample(1)", "Line 1, Col 19: there is no method Sample"),
        ("x = $PendingTasks.GetSample()", "Line 1, Col 28: GetSample takes 1 to 3 arguments, not 0."),
        ("x = 1; y = x.GetSample(1)", "Line 1, Col 14: GetSample belongs to metrics"),
        ("x = time().era", "Line 1, Col 12: there is no member era"),
        ("x = 1 < 2 < 3", "Line 1, Col 11: unexpected '<'"),
    ],
)
def test_a_text_that_is_no_formula_is_refused_where_it_goes_wrong(text: str, message: str) -> None:
    """parse() names line and column of the fault and carries the service's code."""
    with pytest.raises(FormulaError) as caught:
        parse(text)
    assert str(caught.value).startswith(message)
    assert caught.value.code is Code.SYNTAX
    assert caught.value.message == str(caught.value)


def test_a_formula_of_more_than_8_kb_is_too_long() -> None:
    """8,192 bytes are allowed, in UTF-8 and comments included; one more has its own code."""
    head = "x = 1; //"
    parse(head + "a" * (8192 - len(head)))
    with pytest.raises(FormulaError) as caught:
        parse(head + "a" * (8190 - len(head)) + "äa")
    assert caught.value.code is Code.TOO_LONG


def test_a_formula_of_more_than_100_statements_is_refused() -> None:
    """100 are allowed."""
    assert len(parse("x = 1;" * 100).statements) == 100
    with pytest.raises(FormulaError, match="Line 1, Col 605: 101 statements are more than the 100 allowed"):
        parse("x = 1;" * 101)


@pytest.mark.parametrize(
    ("formula", "detail"),
    [
        ("$TargetDedicatedNodes = -1", "Line 1, Col 25: $TargetDedicatedNodes cannot be -1"),
        ("$TargetDedicatedNodes = 0 / 0", "Line 1, Col 27: $TargetDedicatedNodes cannot be NaN"),
        ("$TargetDedicatedNodes = [1]", "Line 1, Col 25: $TargetDedicatedNodes takes a double, not a doubleVec"),
        ("$NodeDeallocationOption = 1", "Line 1, Col 27: $NodeDeallocationOption takes requeue, terminate"),
        ("x = 1 + TimeInterval_Hour", "Line 1, Col 7: + is not defined for double and timeinterval"),
        ("x = 2 * [1]", "Line 1, Col 7: * is not defined for double and doubleVec"),
        ("x = time() - TimeInterval_Hour", "Line 1, Col 12: - is not defined for timestamp and timeinterval"),
        ('x = "a" == 1', "Line 1, Col 9: == is not defined for string and double"),
        ("x = -[1]", "Line 1, Col 5: - is not defined for doubleVec"),
        ("x = [1] ? 2 : 3", "Line 1, Col 9: a condition must be a double, not a doubleVec"),
        ("x = [1, 2] + [1]", "Line 1, Col 12: + needs vectors of one length, not 2 and 1 elements"),
        ("x = max()", "Line 1, Col 5: max of no values"),
        ("x = std(1)", "Line 1, Col 5: std needs at least two values"),
        ("x = val([1], 1)", "Line 1, Col 5: val asks for element 1 of a vector of 1"),
        ("x = percentile([1], 101)", "Line 1, Col 5: percentile takes 0 to 100, not 101"),
        ('x = time("tomorrow")', 'Line 1, Col 5: time() cannot read "tomorrow"'),
        ('x = time("2026-02-30")', 'Line 1, Col 5: time("2026-02-30") is not a date that exists'),
        (
            'x = time("2016-10-13T19:18:47.12345678Z")',
            'Line 1, Col 5: time() cannot read "2016-10-13T19:18:47.12345678Z"',
        ),
        ("x = 1;\ny = x.hour", "Line 2, Col 7: only a timestamp has a hour, not a double"),
        ("x = time() + TimeInterval_Year * 9000", "Line 1, Col 12: a timestamp left the years 1 to 9999"),
        ("x = TimeInterval_Year * 1e9", "Line 1, Col 23: a timeinterval became too large"),
        ("x = TimeInterval_Year / 0", "Line 1, Col 23: a timeinterval became infinite"),
    ],
)
def test_an_evaluation_that_fails_says_where_and_leaves_the_targets(run, formula: str, detail: str) -> None:
    """Wrong types and values fail the evaluation, never more; results then show what the targets were."""
    evaluation = run("$TargetLowPriorityNodes = 9;\n" + formula, current=Targets(2, 1))
    line, _, rest = detail.removeprefix("Line ").partition(",")
    assert evaluation.error.code is Code.EVALUATION
    assert evaluation.error.detail.startswith(f"Line {int(line) + 1},{rest}")
    assert evaluation.targets == Targets(2, 1)
    assert evaluation.results == ("$TargetDedicatedNodes=2;$TargetLowPriorityNodes=1;$NodeDeallocationOption=requeue")


def test_evaluating_a_text_that_is_no_formula_is_an_error_in_the_answer(run) -> None:
    """evaluateautoscale answers 200 with AutoScalingFormulaEvaluationError, as recorded from the service."""
    evaluation = run("$something_useless", current=Targets(2, 0))
    assert evaluation.error.code == "AutoScalingFormulaEvaluationError"
    assert evaluation.results == ("$TargetDedicatedNodes=2;$TargetLowPriorityNodes=0;$NodeDeallocationOption=requeue")


def test_too_few_samples_are_reported_in_the_words_of_the_service(run) -> None:
    """Code, message and values of a public report; the column is that of the method's bracket."""
    evaluation = run("\n\nsamplevecavg = avg($PendingTasks.GetSample(TimeInterval_Minute * 5));")
    assert evaluation.error.code == "InsufficientSampleData"
    assert evaluation.error.message == "Autoscale evaluation failed due to insufficient sample data"
    assert evaluation.error.values == (
        (
            "Message",
            "Line 3, Col 43: Insufficient data from data set: $PendingTasks wanted 70%, received 0%",
        ),
    )
