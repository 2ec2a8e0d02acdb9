"""What the cloud is made of: a part starts, says when it ends by itself, and stops."""

from dataclasses import dataclass
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
