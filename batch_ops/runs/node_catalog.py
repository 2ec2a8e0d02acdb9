"""What is known of nodes: their size, their task slots, whether Azure may take them back.

Each is asked for once, but for nodes and pools that are not there: those are asked for every time. An answer that is
refused, or that does not come, is no answer: what it would have said stays unknown, and nothing is held up.
"""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from attrs import define, field

from batch_ops.domain.errors import ServiceFault
from batch_ops.domain.prices import Node, NodeKind
from batch_ops.ports.services import BatchService

log = logging.getLogger("batch_ops")

_REMEMBERED = 10_000
# Whoever was refused, or met an outage, asks again after this time.
_PATIENCE = timedelta(minutes=10)
# A pool that is not there may be made; meanwhile it costs no file of a burst a call.
_UNTIL_MADE = timedelta(minutes=1)


@define(kw_only=True, eq=False)
class NodeCatalog:
    """Size and slots of a pool never change, nor does the kind of a node, so that they are remembered for ever.

    The kinds of the last ten thousand nodes are.
    """

    _batch: BatchService
    _clock: Callable[[], datetime]
    _pools: dict[str, Node] = field(factory=dict, init=False)
    _kinds: OrderedDict[tuple[str, str], NodeKind] = field(factory=OrderedDict, init=False)
    _not_before: dict[str, datetime] = field(factory=dict, init=False)
    _looking: asyncio.Lock = field(factory=asyncio.Lock, init=False)

    async def node(self, pool_id: str, node_id: str) -> Node:
        """Look up a node of a pool."""
        async with self._looking:
            return replace(await self._pool(pool_id), kind=await self._kind(pool_id, node_id))

    async def any_node(self, pool_id: str) -> Node:
        """Look up what all nodes of a pool have in common."""
        async with self._looking:
            return await self._pool(pool_id)

    async def _pool(self, pool_id: str) -> Node:
        if pool_id not in self._pools and self._may_ask(f"pool {pool_id}"):
            try:
                found = await self._batch.pool(pool_id)
            except ServiceFault as fault:
                self._refused(f"pool {pool_id}", fault)
            else:
                if found is None:
                    self._not_before[f"pool {pool_id}"] = self._clock() + _UNTIL_MADE
                else:
                    self._pools[pool_id] = Node(found.vm_size.lower(), found.slots)
        return self._pools.get(pool_id, Node())

    async def _kind(self, pool_id: str, node_id: str) -> NodeKind | None:
        key = (pool_id, node_id)
        if key not in self._kinds and self._may_ask(f"nodes of {pool_id}"):
            try:
                is_dedicated = await self._batch.is_dedicated(pool_id, node_id)
            except ServiceFault as fault:
                self._refused(f"nodes of {pool_id}", fault)
            else:
                if is_dedicated is not None:
                    self._kinds[key] = NodeKind.DEDICATED if is_dedicated else NodeKind.SPOT
                while len(self._kinds) > _REMEMBERED:
                    self._kinds.popitem(last=False)
        return self._kinds.get(key)

    def _may_ask(self, what: str) -> bool:
        not_before = self._not_before.get(what)
        return not_before is None or self._clock() >= not_before

    def _refused(self, what: str, fault: ServiceFault) -> None:
        self._not_before[what] = self._clock() + _PATIENCE
        log.warning("It is not known what work on the %s costs: %s", what, fault.sentence)
