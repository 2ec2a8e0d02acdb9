"""Wait for a condition, and fail when it does not come to hold in time."""

import asyncio
import inspect
import time
from collections.abc import Callable


async def until(holds: Callable[[], object], seconds: float = 20.0) -> None:
    """Return once `holds()`, plain or asynchronous, is true. Raises TimeoutError after `seconds`."""
    async with asyncio.timeout(seconds):
        while True:
            answer = holds()
            if inspect.isawaitable(answer):
                answer = await answer
            if answer:
                return
            await asyncio.sleep(0.02)


def wait_until[T](look: Callable[[], T | None], seconds: float = 20.0, what: str | Callable[[], str] = "") -> T:
    """Return the first true answer of `look()`, without an event loop. Raises TimeoutError after `seconds`."""
    deadline = time.monotonic() + seconds
    while not (answer := look()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {seconds:g} s: {(what() if callable(what) else what) or look}")
        time.sleep(0.05)
    return answer
