"""Revisions: numbers that never recur, shown as ETags."""

from datetime import datetime

from local_cloud.batch.state.clock import Clock

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
