"""What is to be done: at a later time on the service's clock, or as soon as there is room."""

import asyncio
import contextlib
import heapq
import logging
from collections.abc import Callable
from datetime import datetime
from itertools import count

from local_cloud.batch.state.clock import Clock

_log = logging.getLogger(__name__)


class Timers:
    """Calls functions when their time has come; each must check whether it is still wanted."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._heap: list[tuple[datetime, int, Callable[[], None]]] = []
        self._ticket = count()
        self._changed = asyncio.Event()
        self._loop: asyncio.Task[None] | None = None

    def at(self, when: datetime, call: Callable[[], None]) -> None:
        """Call `call` at `when`, or soon if that has passed."""
        heapq.heappush(self._heap, (when, next(self._ticket), call))
        self._changed.set()

    def start(self) -> None:
        """Begin to watch the clock."""
        self._loop = asyncio.create_task(self._watch(), name="timers")

    async def stop(self) -> None:
        """Forget everything that is still to come."""
        if self._loop is not None:
            self._loop.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._loop

    async def _watch(self) -> None:
        while True:
            self._changed.clear()
            now = self._clock.now()
            while self._heap and self._heap[0][0] <= now:
                _, _, call = heapq.heappop(self._heap)
                try:
                    call()
                except Exception:
                    _log.exception("something due at this time has failed")
            if not self._heap:
                await self._changed.wait()
                continue
            wait = (self._heap[0][0] - self._clock.now()).total_seconds()
            sleeping = asyncio.ensure_future(self._clock.sleep(min(wait, 86_400.0)))
            changed = asyncio.ensure_future(self._changed.wait())
            try:
                await asyncio.wait({sleeping, changed}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                sleeping.cancel()
                changed.cancel()


class Agenda:
    """The pools in which a waiting task may have found a free slot, until the dispatcher takes them up."""

    def __init__(self) -> None:
        self._pools: set[str] = set()
        self._filled = asyncio.Event()

    def add(self, pool_key: str) -> None:
        """Have the dispatcher look for work for a pool as soon as what goes on now is done."""
        self._pools.add(pool_key)
        self._filled.set()

    async def take(self) -> set[str]:
        """Wait until a pool is named; empty the agenda and return what was on it."""
        await self._filled.wait()
        self._filled.clear()
        pools, self._pools = self._pools, set()
        return pools
