"""Virtual time: an event loop without sockets, whose every choice comes from a seed.

What is ready runs in an order drawn from the seed; when nothing is ready, time jumps to the next timer. So a
history of days takes milliseconds, and the same seed is the same history on every machine.
"""

import asyncio
import heapq
import types
from collections.abc import Callable, Coroutine, Generator
from contextvars import Context, copy_context
from datetime import datetime, timedelta
from itertools import count
from random import Random
from typing import Any

from tests.fakes import Cloud


@types.coroutine
def turn() -> Generator[None]:
    """Let the others have a turn."""
    yield


def _nothing() -> None:
    return


@types.coroutine
def pause(span: timedelta) -> Generator[timedelta]:
    """In what `Timeline.proceed` drives: go on when this time has passed."""
    yield span


class Timeline(asyncio.AbstractEventLoop):
    """`rng` None: first come, first served."""

    def __init__(self, cloud: Cloud, rng: Random | None = None) -> None:
        self._cloud = cloud
        self._rng = rng
        self._ready: list[tuple[Context, Callable[..., object], tuple[Any, ...]]] = []
        self._handle = asyncio.Handle(_nothing, (), self, copy_context())
        self._timers: list[tuple[datetime, int, Callable[[], object]]] = []
        self._numbers = count()
        self.faults: list[BaseException] = []

    # What coroutines use

    async def sleep(self, span: timedelta) -> None:
        """Go on when this time has passed."""
        done = asyncio.Future[None](loop=self)

        def wake() -> None:
            # Whoever sleeps may have been cancelled.
            if not done.done():
                done.set_result(None)

        self.at(self._cloud.now + span, wake)
        await done

    def at(self, time: datetime, action: Callable[[], object]) -> None:
        """Have something done at a time."""
        heapq.heappush(self._timers, (time, next(self._numbers), action))

    def spawn(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Run this beside everything else."""
        return asyncio.Task(work, loop=self)

    def proceed(self, work: Coroutine[Any, Any, object]) -> None:
        """Run what waits for nothing but the time, by `pause`: much cheaper than a task."""
        try:
            span = work.send(None)
        except StopIteration:
            return
        self.at(self._cloud.now + span, lambda: self.proceed(work))

    @property
    def is_busy(self) -> bool:
        """Whether anybody else could have a turn now."""
        return bool(self._ready)

    # What drives it

    def next_timer(self) -> datetime | None:
        """When the next thing happens by itself."""
        return self._timers[0][0] if self._timers else None

    def run_until(self, time: datetime) -> None:
        """Let everything happen that happens until then."""
        while True:
            self._drain()
            if not self._timers or self._timers[0][0] > time:
                self._cloud.now = max(self._cloud.now, time)
                return
            due, _, action = heapq.heappop(self._timers)
            self._cloud.now = max(self._cloud.now, due)
            action()

    def run[R](self, work: Coroutine[Any, Any, R]) -> R:
        """Run this to its end, time passing as it needs."""
        task = self.spawn(work)
        while not task.done():
            self._drain()
            if not task.done():
                if not self._timers:
                    raise AssertionError("Everybody waits for somebody else.")
                due, _, action = heapq.heappop(self._timers)
                self._cloud.now = max(self._cloud.now, due)
                action()
        result: R = task.result()
        return result

    def _drain(self) -> None:
        ready, rng = self._ready, self._rng
        before = asyncio._get_running_loop()
        asyncio._set_running_loop(self)
        try:
            while ready:
                waiting = len(ready)
                if waiting == 1:
                    context, callback, arguments = ready.pop()
                elif rng is None:
                    context, callback, arguments = ready.pop(0)
                else:
                    chosen = int(rng.random() * waiting)
                    ready[chosen], ready[-1] = ready[-1], ready[chosen]
                    context, callback, arguments = ready.pop()
                context.run(callback, *arguments)
        finally:
            asyncio._set_running_loop(before)

    # What asyncio asks of a loop

    def call_soon[*P](
        self, callback: Callable[[*P], object], *args: *P, context: Context | None = None
    ) -> asyncio.Handle:
        """Have a step of a task run. Nobody here takes such a step back, so one handle does for all."""
        self._ready.append((context or copy_context(), callback, args))
        return self._handle

    def create_future(self) -> asyncio.Future[Any]:
        """A future of this loop."""
        return asyncio.Future(loop=self)

    def create_task(self, coro: Any, **kwargs: Any) -> asyncio.Task[Any]:
        """A task of this loop."""
        return asyncio.Task(coro, loop=self, **kwargs)

    def get_debug(self) -> bool:
        """Never."""
        return False

    def is_running(self) -> bool:
        """As seen from its tasks."""
        return True

    def is_closed(self) -> bool:
        """Never."""
        return False

    def time(self) -> float:
        """Seconds."""
        return self._cloud.now.timestamp()

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Keep what nobody looked at."""
        if (exception := context.get("exception")) is not None:
            self.faults.append(exception)
