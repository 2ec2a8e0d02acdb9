"""Keeps the parts of the cloud running until it is to stop; one that dies is started again.

Azure replaces a function host or a Batch front end that dies; so does this. A part that keeps dying
is a fault worth a person's attention: then everything ends, with the part's last words.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from local_cloud.azurite.server import Azurite, AzuriteError
from local_cloud.cloud.errors import ServiceEndedError
from local_cloud.events import EventGrid


class Part(Protocol):
    """A service of the cloud. `start` may be called again after `wait` returned."""

    @property
    def name(self) -> str: ...

    async def start(self) -> None:
        """Return once it is ready; raises ServiceEndedError, leaving nothing behind, if it never is."""

    async def wait(self) -> str:
        """Return when it has ended by itself, with a sentence and its last words."""

    async def stop(self) -> None:
        """End it; safe at any moment, also when it never started."""


@dataclass(frozen=True, slots=True)
class OwnPart:
    """A service that this process looks after itself: Azurite, or the stand-in for Event Grid."""

    name: str
    service: Azurite | EventGrid

    async def start(self) -> None:
        try:
            await self.service.start()
        except AzuriteError as exc:
            raise ServiceEndedError(str(exc)) from exc

    async def wait(self) -> str:
        return f"{self.name} ended by itself. Its last words: {await self.service.wait()}"

    async def stop(self) -> None:
        await self.service.stop()


_RESTARTS = 3
_WITHIN = 60.0  # seconds


async def together(*work: Coroutine[Any, Any, Any]) -> None:
    """Do all at the same time. The first error cancels the rest and is raised as it is: it tells the cause."""
    try:
        async with asyncio.TaskGroup() as group:
            for one in work:
                group.create_task(one)
    except ExceptionGroup as several:
        raise several.exceptions[0] from None


class Supervisor:
    """Starts groups of parts and ends them in reverse order; `say` gets sentences for people."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._groups: list[Sequence[Part]] = []
        self._keepers: list[asyncio.Task[None]] = []
        self._broken: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def start(self, *groups: Sequence[Part]) -> None:
        """Start all groups at once and wait until all is ready; the last group will be the first to end."""
        self._groups += groups
        parts = [part for group in groups for part in group]
        await together(*(part.start() for part in parts))
        self._keepers += [asyncio.create_task(self._keep(part), name=part.name) for part in parts]

    async def until_broken(self) -> None:
        """Wait for ever, or raise ServiceEndedError when a part keeps ending."""
        await self._broken

    async def stop(self) -> None:
        """End every part, the last group first; safe at any moment, also half-way through a start."""
        for keeper in self._keepers:
            keeper.cancel()
        await asyncio.gather(*self._keepers, return_exceptions=True)
        self._broken.cancel()
        while self._groups:
            await asyncio.gather(*(part.stop() for part in self._groups.pop()))

    async def _keep(self, part: Part) -> None:
        ends: deque[float] = deque(maxlen=_RESTARTS)
        try:
            while True:
                how = await part.wait()
                now = time.monotonic()
                if len(ends) == _RESTARTS and now - ends[0] < _WITHIN:
                    raise ServiceEndedError(how)
                ends.append(now)
                self._say(f"{how}\nIt is started again.")
                await part.start()
        except ServiceEndedError as exc:
            if not self._broken.done():
                self._broken.set_exception(exc)
