"""The methods of metrics: which samples a formula gets, and when it gets too few."""

from local_cloud.autoscale.errors import Code, Failure
from local_cloud.autoscale.samples import History
from local_cloud.autoscale.values import TimeInterval, Timestamp, Value, type_name
from local_cloud.autoscale.vocabulary import Metric

DEFAULT_PERCENT = 70.0


def sample(metric: Metric, history: History, now: Timestamp, arguments: tuple[Value, ...]) -> tuple[float, ...]:
    """`GetSample(count)`, `GetSample(start[, percent])`, `GetSample(start, end[, percent])`, oldest first.

    Too few samples in a window (70 % unless a percentage is given) fail the evaluation; for a count,
    what there is will do.
    """
    if isinstance(arguments[0], float) and len(arguments) == 1:
        count = arguments[0]
        return history.newest(int(min(max(count, 0.0), len(history)))) if count == count else ()
    *bounds, wanted = arguments if isinstance(arguments[-1], float) else (*arguments, DEFAULT_PERCENT)
    found, received = _window("GetSample", history, now, tuple(bounds))
    assert isinstance(wanted, float)
    if not received >= wanted:
        raise Failure(
            f"Insufficient data from data set: {metric} wanted {wanted:.0f}%, received {int(received)}%",
            Code.INSUFFICIENT_DATA,
        )
    return found.newest(len(found))


def sample_percent(history: History, now: Timestamp, arguments: tuple[Value, ...]) -> float:
    """`GetSamplePercent(start[, end])`: how much of the window is there, 0-100."""
    return _window("GetSamplePercent", history, now, arguments)[1]


def begin_time(metric: Metric, history: History) -> Timestamp:
    """`HistoryBeginTime()`; fails before the first sample."""
    begin = history.begin()
    if begin is None:
        raise Failure(f"{metric} has no sample yet, so its history has no beginning", Code.INSUFFICIENT_DATA)
    return begin


def _window(method: str, history: History, now: Timestamp, bounds: tuple[Value, ...]) -> tuple[History, float]:
    if not 1 <= len(bounds) <= 2:
        raise Failure(f"{method} takes a start and at most one end")
    moments = sorted(_moment(method, bound, now) for bound in (*bounds, TimeInterval(0))[:2])
    found = history.between(*moments)
    return found, found.percent_of(moments[1].ticks - moments[0].ticks)


def _moment(method: str, bound: Value, now: Timestamp) -> Timestamp:
    match bound:
        case Timestamp():
            return bound
        case TimeInterval():
            return Timestamp(now.ticks - bound.ticks)
        case _:
            raise Failure(f"{method} takes timeintervals or timestamps, not a {type_name(bound)}")
