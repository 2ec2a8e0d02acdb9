"""The agents of nodes: the runs of tasks on each node, its folders, and what goes on in the background."""

import asyncio
import contextlib
import logging
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from local_cloud.batch.node.environment import host_notice, node_environment, settings_of, task_environment
from local_cloud.batch.node.execution import Ended, Stop, StopReason, Tools, Work, run
from local_cloud.batch.node.node_log import NodeLog
from local_cloud.batch.node.node_paths import NodePaths, TaskPaths
from local_cloud.batch.node.staging import failure
from local_cloud.batch.state.account import Account
from local_cloud.batch.state.clock import Clock
from local_cloud.batch.state.faults import Faults
from local_cloud.batch.state.model import Failure, Job, Json, Task
from local_cloud.batch.state.node_records import Node
from local_cloud.batch.state.settings import Settings
from local_cloud.batch.state.times import parse_duration

_log = logging.getLogger(__name__)

_TOKEN_LIFETIME = timedelta(days=7)

type RunKey = tuple[str, str, int]  # job, task and the task's creation number


@dataclass(slots=True)
class TaskRun:
    """A task on this node: the slots it holds, and how to end it."""

    slots: int
    stop: Stop = field(default_factory=Stop)
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    follower: asyncio.Task[None] | None = None


@dataclass(slots=True, eq=False)
class NodeAgent:
    """Runs what a node is given; the node's records are kept by others."""

    pool: str
    node: str
    slots: int
    paths: NodePaths
    environment: Mapping[str, str]
    tools: Tools
    faults: Faults
    runs: dict[RunKey, TaskRun] = field(default_factory=dict)
    start_stop: Stop | None = None
    start_follower: asyncio.Task[None] | None = None
    lost: asyncio.Event = field(default_factory=asyncio.Event)
    boot: int = 0
    log: NodeLog = field(default_factory=NodeLog)
    retained_until: datetime | None = None  # the latest time at which a task's files may go
    hurry: asyncio.Event = field(default_factory=asyncio.Event)  # nobody cares for the files any more

    def next_boot(self) -> int:
        """Count a start of the node; a start under way with an older number gives up."""
        self.boot += 1
        return self.boot

    @property
    def task_runs(self) -> list[TaskRun]:
        """The runs of tasks, without those of jobs' preparation and release tasks, which hold no slot."""
        return [entry for entry in self.runs.values() if entry.slots]

    @property
    def free_slots(self) -> int:
        """Task slots that nothing holds."""
        return self.slots - sum(entry.slots for entry in self.runs.values())

    async def run_start_task(self, body: Json, stop: Stop) -> Ended:
        """Run the pool's start task once."""
        if self.faults.take(self.pool, "start_task"):
            message = "The start task was made to fail"
            return Ended(exit_code=1, failure=failure("FailureExitCode", message))
        return await self._run(body, stop, TaskPaths(self.paths.startup))

    async def run_task(self, job: Job, task: Task, stop: Stop) -> Ended:
        """Run a task once."""
        return await self._run(task.body(), stop, self.paths.task(job.id, task.id), job, task.id)

    async def run_job_step(self, job: Job, body: Json, stop: Stop) -> Ended:
        """Run the preparation or release task of a job once."""
        return await self._run(body, stop, self.paths.task(job.id, body["id"]), job, body["id"])

    async def _run(
        self,
        body: Json,
        stop: Stop,
        paths: TaskPaths,
        job: Job | None = None,
        task: str | None = None,
    ) -> Ended:
        limit = body.get("constraints", {}).get("maxWallClockTime") or body.get("maxWallClockTime")
        prepared = None
        if job is not None and job.preparation is not None:
            prepared = self.paths.task(job.id, job.preparation["id"])
        token = None
        if job is not None and "authenticationTokenSettings" in body:
            token, _ = self.tools.tokens.issue(self.tools.clock.now(), _TOKEN_LIFETIME, job.id)
        work = Work(
            command_line=body["commandLine"],
            paths=paths,
            environment=task_environment(
                self.environment,
                job=None if job is None else job.id,
                task=task,
                paths=paths,
                common=settings_of([] if job is None else job.spec.get("commonEnvironmentSettings", [])),
                own=settings_of(body.get("environmentSettings", [])),
                preparation=prepared,
                token=token,
            ),
            resource_files=body.get("resourceFiles", []),
            output_files=body.get("outputFiles", []),
            notice=host_notice(body),
            time_limit=None if limit is None else parse_duration(limit).total_seconds(),
        )
        return await run(work, self.tools, stop, disk_is_full=self._disk_is_full, upload_hook=self._upload_hook)

    def note(self, text: str) -> None:
        """Write a line into the node's log."""
        self.log.note(self.tools.clock.now(), text)

    def stop_runs(self, reason: StopReason | None) -> None:
        """Ask all tasks on this node to end, unless there is no reason to."""
        if reason is not None:
            for entry in list(self.runs.values()):
                entry.stop.request(reason)

    def stop_all(self, reason: StopReason) -> None:
        """Ask everything on this node to end."""
        if self.start_stop is not None:
            self.start_stop.request(reason)
        self.stop_runs(reason)

    async def retired(self, clock: Clock) -> None:
        """Return when no task's files must be kept any longer."""
        if self.retained_until is None:
            return
        left = (self.retained_until - clock.now()).total_seconds()
        waiting = {asyncio.ensure_future(clock.sleep(left)), asyncio.ensure_future(self.hurry.wait())}
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waiting:
                wait.cancel()

    async def drained(self) -> None:
        """Return when no task runs here and no start task does."""
        while self.runs:
            await next(iter(self.runs.values())).ended.wait()
        if self.start_follower is not None and self.start_follower is not asyncio.current_task():
            await asyncio.wait({self.start_follower})

    def _disk_is_full(self) -> bool:
        return self.node in self.faults.pool(self.pool).disk_full

    async def _upload_hook(self, uploaded: int) -> Failure | None:
        if uploaded and self.faults.take(self.pool, "lose_during_upload"):
            self.lost.set()
            await asyncio.Event().wait()  # the run is cancelled when the node is gone
        if self.faults.take(self.pool, "upload"):
            code = self.faults.pool(self.pool).upload_code
            return failure(code, "An output file could not be uploaded", "the upload was made to fail")
        return None


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
