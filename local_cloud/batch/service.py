"""The service put together: state, nodes, scheduling and what happens by itself over time."""

import asyncio
import contextlib
import fcntl
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import IO

from local_cloud.batch.node.agents import Agents
from local_cloud.batch.node.blob_access import BlobAccess
from local_cloud.batch.node.execution import Tools
from local_cloud.batch.node.identities import Identities
from local_cloud.batch.node.node_life import NodeLife
from local_cloud.batch.node.node_paths import TaskPaths
from local_cloud.batch.node.orphans import end_orphans
from local_cloud.batch.node.process import RunningProgram
from local_cloud.batch.rest.handlers.pools import new_pool
from local_cloud.batch.scheduling.autoscaling import Autoscaling
from local_cloud.batch.scheduling.dispatcher import Dispatcher
from local_cloud.batch.scheduling.fleet import Fleet
from local_cloud.batch.scheduling.job_control import JobControl
from local_cloud.batch.scheduling.retention import Retention
from local_cloud.batch.state.account import Account
from local_cloud.batch.state.auth import Authenticator
from local_cloud.batch.state.clock import Clock
from local_cloud.batch.state.errors import ConfigurationError
from local_cloud.batch.state.faults import Faults
from local_cloud.batch.state.settings import Settings
from local_cloud.batch.state.store import ProcessRecord, Store
from local_cloud.batch.state.timers import Timers


class BatchService:
    """Everything behind the REST API. `start` before the first request, `stop` after the last."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        settings.data.mkdir(parents=True, exist_ok=True)
        # Processes are told apart by this path, so it must be the one and only spelling of it.
        self.settings = settings = replace(settings, data=settings.data.resolve())
        self._lock = _hold(settings.data / "lock")
        self.clock = clock
        self.endpoint = ""
        self.store = Store(settings.data / "batch.sqlite")
        self.account = Account(self.store, clock)
        self.identities = Identities(settings.pool_identities)
        self.access = BlobAccess(settings.storage_connection_string, self.identities)
        self.authenticator = Authenticator(settings.account, settings.key)
        self.faults = Faults()
        self.calls: Counter[str] = Counter()
        self.timers = Timers(clock)
        tools = Tools(
            clock=clock,
            access=self.access,
            kill_grace=settings.kill_grace,
            memory_bytes=settings.task_memory_bytes,
            memory_interval=settings.memory_interval,
            on_started=self._program_started,
            on_ended=self._program_ended,
        )
        self.agents = Agents(self.account, settings, tools, self.faults, lambda: self.endpoint)
        self.life = NodeLife(self.account, self.agents, clock, settings)
        self.fleet = Fleet(self.account, self.agents, self.life, self.faults, self.timers)
        self.dispatcher = Dispatcher(self.account, self.agents, self.life)
        self.retention = Retention(self.account, self.agents, self.timers)
        self.jobs = JobControl(self.account, self.dispatcher, self.agents, self.timers, self.retention)
        self.autoscaling = Autoscaling(self.account, self.fleet, self.timers)
        self.life.on_ready = self.dispatcher.kick
        self.life.on_change = self._flush_soon
        self.agents.on_change = self._flush_soon
        self.dispatcher.on_change = self._flush_soon
        self.dispatcher.on_task_ended = self.jobs.task_ended
        self._flushing = False
        self._stopping = False

    async def start(self, endpoint: str) -> None:
        """Take up what an earlier service has left, then the pool of the settings."""
        self.endpoint = endpoint
        nodes = self.settings.data / "nodes"
        records = self.store.read_processes()
        await asyncio.to_thread(end_orphans, records, nodes)
        for record in records:
            self.store.drop_process(record.pid)
        self.account.load()
        self.dispatcher.recover()
        self.timers.start()
        self.fleet.restart_all()
        self.jobs.resume()
        self.retention.watch_all()
        self.autoscaling.resume()
        self._make_default_pool()
        for key in self.account.pools:
            self.dispatcher.kick(key)
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
            pool = self.account.put_pool(new_pool(body, self.account))
            self.fleet.resize(pool, settings.nodes, 0)
        elif found.target_dedicated != settings.nodes and not found.autoscale:
            self.fleet.resize(found, settings.nodes, found.target_low_priority)

    async def stop(self) -> None:
        """End all processes; what was running is queued again at the next start."""
        if self._stopping:
            return
        self._stopping = True
        self.dispatcher.stop()
        await self.timers.stop()
        await self.agents.stop()
        await self.access.close()
        self.store.close()
        self._lock.close()

    def flush(self) -> None:
        """Make the state on disk current: before every answer."""
        if not self._stopping:
            self.store.flush()

    def _flush_soon(self) -> None:
        if not self._flushing:
            self._flushing = True
            with contextlib.suppress(RuntimeError):  # no loop: the service is going away
                asyncio.get_running_loop().call_soon(self._flush_now)

    def _flush_now(self) -> None:
        self._flushing = False
        self.flush()

    def _program_started(self, program: RunningProgram, paths: TaskPaths) -> None:
        self.store.add_process(ProcessRecord(program.pid, program.started, str(paths.root)))

    def _program_ended(self, program: RunningProgram) -> None:
        self.store.drop_process(program.pid)


def _hold(path: Path) -> IO[bytes]:
    """The lock of a data folder, held until it is closed."""
    file = path.open("wb")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as exc:
        file.close()
        raise ConfigurationError(
            f"Another Batch service uses {path.parent}: end it, or name another folder with --data."
        ) from exc
    return file
