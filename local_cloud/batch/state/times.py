"""Dates, durations (ISO 8601 and RFC 1123) and revisions as Batch writes them."""

import re
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime

from local_cloud.batch.state.clock import Clock

# What the service shows where no limit was given: the longest duration its own type can hold.
NO_LIMIT = "P10675199DT2H48M5.4775807S"
LONGEST = timedelta(days=10675199, hours=2, minutes=48, seconds=5, microseconds=477580)

_DURATION = re.compile(
    r"(?P<sign>-)?P(?=\d|T\d)(?:(?P<days>\d{1,8})D)?"
    r"(?:T(?:(?P<hours>\d{1,9})H)?(?:(?P<minutes>\d{1,9})M)?(?:(?P<seconds>\d{1,9}(?:\.\d{1,9})?)S)?)?"
)


def iso(moment: datetime) -> str:
    """Write a UTC time such as `2026-11-22T08:00:00.123456Z`."""
    return moment.isoformat().replace("+00:00", "Z")


def http_date(moment: datetime) -> str:
    """Write a UTC time as HTTP headers have it, in whole seconds."""
    return format_datetime(moment.replace(microsecond=0), usegmt=True)


def parse_moment(text: str) -> datetime:
    """Read a time from ISO 8601 or RFC 1123 text; without a zone it is UTC.

    Raises ValueError when `text` is neither.
    """
    try:
        # Batch writes seven decimals; Python reads six.
        moment = datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", text))
    except ValueError:
        try:
            moment = parsedate_to_datetime(text)
        except (IndexError, TypeError) as exc:
            raise ValueError(f"{text!r} is no date") from exc
    try:
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except OverflowError as exc:
        raise ValueError(f"{text!r} is out of range") from exc


def parse_duration(text: str) -> timedelta:
    """Read an ISO 8601 duration of days, hours, minutes and seconds.

    Raises ValueError for anything else, months and years included: they have no fixed length.
    """
    match = _DURATION.fullmatch(text)
    if match is None or text.endswith("T"):
        raise ValueError(f"{text!r} is no duration")
    parts = {name: float(part) for name, part in match.groupdict().items() if part and name != "sign"}
    try:
        length = timedelta(**parts)
    except OverflowError as exc:
        raise ValueError(f"{text!r} is out of range") from exc
    return -length if match["sign"] else length


def format_duration(length: timedelta) -> str:
    """Write the shortest ISO 8601 form of `length`, such as `PT15M` or `P7D`."""
    if length >= LONGEST:
        return NO_LIMIT
    hours, rest = divmod(length.seconds, 3600)
    minutes, seconds = divmod(rest, 60)
    fraction = f".{length.microseconds:06d}".rstrip("0") if length.microseconds else ""
    clock = "".join(
        f"{amount}{letter}"
        for amount, letter in ((hours, "H"), (minutes, "M"), (f"{seconds}{fraction}", "S"))
        if str(amount) != "0"
    )
    days = f"{length.days}D" if length.days else ""
    if not days and not clock:
        return "PT0S"
    return f"P{days}" + (f"T{clock}" if clock else "")


_TICKS_AT_EPOCH = 621_355_968_000_000_000  # of 100 ns since the year 1
_TICKS_PER_SECOND = 10_000_000


class Revisions:
    """Gives ever larger revision numbers, later than any given before a restart."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._last = 0

    def next(self) -> int:
        """Return a revision above every one before."""
        self._last = max(self._last + 1, ticks(self._clock.now()))
        return self._last

    def seen(self, revision: int) -> None:
        """Never fall back to `revision` or below."""
        self._last = max(self._last, revision)


def ticks(moment: datetime) -> int:
    """Count `moment` in units of 100 ns since the year 1."""
    return int(moment.timestamp() * _TICKS_PER_SECOND) + _TICKS_AT_EPOCH


def etag(revision: int) -> str:
    """Write a revision as an ETag, without the quotes that it has in headers."""
    return f"0x{revision:X}"
