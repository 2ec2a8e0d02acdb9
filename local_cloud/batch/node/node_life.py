"""The life of a node: its start, its start task, reboots, loss, and the way out of its pool."""

import asyncio
from dataclasses import replace
from typing import Any

from local_cloud.batch.node.agent import Agents, NodeAgent
from local_cloud.batch.node.attempts import run_step
from local_cloud.batch.node.execution import Stop, StopReason
from local_cloud.batch.state.account import Account
from local_cloud.batch.state.agenda import Agenda
from local_cloud.batch.state.model import Deallocation, Failure, Json, NodeState, named_values
from local_cloud.batch.state.node_records import Node, StepInfo
from local_cloud.batch.state.settings import Settings

NODE_LOST = Failure("servererror", "NodeLost", "The node does not answer any more")
NO_MOUNTS = Failure("usererror", "MountConfigurationFailed", "The local Batch service can mount nothing")
_STOP_FOR = {
    Deallocation.REQUEUE: StopReason.REQUEUED,
    Deallocation.TERMINATE: StopReason.TERMINATED,
}


class NodeLife:
    """Moves nodes through their states; every way in and out of a state is here."""

    def __init__(self, account: Account, agents: Agents, agenda: Agenda, settings: Settings) -> None:
        self._account = account
        self._agents = agents
        self._agenda = agenda
        self._clock = account.clock
        self._settings = settings

    def allocate(self, node: Node) -> None:
        """Get a new node its machine and start it."""
        self._agents.spawn(self._bring_up(node), f"start of {node.id}")

    async def _bring_up(self, node: Node) -> None:
        if self._settings.allocation_time > 0:
            await self._clock.sleep(self._settings.allocation_time)
        await self.boot(node)

    async def boot(self, node: Node) -> None:
        """Start a node: its system, then its pool's start task."""
        if self._set_state(node, NodeState.STARTING) is None:
            return
        agent = self._agents.of(node)
        boot = agent.next_boot()
        self._account.settle_pool(node.pool)
        if self._settings.boot_time > 0:
            await self._clock.sleep(self._settings.boot_time)
        pool = self._account.pools.get(node.pool)
        if pool is None or boot != agent.boot:
            return  # preempted, rebooted or removed meanwhile
        if pool.spec.get("mountConfiguration"):
            self._set_state(node, NodeState.UNUSABLE, errors=(_node_error(NO_MOUNTS),))
            return
        agent.slots = pool.slots_per_node
        agent.paths.make()
        body = pool.spec.get("startTask")
        booted = self._clock.now()
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
        agent = self._agents.of(node)
        info = await run_step(
            lambda: agent.run_start_task(body, stop),
            int(body.get("maxTaskRetryCount", 0)),
            self._clock,
            lambda info: self._note(node, info),
        )
        if info is None:
            return
        if not body.get("waitForSuccess", True):
            return
        if info.failure is None:
            self._ready(node)
        else:
            self._set_state(node, NodeState.START_TASK_FAILED, errors=(_node_error(info.failure),))

    def _note(self, node: Node, info: StepInfo) -> None:
        found = self._account.find_node(node.pool, node.key)
        if found is not None:
            self._account.put_node(replace(found, start_task=info))

    def _ready(self, node: Node) -> None:
        if self._set_state(node, NodeState.IDLE) is not None:
            self._agenda.add(node.pool)

    def _set_state(self, node: Node, state: NodeState, **changes: Any) -> Node | None:
        """Put a node into another state; change nothing and return None when it is gone or leaving."""
        found = self._account.find_node(node.pool, node.key)
        if found is None or found.leaving is not None:
            return None
        self._agents.of(node).note(f"the node is {state}")
        return self._account.put_node(replace(found, state=state, state_since=self._clock.now(), **changes))

    def busy_changed(self, agent: NodeAgent, **changes: Any) -> None:
        """Note on the node's record whether it runs tasks, and what else has changed."""
        node = self._account.find_node(agent.pool, agent.node)
        if node is None:
            return
        state = node.state
        if state in (NodeState.IDLE, NodeState.RUNNING):
            state = NodeState.RUNNING if agent.task_runs else NodeState.IDLE
        since = node.state_since if state is node.state else self._clock.now()
        self._account.put_node(replace(node, state=state, state_since=since, **changes))

    def remove(self, node: Node, option: Deallocation) -> None:
        """Remove a node from its pool; `option` decides what becomes of its tasks."""
        if node.leaving is not None:
            return
        node = self._account.put_node(replace(node, leaving=option))
        self._agents.spawn(self._bring_down(node, option), f"removal of {node.id}")

    async def _bring_down(self, node: Node, option: Deallocation) -> None:
        agent = self._agents.of(node)
        await self._empty(agent, _STOP_FOR.get(option))
        if option is Deallocation.RETAINED_DATA:
            await agent.retired(self._clock)
        found = self._account.find_node(node.pool, node.key)
        if found is None:
            return
        self._account.put_node(replace(found, state=NodeState.LEAVING_POOL, state_since=self._clock.now()))
        await asyncio.to_thread(agent.paths.remove)
        self._agents.forget(node)
        self._account.drop_node(node)
        self._account.settle_pool(node.pool)

    def reboot(self, node: Node, option: Deallocation) -> None:
        """Restart a node; `option` decides what becomes of its tasks, its files stay."""
        self._set_state(node, NodeState.REBOOTING)
        self._agents.spawn(self._reboot(node, _STOP_FOR.get(option)), f"reboot of {node.id}")

    async def _reboot(self, node: Node, reason: StopReason | None) -> None:
        agent = self._agents.of(node)
        agent.next_boot()
        await self._empty(agent, reason)
        await self.boot(node)

    async def _empty(self, agent: NodeAgent, reason: StopReason | None) -> None:
        """End the start task, and the tasks if there is a reason; return when nothing runs any more."""
        if agent.start_stop is not None:
            agent.start_stop.request(StopReason.NODE_GONE)
        agent.stop_runs(reason)
        await agent.drained()

    def vanish(self, node: Node, state: NodeState, error: Failure | None = None) -> None:
        """Take a node away, preempted or lost: its processes end at once, its tasks are queued again."""
        errors = () if error is None else (_node_error(error),)
        self._set_state(node, state, errors=errors, users=())
        self._account.drop_preparations(node)
        self._agents.of(node).next_boot()
        self._agents.of(node).stop_all(StopReason.NODE_GONE)
        self._agents.spawn(self._wipe(node), f"end of {node.id}")

    def lose(self, node: Node) -> None:
        """Make a node unusable, as if it no longer answered, until it is restored or removed."""
        self.vanish(node, NodeState.UNUSABLE, NODE_LOST)

    async def _wipe(self, node: Node) -> None:
        agent = self._agents.of(node)
        await agent.drained()
        await asyncio.to_thread(agent.paths.remove)

    def hurry(self, node: Node) -> None:
        """Remove a node that is leaving without further waiting."""
        agent = self._agents.of(node)
        agent.hurry.set()
        agent.stop_runs(StopReason.REQUEUED)

    def resume(self, node: Node) -> None:
        """Start a node as from a reboot, after a restart of the service."""
        if node.state is NodeState.CREATING:
            self.allocate(node)
        elif node.state not in (NodeState.PREEMPTED, NodeState.UNUSABLE, NodeState.OFFLINE):
            self._set_state(node, NodeState.REBOOTING)
            self._agents.spawn(self.boot(node), f"start of {node.id}")

    def restore(self, node: Node) -> None:
        """Start a preempted or lost node afresh."""
        self._agents.spawn(self._restore(node), f"return of {node.id}")

    async def _restore(self, node: Node) -> None:
        await self._agents.of(node).drained()
        await self.boot(node)


def _node_error(trouble: Failure) -> Json:
    return {
        "code": trouble.code,
        "message": trouble.message,
        "errorDetails": named_values(trouble.details),
    }
