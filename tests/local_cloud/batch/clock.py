"""A clock for the Batch service that tests turn by hand."""

import asyncio
import heapq
from datetime import UTC, datetime, timedelta
from itertools import count


class ManualClock:
    """A clock that stands still until `advance` is called: hours pass in milliseconds."""

    _TURNS = 50  # of the event loop after each wake-up, so that what was woken can sleep again

    def __init__(self, start: datetime = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)) -> None:
        self._now = start
        self._waiting: list[tuple[datetime, int, asyncio.Future[None]]] = []
        self._ticket = count()

    def now(self) -> datetime:
        return self._now

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        due = self._now + timedelta(seconds=seconds)
        heapq.heappush(self._waiting, (due, next(self._ticket), woken))
        await woken

    async def advance(self, seconds: float) -> None:
        """Move on by `seconds`, waking every sleeper in the order of its due time."""
        end = self._now + timedelta(seconds=seconds)
        await self._settle()
        while self._waiting and self._waiting[0][0] <= end:
            due, _, woken = heapq.heappop(self._waiting)
            self._now = max(self._now, due)
            if not woken.done():
                woken.set_result(None)
            await self._settle()
        self._now = end
        await self._settle()

    async def _settle(self) -> None:
        for _ in range(self._TURNS):
            await asyncio.sleep(0)
