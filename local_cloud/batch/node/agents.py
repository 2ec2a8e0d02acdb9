"""The agents of all nodes, and what goes on in the background for them."""

import asyncio
import contextlib
import logging
from collections.abc import Coroutine
from typing import Any

from local_cloud.batch.node.agent import NodeAgent, TaskRun
from local_cloud.batch.node.environment import node_environment
from local_cloud.batch.node.execution import StopReason, Tools
from local_cloud.batch.node.node_paths import NodePaths
from local_cloud.batch.state.account import Account
from local_cloud.batch.state.faults import Faults
from local_cloud.batch.state.model import Node
from local_cloud.batch.state.settings import Settings

_log = logging.getLogger(__name__)


class Agents:
    """Makes the agent of a node when it is first needed and keeps it as long as the node is there."""

    def __init__(self, account: Account, settings: Settings, tools: Tools, faults: Faults, endpoint: str) -> None:
        self._account = account
        self._settings = settings
        self._tools = tools
        self._faults = faults
        self._endpoint = endpoint
        self._agents: dict[tuple[str, str], NodeAgent] = {}
        self._background: set[asyncio.Task[None]] = set()

    def of(self, node: Node) -> NodeAgent:
        """Return the agent of a node; make it when it is first needed."""
        key = (node.pool, node.key)
        if key not in self._agents:
            pool = self._account.pools[node.pool]
            paths = NodePaths(self._settings.data / "nodes" / pool.id / node.id)
            environment = node_environment(
                self._settings.node_environment,
                account=self._settings.account,
                url=self._endpoint,
                pool=pool.id,
                node=node.id,
                dedicated=node.dedicated,
                paths=paths,
            )
            self._agents[key] = NodeAgent(
                node.pool, node.key, pool.slots_per_node, paths, environment, self._tools, self._faults
            )
        return self._agents[key]

    def all(self) -> list[NodeAgent]:
        """Return all agents."""
        return list(self._agents.values())

    def runs_of_job(self, job_key: str) -> list[TaskRun]:
        """Return the runs of a job's tasks, deleted ones included."""
        return [run for agent in self._agents.values() for key, run in agent.runs.items() if key[0] == job_key]

    def forget(self, node: Node) -> None:
        """Drop the agent of a node that is gone."""
        self._agents.pop((node.pool, node.key), None)

    def spawn(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        """Start work in the background; it ends with the service at the latest."""

        async def guarded() -> None:
            try:
                await work
            except Exception:
                _log.exception("%s has failed", name)

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
