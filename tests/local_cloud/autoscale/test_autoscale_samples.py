"""What formulas see of a pool's metrics, and when."""

from datetime import UTC, datetime, timedelta

import pytest

from local_cloud.autoscale import Metric, Samples, evaluate
from local_cloud.autoscale.values import Timestamp


def test_ten_minutes_with_the_last_one_missing_are_18_samples_of_20(history, value) -> None:
    """The documentation's own example: 90 % of ten minutes, because the newest minute is on its way."""
    samples = history(30, {"$PendingTasks": 4})
    assert value("len($PendingTasks.GetSample(TimeInterval_Minute * 10))", samples) == "18"
    assert value("$PendingTasks.GetSamplePercent(TimeInterval_Minute * 10)", samples) == "90"


def test_a_window_fails_below_the_percentage_it_asks_for(history, run) -> None:
    """18 of 20 samples fail a wish for 95 % and satisfy one for 80."""
    samples = history(30, {"$CPUPercent": 0.5})
    window = "$CPUPercent.GetSample(TimeInterval_Minute * 10, {})"
    failed = run(f"x = {window.format(95)}", samples)
    assert failed.error.detail.endswith("$CPUPercent wanted 95%, received 90%")
    assert run(f"x = {window.format(80)}", samples).error is None


@pytest.mark.parametrize(("minutes", "enough"), [(7.5, False), (8.0, True)])
def test_seventy_percent_is_what_a_window_needs_by_default(history, run, minutes, enough) -> None:
    """13 samples of the 20 of ten minutes are too few, 14 will do."""
    evaluation = run("x = $PendingTasks.GetSample(TimeInterval_Minute * 10)", history(minutes, {"$PendingTasks": 1}))
    assert (evaluation.error is None) is enough


def test_start_and_end_select_a_window_in_either_order(history, value) -> None:
    """One to six minutes ago are ten samples."""
    samples = history(30, {"$RunningTasks": 1})
    for bounds in (
        "TimeInterval_Minute, 6 * TimeInterval_Minute",
        "6 * TimeInterval_Minute, TimeInterval_Minute",
        "time() + -6 * TimeInterval_Minute, time() + -1 * TimeInterval_Minute, 100",
    ):
        assert value(f"$RunningTasks.GetSample({bounds})", samples) == "[1,1,1,1,1,1,1,1,1,1]"


def test_a_count_takes_the_newest_visible_samples_oldest_first(now, value) -> None:
    """The newest two samples are still on their way; fewer than asked for is no failure."""
    samples = Samples()
    for index in range(5):
        samples.record(now + timedelta(seconds=30 * (index - 4)), {"$PendingTasks": index})
    assert value("$PendingTasks.GetSample(1)", samples) == "[2]"
    assert value("$PendingTasks.GetSample(2)", samples) == "[1,2]"
    assert value("$PendingTasks.GetSample(99)", samples) == "[0,1,2]"
    assert value("max(0, $ActiveTasks.GetSample(1))", samples) == "0"


def test_a_metric_named_alone_is_its_current_value(now, value) -> None:
    """Not the newest visible sample; zero before the first."""
    samples = Samples()
    samples.record(now - timedelta(minutes=5), {"$CurrentDedicatedNodes": 2})
    samples.record(now - timedelta(seconds=1), {"$CurrentDedicatedNodes": 7})
    assert value("$CurrentDedicatedNodes * 2 + $ActiveTasks", samples) == "14"


def test_history_methods(history, value) -> None:
    """Count, period and begin of what is visible."""
    samples = history(10, {"$FailedTasks": 0})
    assert value("$FailedTasks.Count()", samples) == "18"
    assert value("$FailedTasks.GetSamplePeriod()", samples) == "00:00:30"
    assert value("$FailedTasks.HistoryBeginTime()", samples) == "2026-01-07T09:20:30.000Z"


def test_a_metric_without_samples_has_no_beginning(run) -> None:
    """The same code as for other missing samples."""
    evaluation = run("x = $FailedTasks.HistoryBeginTime()")
    assert evaluation.error.code == "InsufficientSampleData"


def test_one_sample_is_kept_for_each_half_minute(now, value) -> None:
    """However often the service records, a formula gets one sample per 30 s: the first of its slot."""
    samples = Samples()
    for second in range(600):
        samples.record(now - timedelta(seconds=600 - second), {"$PendingTasks": second})
    assert value("len($PendingTasks.GetSample(999))", samples) == "19"
    assert value("val($PendingTasks.GetSample(999), 1)", samples) == "30"


def test_the_history_is_bounded() -> None:
    """Two days of samples leave one day, in memory too."""
    samples = Samples(history=timedelta(hours=1))
    start = datetime(2026, 1, 1, tzinfo=UTC)
    for index in range(5000):
        samples.record(start + index * timedelta(seconds=30), {"$PendingTasks": index})
    end = start + timedelta(days=9)
    assert len(samples.visible(Metric.PENDING_TASKS, Timestamp.of(end))) == 120
    assert evaluate("x = $PendingTasks.Count()", samples, end).results.endswith("$x=120")
    assert samples.stored() < 400


def test_values_out_of_order_are_ignored(now, value) -> None:
    """A late value neither becomes current nor a sample."""
    samples = Samples()
    samples.record(now - timedelta(minutes=2), {"$PendingTasks": 5})
    samples.record(now - timedelta(minutes=9), {"$PendingTasks": 1})
    assert value("$PendingTasks", samples) == "5"
    assert value("$PendingTasks.GetSample(9)", samples) == "[5]"


def test_recording_refuses_what_a_programmer_got_wrong(now) -> None:
    """An unknown metric or a time without a zone is an error at once."""
    samples = Samples()
    with pytest.raises(ValueError, match="no metric"):
        samples.record(now, {"PendingTasks": 1})
    with pytest.raises(ValueError, match="zone"):
        samples.record(datetime(2026, 1, 1), {"$PendingTasks": 1})
