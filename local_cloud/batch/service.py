"""The service put together: state, nodes, scheduling and what happens by itself over time."""

import asyncio
import fcntl
from dataclasses import replace
from pathlib import Path
from typing import IO

from local_cloud.batch.node.agent import Agents
from local_cloud.batch.node.blob_access import BlobAccess, Identities
from local_cloud.batch.node.execution import Tools
from local_cloud.batch.node.node_life import NodeLife
from local_cloud.batch.node.process import end_orphans
from local_cloud.batch.node.retention import Retention
from local_cloud.batch.scheduling.autoscaling import Autoscaling
from local_cloud.batch.scheduling.dispatcher import Dispatcher
from local_cloud.batch.scheduling.fleet import Fleet
from local_cloud.batch.scheduling.job_control import JobControl
from local_cloud.batch.scheduling.job_steps import JobSteps
from local_cloud.batch.state.account import Account
from local_cloud.batch.state.agenda import Agenda, Timers
from local_cloud.batch.state.clock import Clock
from local_cloud.batch.state.creation import new_pool
from local_cloud.batch.state.errors import ConfigurationError
from local_cloud.batch.state.faults import Faults
from local_cloud.batch.state.model import Json, Pool
from local_cloud.batch.state.settings import Settings
from local_cloud.batch.state.store import Store
from local_cloud.batch.state.tokens import Tokens


class BatchService:
    """Everything behind the REST API, which answers at `endpoint`.

    `start` before the first request, `stop` after the last.
    """

    def __init__(self, settings: Settings, clock: Clock, endpoint: str) -> None:
        settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Processes are recognised by this path, so it must be the one and only spelling of it.
        self.settings = settings = replace(settings, data=settings.data.resolve())
        self._lock = _hold(settings.data / "lock")
        self.endpoint = endpoint
        self.store = Store(settings.data / "batch.sqlite")
        self.account = Account(self.store, clock)
        self.identities = Identities(settings.pool_identities)
        self.faults = Faults()
        self.agenda = Agenda()
        self._access = BlobAccess(settings.storage_connection_string, self.identities)
        self._timers = Timers(clock)
        tools = Tools(
            clock=clock,
            access=self._access,
            store=self.store,
            kill_grace=settings.kill_grace,
            memory_bytes=settings.task_memory_bytes,
            memory_interval=settings.memory_interval,
            tokens=Tokens(settings.key),
        )
        self.agents = Agents(self.account, settings, tools, self.faults, endpoint)
        self.life = NodeLife(self.account, self.agents, self.agenda, settings)
        self.fleet = Fleet(self.account, self.agents, self.life, self.faults, self._timers)
        self.autoscaling = Autoscaling(self.account, self.fleet, self._timers)
        self._retention = Retention(self.account, self.agents, self._timers)
        steps = JobSteps(self.account, self.agents, lambda job: self.jobs.step_ended(job))
        self.jobs = JobControl(self.account, self.agents, steps, self.agenda, self._timers, self._retention, self.fleet)
        self.dispatcher = Dispatcher(self.account, self.agents, self.life, self.jobs, steps, self.agenda)
        self._stopping = False

    async def start(self) -> None:
        """Take up what an earlier service has left, then the pool of the settings."""
        records = self.store.read_processes()
        await asyncio.to_thread(end_orphans, records, self.settings.data / "nodes")
        for record in records:
            self.store.drop_process(record.pid)
        self.account.load()
        self.dispatcher.recover()
        self._timers.start()
        self.fleet.restart_all()
        self.jobs.resume()
        self._retention.watch_all()
        self.autoscaling.resume()
        self._make_default_pool()
        self.dispatcher.start()
        self.store.flush()

    def _make_default_pool(self) -> None:
        settings = self.settings
        if settings.nodes <= 0:
            return
        found = self.account.pools.get(settings.pool.lower())
        if found is None:
            body = {
                "id": settings.pool,
                "vmSize": "STANDARD_D4S_V5",
                "targetDedicatedNodes": settings.nodes,
                "taskSlotsPerNode": settings.task_slots,
            }
            self.make_pool(body)
        elif found.target_dedicated != settings.nodes and not found.autoscale:
            self.fleet.resize(found, settings.nodes, found.target_low_priority)

    def make_pool(self, body: Json) -> Pool:
        """Make a pool and begin to fill it; ServiceError when its formula is none."""
        if body.get("enableAutoScale"):
            self.autoscaling.check(body["autoScaleFormula"])
        pool = self.account.put_pool(new_pool(body, self.account))
        if pool.autoscale:
            return self.autoscaling.begin(pool)
        return self.fleet.resize(pool, body.get("targetDedicatedNodes", 0), body.get("targetLowPriorityNodes", 0))

    async def stop(self) -> None:
        """End all processes; what was running is queued again at the next start."""
        if self._stopping:
            return
        self._stopping = True
        self.dispatcher.stop()
        await self._timers.stop()
        await self.agents.stop()
        await self._access.close()
        self.store.close()
        self._lock.close()


def _hold(path: Path) -> IO[bytes]:
    """Hold the lock of a data folder until the file returned is closed."""
    file = path.open("wb")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as exc:
        file.close()
        raise ConfigurationError(
            f"Another Batch service uses {path.parent}: end it, or name another folder with --data."
        ) from exc
    return file
