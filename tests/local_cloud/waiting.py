"""Wait on conditions, never for a time."""

import asyncio
import inspect
from collections.abc import Callable


async def wait_until(condition: Callable[[], object], seconds: float = 20) -> None:
    """Wait until a condition (plain or asynchronous) holds; a time-out is a failure."""
    async with asyncio.timeout(seconds):
        while True:
            answer = condition()
            if inspect.isawaitable(answer):
                answer = await answer
            if answer:
                return
            await asyncio.sleep(0.02)
