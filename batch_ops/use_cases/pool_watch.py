"""What the pool says, to those who wait for its nodes; broken nodes are removed where the deployment allows it.

A pool is asked only while files wait or work, once a tick at most, and whoever asks gets the same answer. An answer
that is refused or does not come is no answer: nothing is said of the pool then, and nothing is held up.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from attrs import define, field

from batch_ops.domain.errors import Conflict, NotAllowed, ServiceFault
from batch_ops.domain.pool_status import NodeStatus, PoolStatus
from batch_ops.domain.pool_trouble import trouble
from batch_ops.domain.settings import Settings
from batch_ops.domain.turns import day_of
from batch_ops.domain.worklist import Daily, Turns
from batch_ops.ports.services import BatchService
from batch_ops.ports.tables import Worklist

log = logging.getLogger("batch_ops")

# Shorter than the time between two ticks.
_FRESH = timedelta(seconds=25)
_CARED_EVERY = timedelta(minutes=10)
_SAID_EVERY = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class _Look:
    """`known`: whether there was an answer."""

    at: datetime
    known: bool
    pool: PoolStatus | None = None


@define(kw_only=True, eq=False)
class PoolWatch:
    """One instance may serve many ticks: its memory saves calls and lines of the log."""

    _batch: BatchService
    _worklist: Worklist
    _settings: Settings
    _clock: Callable[[], datetime]
    _looks: dict[str, _Look] = field(factory=dict, init=False)
    _looking: asyncio.Lock = field(factory=asyncio.Lock, init=False)
    _said: dict[str, tuple[str, datetime]] = field(factory=dict, init=False)
    _care_at: datetime | None = field(default=None, init=False)
    _may_not: bool = field(default=False, init=False)

    async def trouble(self, pool_id: str) -> str | None:
        """Return what keeps a pool from giving nodes, as a sentence; "" for nothing, None if that is unknown."""
        look = await self._look(pool_id)
        if not look.known:
            return None
        said = trouble(look.pool, pool_id, healed=0 if self._may_not else self._settings.heal_nodes_per_day)
        if said:
            self._tell(pool_id, said)
        return said

    async def care(self) -> None:
        """Remove nodes that have been broken for a while: every ten minutes, and so many a day as the settings say."""
        now = self._clock()
        if not self._settings.heal_nodes_per_day or (self._care_at and now < self._care_at):
            return
        self._care_at = now + _CARED_EVERY
        for pool_id in filter(None, (self._settings.pool_id, self._settings.large_pool_id)):
            look = await self._look(pool_id)
            # Batch removes nodes only while the pool keeps its size.
            if look.pool is not None and look.pool.allocation == "steady":
                await self._remove(pool_id, [n for n in look.pool.broken if n.is_broken_for_good(now)])

    async def _remove(self, pool_id: str, broken: Sequence[NodeStatus]) -> None:
        chosen = broken[: await self._allowance(len(broken))] if broken else ()
        if not chosen:
            return
        try:
            await self._batch.remove_nodes(pool_id, [node.id for node in chosen])
        except ServiceFault as fault:
            self._may_not = isinstance(fault, NotAllowed)
            self._tell("removal", f"Broken nodes could not be removed: {fault.sentence}")
            return
        self._may_not = False
        nodes = ", ".join(f"{node.id} ({node.state})" for node in chosen)
        log.warning("POOL: Removed broken nodes of the pool %s; others take their place: %s", pool_id, nodes)

    async def _allowance(self, wanted: int) -> int:
        """Take as many as wanted of what may still be removed today; noted before anything is removed."""
        limit, today = self._settings.heal_nodes_per_day, day_of(self._clock())
        last = await self._worklist.turns(Daily.REMOVALS)
        given = last.given if last and last.day == today else 0
        taken = max(0, min(wanted, limit - given))
        if not taken:
            self._tell("removals", f"Broken nodes stay until tomorrow: the limit of {limit} a day is used up.")
            return 0
        try:
            await self._worklist.save_turns(Turns(today, given + taken, last.version if last else ""), Daily.REMOVALS)
        except Conflict:
            # Another instance cares for the pool.
            return 0
        return taken

    async def _look(self, pool_id: str) -> _Look:
        async with self._looking:
            look = self._looks.get(pool_id)
            if look is None or self._clock() - look.at >= _FRESH:
                now = self._clock()
                try:
                    look = _Look(now, True, await self._batch.pool(pool_id))
                except ServiceFault as fault:
                    log.info("It is not known what the pool %s says: %s", pool_id, fault.sentence)
                    look = _Look(now, False)
                self._looks[pool_id] = look
            return look

    def _tell(self, what: str, sentence: str) -> None:
        """Log a line that an alert watches for, unless it was logged in the last hour."""
        now = self._clock()
        said, at = self._said.get(what, ("", now))
        if said != sentence or now - at >= _SAID_EVERY:
            self._said[what] = (sentence, now)
            log.warning("POOL: %s", sentence)
