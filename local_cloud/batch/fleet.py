"""The nodes of all pools: made, started, taken away, lost and restored."""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any

from local_cloud.batch.account import Account
from local_cloud.batch.agent import NodeAgent
from local_cloud.batch.environment import node_environment
from local_cloud.batch.execution import Stop, StopReason, Tools
from local_cloud.batch.faults import Faults
from local_cloud.batch.model import (
    AllocationState,
    Deallocation,
    Failure,
    Json,
    Node,
    NodeState,
    Pool,
    PoolState,
    StartTaskInfo,
)
from local_cloud.batch.node_paths import NodePaths
from local_cloud.batch.outcomes import EXIT_CODE
from local_cloud.batch.settings import Settings
from local_cloud.batch.timers import Timers

_log = logging.getLogger(__name__)
NODE_LOST = Failure("servererror", "NodeLost", "The node does not answer any more")
_STOP_FOR = {
    Deallocation.REQUEUE: StopReason.REQUEUED,
    Deallocation.TERMINATE: StopReason.TERMINATED,
}


class Fleet:
    """Brings every pool to its targets and keeps the agents of its nodes."""

    def __init__(
        self,
        account: Account,
        settings: Settings,
        tools: Tools,
        faults: Faults,
        timers: Timers,
        endpoint: Callable[[], str],
    ) -> None:
        self._account = account
        self._settings = settings
        self._tools = tools
        self._faults = faults
        self._timers = timers
        self._endpoint = endpoint
        self._agents: dict[tuple[str, str], NodeAgent] = {}
        self._background: set[asyncio.Task[None]] = set()
        self.on_ready: Callable[[str], None] = lambda pool: None
        self.on_change: Callable[[], None] = lambda: None

    # Agents --------------------------------------------------------------------------------------

    def agent(self, node: Node) -> NodeAgent:
        """The agent of a node."""
        key = (node.pool, node.key)
        if key not in self._agents:
            pool = self._account.pools[node.pool]
            paths = NodePaths(self._settings.data / "nodes" / pool.id / node.id)
            environment = node_environment(
                self._settings.node_environment,
                account=self._settings.account,
                url=self._endpoint(),
                pool=pool.id,
                node=node.id,
                dedicated=node.dedicated,
                paths=paths,
            )
            self._agents[key] = NodeAgent(
                node.pool, node.key, pool.slots_per_node, paths, environment, self._tools, self._faults
            )
        return self._agents[key]

    def agents(self) -> list[NodeAgent]:
        """All agents."""
        return list(self._agents.values())

    def spawn(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        """Do something in the background, ended with the service."""

        async def guarded() -> None:
            try:
                await work
            except Exception:
                _log.exception("%s has failed", name)
            finally:
                self.on_change()

        task = asyncio.create_task(guarded(), name=name)
        self._background.add(task)
        task.add_done_callback(self._background.discard)
        return task

    async def stop(self) -> None:
        """End every process and everything in the background."""
        for agent in self._agents.values():
            agent.stop_all(StopReason.SHUTDOWN)
        for agent in self._agents.values():
            await agent.drained()
        for task in list(self._background):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    # Pool size -----------------------------------------------------------------------------------

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
            allocation=AllocationState.RESIZING,
            allocation_since=self._account.clock.now(),
        )
        self._limit_time(pool)
        return self.converge(pool)

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
            allocation=AllocationState.STEADY,
            allocation_since=self._account.clock.now(),
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
            allocation=AllocationState.STOPPING,
            allocation_since=self._account.clock.now(),
        )
        return self._settle(pool.key) or pool

    def remove_nodes(self, pool: Pool, nodes: list[Node], option: Deallocation) -> Pool:
        """Send named nodes off and lower the targets by as many."""
        dedicated = sum(node.dedicated for node in nodes)
        pool = self._account.touch_pool(
            pool,
            target_dedicated=max(0, pool.target_dedicated - dedicated),
            target_low_priority=max(0, pool.target_low_priority - (len(nodes) - dedicated)),
            allocation=AllocationState.RESIZING,
            allocation_since=self._account.clock.now(),
        )
        for node in nodes:
            self.remove(node, option)
        return pool

    def converge(self, pool: Pool) -> Pool:
        """Add the nodes that are missing, send off those that are too many; steady when all is settled."""
        for dedicated, target in ((True, pool.target_dedicated), (False, pool.target_low_priority)):
            staying = [
                node
                for node in self._account.nodes[pool.key].values()
                if node.dedicated is dedicated and node.leaving is None
            ]
            for _ in range(target - len(staying)):
                pool = self._add_node(pool, dedicated)
            for node in sorted(staying, key=self._departure_order)[: max(0, len(staying) - target)]:
                self.remove(node, pool.deallocation)
        return self._settle(pool.key) or pool

    def _departure_order(self, node: Node) -> tuple[bool, bool, int]:
        busy = bool(self.agent(node).runs)
        useful = node.state in (NodeState.IDLE, NodeState.RUNNING)
        return useful, busy, -node.number

    def _settle(self, pool_key: str) -> Pool | None:
        pool = self._account.pools.get(pool_key)
        if pool is None or pool.allocation is AllocationState.STEADY:
            return pool
        nodes = self._account.nodes[pool_key].values()
        if any(node.leaving is not None or node.state is NodeState.CREATING for node in nodes):
            return pool
        now = self._account.clock.now()
        return self._account.put_pool(replace(pool, allocation=AllocationState.STEADY, allocation_since=now))

    def _add_node(self, pool: Pool, dedicated: bool) -> Pool:
        number = pool.nodes_made + 1
        pool = self._account.put_pool(replace(pool, nodes_made=number))
        now = self._account.clock.now()
        name = f"tvm-{pool.key}-{'d' if dedicated else 'p'}-{number:04d}"[-64:].lstrip("-_")
        node = self._account.put_node(
            Node(pool.key, name, name, number, dedicated, NodeState.CREATING, now, allocated=now, booted=now)
        )
        self.spawn(self._bring_up(node, self._settings.allocation_time), f"start of {name}")
        return pool

    # The life of a node --------------------------------------------------------------------------

    async def _bring_up(self, node: Node, allocation: float) -> None:
        if allocation > 0:
            await self._tools.clock.sleep(allocation)
        await self.boot(node)

    async def boot(self, node: Node) -> None:
        """Start a node: its system, then its pool's start task."""
        if self._set_state(node, NodeState.STARTING) is None:
            return
        agent = self.agent(node)
        boot = agent.next_boot()
        self._settle(node.pool)
        if self._settings.boot_time > 0:
            await self._tools.clock.sleep(self._settings.boot_time)
        pool = self._account.pools.get(node.pool)
        if pool is None or boot != agent.boot:
            return  # preempted, rebooted or removed meanwhile
        agent.slots = pool.slots_per_node
        agent.paths.make()
        body = pool.spec.get("startTask")
        booted = self._account.clock.now()
        if self._set_state(node, NodeState.WAITING_FOR_START_TASK, booted=booted, errors=()) is None:
            return
        if body is None:
            self._ready(node)
            return
        agent.start_stop = stop = Stop()
        agent.start_follower = asyncio.current_task()
        if not body.get("waitForSuccess", True):
            self._ready(node)
        try:
            await self._start_task(node, body, stop)
        finally:
            agent.start_stop = agent.start_follower = None

    async def _start_task(self, node: Node, body: Json, stop: Stop) -> None:
        agent, clock = self.agent(node), self._account.clock
        retries, last_retry = 0, None
        limit = int(body.get("maxTaskRetryCount", 0))
        while True:
            began = clock.now()
            self._note(node, StartTaskInfo(True, began, retries=retries, last_retry=last_retry))
            ended = await agent.run_start_task(body, stop)
            if ended.stopped is not None:
                return
            good = ended.exit_code == 0 and ended.failure is None
            retryable = ended.exit_code not in (None, 0)
            if good or not retryable or not (limit < 0 or retries < limit):
                break
            retries, last_retry = retries + 1, clock.now()
        trouble = None if good else (ended.failure or EXIT_CODE)
        info = StartTaskInfo(False, began, clock.now(), ended.exit_code, trouble, retries, last_retry)
        self._note(node, info)
        if not body.get("waitForSuccess", True):
            return
        if good:
            self._ready(node)
        else:
            assert trouble is not None
            self._set_state(node, NodeState.START_TASK_FAILED, errors=(_node_error(trouble),))

    def _note(self, node: Node, info: StartTaskInfo) -> None:
        found = self._account.find_node(node.pool, node.key)
        if found is not None:
            self._account.put_node(replace(found, start_task=info))
            self.on_change()

    def _ready(self, node: Node) -> None:
        if self._set_state(node, NodeState.IDLE) is not None:
            self.on_ready(node.pool)

    def _set_state(self, node: Node, state: NodeState, **changes: Any) -> Node | None:
        """The node in another state; None when it is gone or leaving, and nothing was changed."""
        found = self._account.find_node(node.pool, node.key)
        if found is None or found.leaving is not None:
            return None
        found = self._account.put_node(replace(found, state=state, state_since=self._account.clock.now(), **changes))
        self.on_change()
        return found

    def busy_changed(self, agent: NodeAgent, **changes: Any) -> None:
        """Note on the node's record whether it runs tasks, and what else has changed."""
        node = self._account.find_node(agent.pool, agent.node)
        if node is None:
            return
        state = node.state
        if state in (NodeState.IDLE, NodeState.RUNNING):
            state = NodeState.RUNNING if agent.runs else NodeState.IDLE
        since = node.state_since if state is node.state else self._account.clock.now()
        self._account.put_node(replace(node, state=state, state_since=since, **changes))

    def remove(self, node: Node, option: Deallocation) -> None:
        """Send a node off; its tasks go as `option` says."""
        if node.leaving is not None:
            return
        node = self._account.put_node(replace(node, leaving=option))
        self.spawn(self._bring_down(node, option), f"removal of {node.id}")

    async def _bring_down(self, node: Node, option: Deallocation) -> None:
        agent = self.agent(node)
        reason = _STOP_FOR.get(option)
        if agent.start_stop is not None:
            agent.start_stop.request(StopReason.NODE_GONE)
        if reason is not None:
            for entry in list(agent.runs.values()):
                entry.stop.request(reason)
        await agent.drained()
        if option is Deallocation.RETAINED_DATA:
            await agent.retired(self._tools.clock)
        found = self._account.find_node(node.pool, node.key)
        if found is None:
            return
        self._account.put_node(replace(found, state=NodeState.LEAVING_POOL, state_since=self._account.clock.now()))
        await asyncio.to_thread(agent.paths.remove)
        self._agents.pop((node.pool, node.key), None)
        self._account.drop_node(node)
        pool = self._settle(node.pool)
        if pool is not None and pool.state is PoolState.DELETING and not self._account.nodes[pool.key]:
            self._account.drop_pool(pool.key)

    def delete_pool(self, pool: Pool) -> None:
        """Send all nodes off; the pool is gone with the last one."""
        nodes = list(self._account.nodes[pool.key].values())
        if not nodes:
            self._account.drop_pool(pool.key)
            return
        for node in nodes:
            if node.leaving is None:
                self.remove(node, Deallocation.REQUEUE)
            else:
                self.agent(node).hurry.set()
                for entry in list(self.agent(node).runs.values()):
                    entry.stop.request(StopReason.REQUEUED)

    def reboot(self, node: Node, option: Deallocation) -> None:
        """Restart a node; its tasks go as `option` says, its files stay."""
        self._set_state(node, NodeState.REBOOTING)
        self.spawn(self._reboot(node, _STOP_FOR.get(option)), f"reboot of {node.id}")

    async def _reboot(self, node: Node, reason: StopReason | None) -> None:
        agent = self.agent(node)
        agent.next_boot()
        if agent.start_stop is not None:
            agent.start_stop.request(StopReason.NODE_GONE)
        if reason is not None:
            for entry in list(agent.runs.values()):
                entry.stop.request(reason)
        await agent.drained()
        await self.boot(node)

    def vanish(self, node: Node, state: NodeState, error: Failure | None = None) -> None:
        """A node is preempted or lost: its processes end at once, its tasks are queued again."""
        errors = () if error is None else (_node_error(error),)
        self._set_state(node, state, errors=errors)
        self.agent(node).next_boot()
        self.agent(node).stop_all(StopReason.NODE_GONE)
        self.spawn(self._wipe(node), f"end of {node.id}")

    def lose(self, node: Node) -> None:
        """A node does not answer any more: it is unusable until it is restored or removed."""
        self.vanish(node, NodeState.UNUSABLE, NODE_LOST)

    async def _wipe(self, node: Node) -> None:
        agent = self.agent(node)
        await agent.drained()
        await asyncio.to_thread(agent.paths.remove)

    def restore(self, node: Node) -> None:
        """Start a preempted or lost node afresh."""
        self.spawn(self._restore(node), f"return of {node.id}")

    async def _restore(self, node: Node) -> None:
        await self.agent(node).drained()
        await self.boot(node)

    def restart_all(self) -> None:
        """After a restart of the service every node starts as from a reboot."""
        for nodes in list(self._account.nodes.values()):
            for node in list(nodes.values()):
                if node.leaving is not None:
                    node = self._account.put_node(replace(node, leaving=None))
                    self.remove(node, Deallocation.REQUEUE)
                elif node.state is NodeState.CREATING:
                    self.spawn(self._bring_up(node, self._settings.allocation_time), f"start of {node.id}")
                elif node.state not in (NodeState.PREEMPTED, NodeState.UNUSABLE, NodeState.OFFLINE):
                    self._set_state(node, NodeState.REBOOTING)
                    self.spawn(self.boot(node), f"start of {node.id}")
        for pool in list(self._account.pools.values()):
            if pool.state is PoolState.DELETING:
                self.delete_pool(pool)
            else:
                self.converge(pool)


def _node_error(trouble: Failure) -> Json:
    return {
        "code": trouble.code,
        "message": trouble.message,
        "errorDetails": [{"name": name, "value": value} for name, value in trouble.details],
    }
