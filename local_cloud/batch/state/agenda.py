"""The pools in which a waiting task may have found a free slot."""

import asyncio


class Agenda:
    """Collects such pools, however often each is named, until the dispatcher takes them up."""

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
