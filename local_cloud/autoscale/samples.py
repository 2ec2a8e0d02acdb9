"""The history of a pool's metrics, as formulas are allowed to see it, and the methods that read it."""

from array import array
from bisect import bisect_right
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

from local_cloud.autoscale.errors import Code, Failure
from local_cloud.autoscale.values import TimeInterval, Timestamp, Value, type_name
from local_cloud.autoscale.vocabulary import METRICS, Metric

PERIOD: Final = timedelta(seconds=30)
DELAY: Final = timedelta(seconds=60)
HISTORY: Final = timedelta(hours=24)


def _ticks(span: timedelta) -> int:
    return span // timedelta(microseconds=1) * 10


_SLOT: Final = _ticks(PERIOD)


class Samples:
    """One sample of each metric every 30 s; a formula sees a sample about a minute after it was taken.

    Feed it as often as convenient: of several values within one 30 s slot the first becomes the sample,
    and the newest is what a metric named without a method reads as. Keeps 24 h (our bound: 2,880 samples
    of 16 bytes a metric).

    >>> samples = Samples()
    >>> samples.record(datetime(2026, 1, 5, 8, 0, tzinfo=UTC), {"$PendingTasks": 3})
    >>> samples.current(Metric.PENDING_TASKS)
    3.0
    """

    def __init__(self, *, delay: timedelta = DELAY, history: timedelta = HISTORY) -> None:
        self._delay = _ticks(delay)
        self._capacity = max(1, history // PERIOD)
        self._times: dict[Metric, array[int]] = {}
        self._values: dict[Metric, array[float]] = {}
        self._current: dict[Metric, float] = {}

    def record(self, now: datetime, values: Mapping[str, float]) -> None:
        """Record metrics (names with their `$`) as they are at `now` (aware).

        A value older than the last one of its metric is ignored.
        """
        if now.tzinfo is None:
            raise ValueError("Samples.record needs a time with a zone: use datetime.now(UTC).")
        moment = Timestamp.of(now.astimezone(UTC)).ticks
        for name, value in values.items():
            metric = METRICS.get(name)
            if metric is None:
                raise ValueError(f"{name} is no metric of the autoscale language.")
            self._record(metric, moment, float(value))

    def _record(self, metric: Metric, moment: int, value: float) -> None:
        if metric not in self._times:
            self._times[metric], self._values[metric] = array("q"), array("d")
        times, kept = self._times[metric], self._values[metric]
        if times and moment < times[-1]:
            return
        self._current[metric] = value
        if times and moment // _SLOT == times[-1] // _SLOT:
            return
        times.append(moment)
        kept.append(value)
        if len(times) >= self._capacity + 256:  # in portions: cutting an array's head moves the rest
            del times[: -self._capacity]
            del kept[: -self._capacity]

    def current(self, metric: Metric) -> float:
        """Return the newest value, 0 before the first."""
        return self._current.get(metric, 0.0)

    def stored(self) -> int:
        """Count the samples held in memory, of all metrics together."""
        return sum(map(len, self._times.values()))

    def visible(self, metric: Metric, now: Timestamp) -> "History":
        """Return what a formula evaluated at `now` may see of a metric."""
        times = self._times.get(metric, array("q"))
        end = bisect_right(times, now.ticks - self._delay)
        start = max(0, end - self._capacity)
        return History(times, self._values.get(metric, array("d")), start, end)


class History:
    """The samples of one metric between two indices, oldest first (a view: no copy)."""

    __slots__ = ("_end", "_start", "_times", "_values")

    def __init__(self, times: "array[int]", values: "array[float]", start: int, end: int) -> None:
        self._times, self._values, self._start, self._end = times, values, start, end

    def __len__(self) -> int:
        return self._end - self._start

    def begin(self) -> Timestamp | None:
        """Return the time of the oldest sample."""
        return Timestamp(self._times[self._start]) if len(self) else None

    def newest(self, count: int) -> tuple[float, ...]:
        """Return the last `count` samples, fewer if there are fewer."""
        start = max(self._start, self._end - max(0, count))
        return tuple(self._values[start : self._end])

    def between(self, after: Timestamp, until: Timestamp) -> "History":
        """Return the samples taken after the one moment and not after the other."""
        start = bisect_right(self._times, after.ticks, self._start, self._end)
        end = bisect_right(self._times, until.ticks, start, self._end)
        return History(self._times, self._values, start, end)

    def percent_of(self, span_ticks: int) -> float:
        """Return how much of a window of this length the samples fill, 0-100."""
        possible = max(1, round(span_ticks / _SLOT))
        return min(100.0, 100.0 * len(self) / possible)


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
