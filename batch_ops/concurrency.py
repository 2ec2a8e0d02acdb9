"""Concurrent work: the same work for many items, or one call for many callers."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from heapq import heapify, heappop, heapreplace
from typing import cast

from attrs import define, field

AT_ONCE = 16
_END = object()


async def for_all[T](items: Iterable[T], work: Callable[[T], Awaitable[None]], at_once: int = AT_ONCE) -> None:
    """Run `work` on each item, `at_once` at a time; the first error cancels the rest and is raised."""
    listed = list(items)
    if len(listed) < 2:
        for item in listed:
            await work(item)
        return
    todo = iter(listed)

    async def worker() -> None:
        for item in todo:
            await work(item)

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(min(at_once, len(listed))):
                group.create_task(worker())
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from errors


async def answers_of[T, R](items: Iterable[T], work: Callable[[T], Awaitable[R]], at_once: int = AT_ONCE) -> list[R]:
    """Return what `work` returns for each item, in their order; it is run as `for_all` does."""
    answers: dict[int, R] = {}

    async def keep(numbered: tuple[int, T]) -> None:
        answers[numbered[0]] = await work(numbered[1])

    await for_all(enumerate(items), keep, at_once)
    return [answers[number] for number in sorted(answers)]


async def in_order[T](streams: Sequence[AsyncIterator[T]], key: Callable[[T], str]) -> AsyncIterator[T]:
    """Merge streams, each in ascending order of the key, into one; their first items are awaited side by side."""
    firsts = await asyncio.gather(*(anext(stream, _END) for stream in streams))
    heads = [(key(cast(T, item)), number, cast(T, item)) for number, item in enumerate(firsts) if item is not _END]
    heapify(heads)
    while heads:
        _, number, item = heads[0]
        yield item
        if (following := await anext(streams[number], _END)) is _END:
            heappop(heads)
        else:
            heapreplace(heads, (key(cast(T, following)), number, cast(T, following)))


@define(eq=False)
class Coalesced[Item, Answer]:
    """Passes items to `send(key, items)`, at most `most` at a time and one call at a time for each key.

    `send` returns an answer for each item, in their order; an exception in its place is raised to that caller alone,
    one that `send` itself raises to all callers. The first call starts at once, without waiting for others.
    """

    _send: Callable[[str, Sequence[Item]], Awaitable[Sequence[Answer | Exception]]]
    _most: int
    _waiting: dict[str, list[tuple[Item, asyncio.Future[Answer]]]] = field(factory=dict, init=False)
    _senders: dict[str, asyncio.Task[None]] = field(factory=dict, init=False)

    async def __call__(self, key: str, item: Item) -> Answer:
        """Return the answer for one item."""
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(key, []).append((item, answer))
        if key not in self._senders:
            # A separate task: the call continues for the others when one caller is cancelled.
            self._senders[key] = asyncio.create_task(self._send_all(key))
        return await answer

    async def _send_all(self, key: str) -> None:
        try:
            while waiting := self._waiting.pop(key, []):
                group, rest = waiting[: self._most], waiting[self._most :]
                if rest:
                    self._waiting[key] = rest
                await self._send_group(key, group)
        finally:
            del self._senders[key]

    async def _send_group(self, key: str, group: Sequence[tuple[Item, asyncio.Future[Answer]]]) -> None:
        # Of an asker who has given up, nothing is done that nobody would know of.
        group = [(item, asker) for item, asker in group if not asker.done()]
        if not group:
            return
        try:
            answers: Sequence[Answer | Exception] = await self._send(key, [item for item, _ in group])
        except Exception as exc:
            answers = [exc] * len(group)
        except BaseException:
            for _, asker in group:
                asker.cancel()
            raise
        for (_, asker), answer in zip(group, answers, strict=True):
            if asker.done():
                continue
            if isinstance(answer, Exception):
                asker.set_exception(answer)
            else:
                asker.set_result(answer)
