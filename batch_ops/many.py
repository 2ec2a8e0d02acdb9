"""The same thing done with many, some at a time."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable

AT_ONCE = 16


async def for_all[T](items: Iterable[T], work: Callable[[T], Awaitable[None]], at_once: int = AT_ONCE) -> None:
    """Do it with each, `at_once` at a time; the first error ends the rest and is raised."""
    todo = iter(items)

    async def worker() -> None:
        for item in todo:
            await work(item)

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(at_once):
                group.create_task(worker())
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from errors
