"""What the cloud is made of: a part starts, says when it ends by itself, and stops."""

from typing import Protocol

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


class StoragePart:
    """Azurite as a part."""

    name = "Azurite"

    def __init__(self, azurite: Azurite) -> None:
        self._azurite = azurite

    async def start(self) -> None:
        try:
            await self._azurite.start()
        except AzuriteError as exc:
            raise ServiceEndedError(str(exc)) from exc

    async def wait(self) -> str:
        return f"Azurite ended by itself. Its last words: {await self._azurite.wait()}"

    async def stop(self) -> None:
        await self._azurite.stop()


class EventsPart:
    """Event Grid's stand-in as a part; it follows the uploads within this process."""

    name = "Event Grid"

    def __init__(self, events: EventGrid) -> None:
        self._events = events

    async def start(self) -> None:
        await self._events.start()

    async def wait(self) -> str:
        return f"Event Grid's stand-in ended by itself: {await self._events.wait()}"

    async def stop(self) -> None:
        await self._events.stop()
