"""The size of all pools: targets, the nodes they have, and the way from one to the other."""

from dataclasses import replace

from local_cloud.batch.node.agent import Agents
from local_cloud.batch.node.node_life import NodeLife
from local_cloud.batch.state.account import Account
from local_cloud.batch.state.agenda import Timers
from local_cloud.batch.state.faults import Faults
from local_cloud.batch.state.model import AllocationState, Deallocation, Json, NodeState, Pool, PoolState
from local_cloud.batch.state.node_records import Node


class Fleet:
    """Brings every pool to its targets."""

    def __init__(self, account: Account, agents: Agents, life: NodeLife, faults: Faults, timers: Timers) -> None:
        self._account = account
        self._agents = agents
        self._life = life
        self._faults = faults
        self._timers = timers

    def resize(
        self,
        pool: Pool,
        dedicated: int,
        low_priority: int,
        deallocation: Deallocation = Deallocation.REQUEUE,
    ) -> Pool:
        """Set a pool's targets and begin to follow them."""
        if self._faults.take(pool.key, "resize"):
            code = self._faults.pool(pool.key).resize_code
            return self._resize_failed(pool, dedicated, low_priority, code)
        pool = self._account.touch_pool(
            pool,
            target_dedicated=dedicated,
            target_low_priority=low_priority,
            deallocation=deallocation,
            resize_errors=(),
            **self._now(AllocationState.RESIZING),
        )
        self._limit_time(pool)
        return self.converge(pool)

    def _now(self, allocation: AllocationState) -> Json:
        return {"allocation": allocation, "allocation_since": self._account.clock.now()}

    def _limit_time(self, pool: Pool) -> None:
        """Give up on nodes that are not allocated within the pool's resize timeout."""
        key, since = pool.key, pool.allocation_since

        def expire() -> None:
            found = self._account.pools.get(key)
            if found is None or found.allocation_since != since or found.autoscale:
                return
            if found.allocation is not AllocationState.RESIZING:
                return
            for node in list(self._account.nodes[key].values()):
                if node.state is NodeState.CREATING:
                    self._account.drop_node(node)
            self._resize_failed(found, found.target_dedicated, found.target_low_priority, "AllocationTimedout")

        self._timers.at(since + pool.resize_timeout, expire)

    def _resize_failed(self, pool: Pool, dedicated: int, low_priority: int, code: str) -> Pool:
        error = {"code": code, "message": "The wanted number of nodes could not be allocated", "values": []}
        return self._account.touch_pool(
            pool,
            target_dedicated=dedicated,
            target_low_priority=low_priority,
            resize_errors=(error,),
            **self._now(AllocationState.STEADY),
        )

    def stop_resize(self, pool: Pool) -> Pool:
        """Leave a pool as it is in the middle of a resize."""
        staying = [node for node in self._account.nodes[pool.key].values() if node.leaving is None]
        dedicated = sum(node.dedicated for node in staying)
        stopped = {"code": "ResizeStopped", "message": "The resize was stopped by a request", "values": []}
        pool = self._account.touch_pool(
            pool,
            target_dedicated=dedicated,
            target_low_priority=len(staying) - dedicated,
            resize_errors=(stopped,),
            **self._now(AllocationState.STOPPING),
        )
        self._account.settle_pool(pool.key)
        return self._account.pools.get(pool.key, pool)

    def remove_nodes(self, pool: Pool, nodes: list[Node], option: Deallocation) -> Pool:
        """Remove named nodes and lower the targets by as many."""
        dedicated = sum(node.dedicated for node in nodes)
        pool = self._account.touch_pool(
            pool,
            target_dedicated=max(0, pool.target_dedicated - dedicated),
            target_low_priority=max(0, pool.target_low_priority - (len(nodes) - dedicated)),
            **self._now(AllocationState.RESIZING),
        )
        for node in nodes:
            self._life.remove(node, option)
        return pool

    def converge(self, pool: Pool) -> Pool:
        """Add the nodes that are missing and remove those that are too many."""
        for dedicated, target in ((True, pool.target_dedicated), (False, pool.target_low_priority)):
            staying = [
                node
                for node in self._account.nodes[pool.key].values()
                if node.dedicated is dedicated and node.leaving is None
            ]
            for _ in range(target - len(staying)):
                pool = self._add_node(pool, dedicated)
            for node in sorted(staying, key=self._departure_order)[: max(0, len(staying) - target)]:
                self._life.remove(node, pool.deallocation)
        self._account.settle_pool(pool.key)
        return self._account.pools.get(pool.key, pool)

    def _departure_order(self, node: Node) -> tuple[bool, bool, int]:
        busy = bool(self._agents.of(node).runs)
        useful = node.state in (NodeState.IDLE, NodeState.RUNNING)
        return useful, busy, -node.number

    def _add_node(self, pool: Pool, dedicated: bool) -> Pool:
        number = pool.nodes_made + 1
        pool = self._account.put_pool(replace(pool, nodes_made=number))
        now = self._account.clock.now()
        name = f"tvm-{pool.key}-{'d' if dedicated else 'p'}-{number:04d}"[-64:].lstrip("-_")
        node = self._account.put_node(
            Node(pool.key, name, name, number, dedicated, NodeState.CREATING, now, allocated=now, booted=now)
        )
        self._life.allocate(node)
        return pool

    def delete_pool(self, pool: Pool) -> None:
        """Remove all nodes; the pool goes with the last one."""
        if pool.state is not PoolState.DELETING:
            now = self._account.clock.now()
            pool = self._account.touch_pool(pool, state=PoolState.DELETING, state_since=now)
        for node in list(self._account.nodes[pool.key].values()):
            if node.leaving is None:
                self._life.remove(node, Deallocation.REQUEUE)
            else:
                self._life.hurry(node)
        self._account.settle_pool(pool.key)

    def restart_all(self) -> None:
        """Start every node as from a reboot, after a restart of the service."""
        for nodes in list(self._account.nodes.values()):
            for node in list(nodes.values()):
                if node.leaving is not None:
                    node = self._account.put_node(replace(node, leaving=None))
                    self._life.remove(node, Deallocation.REQUEUE)
                else:
                    self._life.resume(node)
        for pool in list(self._account.pools.values()):
            if pool.state is PoolState.DELETING:
                self.delete_pool(pool)
            else:
                self.converge(pool)
