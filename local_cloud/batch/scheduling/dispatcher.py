"""Tasks onto nodes: places what waits, follows what runs, settles what has ended."""

import asyncio
import contextlib
import logging
import os
import shutil
from pathlib import Path

from local_cloud.batch.node.agent import Agents, NodeAgent, TaskRun
from local_cloud.batch.node.execution import Ended, Stop, StopReason
from local_cloud.batch.node.node_life import NodeLife
from local_cloud.batch.node.retention import files_until
from local_cloud.batch.scheduling.job_control import JobControl
from local_cloud.batch.scheduling.job_steps import JobSteps
from local_cloud.batch.scheduling.outcomes import (
    Placement,
    began,
    completed,
    next_placement,
    preparing,
    requeued,
    settle,
    unassigned,
)
from local_cloud.batch.state.account import Account
from local_cloud.batch.state.agenda import Agenda
from local_cloud.batch.state.exit_conditions import ENDED_BY_USER
from local_cloud.batch.state.model import Failure, Job, NodeState, Result, Task, TaskState
from local_cloud.batch.state.node_records import Node

_log = logging.getLogger(__name__)
_RECENT = 10  # tasks that a node remembers


class Dispatcher:
    """Starts tasks where there are free slots; nothing here waits for anything."""

    def __init__(
        self, account: Account, agents: Agents, life: NodeLife, jobs: JobControl, steps: JobSteps, agenda: Agenda
    ) -> None:
        self._account = account
        self._agents = agents
        self._life = life
        self._jobs = jobs
        self._steps = steps
        self._agenda = agenda
        self._placing: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to place tasks: those of every pool, then of the pools on the agenda."""
        for pool_key in self._account.pools:
            self._agenda.add(pool_key)
        self._placing = asyncio.create_task(self._place_all(), name="dispatcher")

    def stop(self) -> None:
        """Start nothing more."""
        if self._placing is not None:
            self._placing.cancel()

    async def _place_all(self) -> None:
        while True:
            for pool_key in await self._agenda.take():
                try:
                    while (placement := self._next(pool_key)) is not None:
                        self._begin(placement)
                except Exception:
                    _log.exception("tasks of pool %s could not be placed", pool_key)

    def _next(self, pool_key: str) -> Placement | None:
        pool = self._account.pools.get(pool_key)
        if pool is None:
            return None
        free = [
            (node, self._agents.of(node).free_slots)
            for node in self._account.nodes[pool_key].values()
            if node.takes_tasks
        ]
        return next_placement(
            self._account.jobs_on(pool_key),
            self._account.tasks,
            [(node, slots) for node, slots in free if slots > 0],
            pack=pool.packs,
            in_creation_order=pool.jobs_in_creation_order,
            barred=self._steps.is_barred,
        )

    def _begin(self, placement: Placement) -> None:
        task, node = placement.task, placement.node
        job = self._account.jobs[task.job]
        agent = self._agents.of(node)
        previous = next(
            (run for key, run in agent.runs.items() if key[:2] == (task.job, task.key)), None
        )  # of a deleted task with the same id
        begin = preparing if self._steps.must_wait(job, node) else began
        task = self._account.put_task(begin(task, node.pool, node.key, self._account.clock.now()))
        run = agent.runs[task.job, task.key, task.seq] = TaskRun(task.slots)
        agent.note(f"task {job.id}/{task.id} begins")
        self._life.busy_changed(agent, recent=((job.id, task.id), *node.recent)[:_RECENT], tasks_run=node.tasks_run + 1)
        run.follower = self._agents.spawn(self._follow(job, task, agent, run, previous), f"task {job.id}/{task.id}")

    async def _follow(self, job: Job, task: Task, agent: NodeAgent, run: TaskRun, previous: TaskRun | None) -> None:
        final: Task | None = None
        losing = asyncio.ensure_future(self._watch_loss(agent))
        try:
            if previous is not None:
                await previous.ended.wait()
            final = await self._prepared(job, task, agent, run)
            if final is not None and final.state is TaskState.RUNNING:
                final = await self._attempts(job, final, agent, run)
        except Exception as exc:
            _log.exception("task %s/%s could not be followed", job.id, task.id)
            final = self._broken(task, exc)
        finally:
            losing.cancel()
            del agent.runs[task.job, task.key, task.seq]
            node = self._account.find_node(agent.pool, agent.node)
            good = final is not None and final.execution.result is Result.SUCCESS
            done = (node.tasks_succeeded if node else 0) + (1 if good else 0)
            agent.note(f"task {job.id}/{task.id} has ended")
            self._life.busy_changed(agent, tasks_succeeded=done)
            until = None if final is None else files_until(final)
            if until is not None:
                agent.retained_until = max(until, agent.retained_until or until)
            run.ended.set()
            self._jobs.task_ended(task.job, final)
            self._agenda.add(agent.pool)

    async def _prepared(self, job: Job, task: Task, agent: NodeAgent, run: TaskRun) -> Task | None:
        """Return the task as it is when its node is prepared for the job: running, or in another state if it won't."""
        node = self._account.find_node(agent.pool, agent.node)
        work = None if node is None else self._steps.prepare(job, node)
        if task.state is not TaskState.PREPARING:
            return task
        if work is not None:
            stopped = asyncio.ensure_future(run.stop.wait())
            await asyncio.wait({stopped, work}, return_when=asyncio.FIRST_COMPLETED)
            stopped.cancel()
        current, now = self._account.find_task(task.job, task.key, task.seq), self._account.clock.now()
        if current is None:
            return None
        if run.stop.reason is not None:
            settlement = settle(current, Ended(stopped=run.stop.reason), 0, now)
            if settlement is None:
                return None
            return self._account.put_task(unassigned(current, now) if settlement.again else settlement.task)
        node = self._account.find_node(agent.pool, agent.node)
        if node is None or self._steps.must_wait(job, node) or self._steps.is_barred(job, node):
            return self._account.put_task(unassigned(current, now))
        return self._account.put_task(began(current, agent.pool, agent.node, now))

    async def _attempts(self, job: Job, task: Task, agent: NodeAgent, run: TaskRun) -> Task | None:
        """Run a task as often as its retries permit; return it then, or None when it is deleted or stays as it is."""
        while True:
            ended = await agent.run_task(job, task, run.stop)
            current = self._account.find_task(task.job, task.key, task.seq)
            if current is None:
                return None
            retries = self.retries_of(current)
            settlement = settle(current, ended, retries, self._account.clock.now())
            if settlement is None:
                return None
            task = self._account.put_task(settlement.task)
            if not settlement.again:
                return task
            if ended.stopped is not None:
                run.stop = Stop()

    def _broken(self, task: Task, error: Exception) -> Task | None:
        found = self._account.find_task(task.job, task.key, task.seq)
        if found is None:
            return None
        trouble = Failure("servererror", "Unknown", "The node agent has failed", (("Message", repr(error)),))
        now = self._account.clock.now()
        return self._account.put_task(completed(found, now, exit_code=None, failure=trouble))

    async def _watch_loss(self, agent: NodeAgent) -> None:
        await agent.lost.wait()
        agent.lost.clear()
        node = self._account.find_node(agent.pool, agent.node)
        if node is not None and node.state is not NodeState.UNUSABLE:
            self._life.lose(node)

    def retries_of(self, task: Task) -> int:
        """Return a task's retry limit: its own, else its job's, else 0."""
        own = task.body().get("constraints", {}) if '"constraints"' in task.spec else {}
        job = self._account.jobs[task.job].spec.get("constraints", {})
        return int(own.get("maxTaskRetryCount", job.get("maxTaskRetryCount", 0)))

    def run_of(self, task: Task) -> TaskRun | None:
        """Return the run of a task that is on a node."""
        node = self._account.find_node(task.pool, task.node)
        if node is None:
            return None
        return self._agents.of(node).runs.get((task.job, task.key, task.seq))

    def end_task(self, task: Task, reason: StopReason) -> None:
        """End a task that is active or running."""
        run = self.run_of(task) if task.state in (TaskState.RUNNING, TaskState.PREPARING) else None
        if run is not None:
            run.stop.request(reason)
        elif reason is StopReason.TERMINATED:
            now = self._account.clock.now()
            ended = self._account.put_task(completed(task, now, exit_code=None, failure=ENDED_BY_USER))
            self._jobs.task_ended(task.job, ended)

    def delete_task(self, job: Job, task: Task) -> None:
        """Remove a task, end its run and clean up its folder."""
        run = self.run_of(task)
        node = self._account.find_node(task.pool, task.node)
        self._account.drop_task(task)
        if run is not None:
            run.stop.request(StopReason.DELETED)
        if node is not None and task.state is not TaskState.ACTIVE:
            agent = self._agents.of(node)
            folder = agent.paths.task(job.id, task.id).root
            self._agents.spawn(self._clean(folder, task.seq, run), f"clean-up of task {task.id}")
        if run is None:
            self._jobs.task_ended(task.job, None)

    async def _clean(self, folder: Path, seq: int, run: TaskRun | None) -> None:
        if run is not None:
            await run.ended.wait()
        # Renamed first: a new task of the same id may begin here at any moment.
        away = folder.with_name(f"{folder.name}.deleted-{seq}")
        with contextlib.suppress(OSError):
            os.rename(folder, away)  # noqa: PTH104 - a moment's work; it must happen before anything else
            await asyncio.to_thread(shutil.rmtree, away, True)

    def rerun(self, node: Node) -> None:
        """Run a node's tasks again there, uncounted, as when a node recovers from a failure of its own."""
        self._agents.of(node).stop_runs(StopReason.NODE_RECOVERED)

    def recover(self) -> None:
        """Queue again what was running, after a restart."""
        now = self._account.clock.now()
        for index in self._account.tasks.values():
            for task in index.in_state(TaskState.RUNNING, TaskState.PREPARING):
                self._account.put_task(requeued(task, now))
