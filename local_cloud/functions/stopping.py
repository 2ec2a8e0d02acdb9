"""One wish to stop, for all that waits."""

import asyncio
import contextlib


class Stopping(asyncio.Event):
    """Set once; every pause ends early then."""

    def __bool__(self) -> bool:
        return self.is_set()

    async def pause(self, seconds: float) -> None:
        """Wait so long, or until it is set."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, seconds)):
                await self.wait()
