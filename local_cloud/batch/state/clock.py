"""Time as an argument."""

import asyncio
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """What the service knows of time."""

    def now(self) -> datetime:
        """Return the present time, timezone-aware, in UTC."""

    async def sleep(self, seconds: float) -> None:
        """Return when `seconds` of this clock's time have passed."""


class SystemClock:
    """The machine's own time."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(max(0.0, seconds))
