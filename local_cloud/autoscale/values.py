"""The values of a formula: double, doubleVec, string, timestamp, timeinterval, deallocation option.

A doubleVec is a tuple of floats. Times are counted in ticks of 100 ns, the language's smallest interval, so
that sums of intervals are exact; ticks beyond 64 bits or the years 1-9999 are a failure of the evaluation.
"""

import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final

from local_cloud.autoscale.errors import Failure

TICKS_PER_SECOND: Final = 10_000_000
_TICKS_PER_DAY: Final = 86_400 * TICKS_PER_SECOND
_MAX_TICKS: Final = 2**63 - 1
_YEAR_ONE: Final = datetime(1, 1, 1, tzinfo=UTC)
_LAST_TICK: Final = (datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC) - _YEAR_ONE) // timedelta(microseconds=1) * 10


class DeallocationOption(StrEnum):
    """What becomes of the tasks on a node that leaves the pool."""

    REQUEUE = "requeue"
    TERMINATE = "terminate"
    TASK_COMPLETION = "taskcompletion"
    RETAINED_DATA = "retaineddata"


@dataclass(frozen=True, slots=True, order=True)
class TimeInterval:
    """A span of time in ticks of 100 ns; may be negative."""

    ticks: int

    def __post_init__(self) -> None:
        if abs(self.ticks) > _MAX_TICKS:
            raise Failure("a timeinterval became too large")

    @classmethod
    def of(cls, ticks: float) -> "TimeInterval":
        """Make the interval nearest to a computed number of ticks."""
        if not math.isfinite(ticks):
            raise Failure("a timeinterval became infinite or undefined")
        return cls(round(ticks))

    @property
    def seconds(self) -> float:
        """The span in seconds."""
        return self.ticks / TICKS_PER_SECOND


@dataclass(frozen=True, slots=True, order=True)
class Timestamp:
    """A moment in UTC, in ticks since the beginning of year 1."""

    ticks: int

    def __post_init__(self) -> None:
        if not 0 <= self.ticks <= _LAST_TICK:
            raise Failure("a timestamp left the years 1 to 9999")

    @classmethod
    def of(cls, moment: datetime) -> "Timestamp":
        """Make the timestamp of an aware datetime."""
        return cls((moment - _YEAR_ONE) // timedelta(microseconds=1) * 10)

    @property
    def moment(self) -> datetime:
        """The same as a datetime in UTC, to the microsecond."""
        return _YEAR_ONE + timedelta(microseconds=self.ticks // 10)


type Vec = tuple[float, ...]
type Value = float | Vec | str | Timestamp | TimeInterval | DeallocationOption


def type_name(value: Value) -> str:
    """Name a value's type in the language's words."""
    match value:
        case float():
            return "double"
        case tuple():
            return "doubleVec"
        case DeallocationOption():
            return "node deallocation option"
        case str():
            return "string"
        case Timestamp():
            return "timestamp"
        case TimeInterval():
            return "timeinterval"


def render(value: Value) -> str:
    """Print a value as the service does in `results`: `3`, `2.5`, `[1,2]`, `2016-10-13T19:18:47.805Z`."""
    match value:
        case float():
            return _render_double(value)
        case tuple():
            return "[" + ",".join(_render_double(item) for item in value) + "]"
        case str():
            return str(value)
        case Timestamp():
            moment = value.moment
            return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z".rjust(24, "0")
        case TimeInterval():
            return _render_interval(value.ticks)


def _render_double(value: float) -> str:
    """Print fifteen significant digits, as .NET prints a double."""
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")
    text = f"{value:.15g}"
    if "e" not in text:
        return "0" if text == "-0" else text
    mantissa, exponent = text.split("e")
    return f"{mantissa}E{int(exponent):+03d}"


def _render_interval(ticks: int) -> str:
    """Print .NET's constant TimeSpan format: `[-][d.]hh:mm:ss[.fffffff]`."""
    sign, ticks = ("-", -ticks) if ticks < 0 else ("", ticks)
    days, rest = divmod(ticks, _TICKS_PER_DAY)
    seconds, fraction = divmod(rest, TICKS_PER_SECOND)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return (
        sign
        + (f"{days}." if days else "")
        + f"{hours:02d}:{minutes:02d}:{seconds:02d}"
        + (f".{fraction:07d}" if fraction else "")
    )


_W3C: Final = re.compile(
    r"\d{4}(?:-\d\d(?:-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d{1,6}(?P<hundred_ns>\d)?)?)?(?:Z|[+-]\d\d:\d\d))?)?)?", re.ASCII
)
_RFC1123: Final = "%a, %d %b %Y %H:%M:%S GMT"


def parse_timestamp(text: str) -> Timestamp:
    """Read a time written in W3C-DTF or RFC 1123; at most seven fractional digits, as in the service."""
    found = _W3C.fullmatch(text)
    try:
        if found is None:
            return Timestamp.of(datetime.strptime(text, _RFC1123).replace(tzinfo=UTC))
        moment = datetime.fromisoformat(text + "0001-01-01"[len(text) :])  # month and day may be left out
    except ValueError as exc:
        if found is None:
            raise Failure(f'time() cannot read "{text[:40]}": write it as 2026-01-31T08:00:00Z') from exc
        raise Failure(f'time("{text}") is not a date that exists') from exc
    start = Timestamp.of(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
    return Timestamp(start.ticks + int(found["hundred_ns"] or 0))
