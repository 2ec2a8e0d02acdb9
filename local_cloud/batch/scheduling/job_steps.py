"""Preparation and release tasks: what a job does on each of its nodes before the first task and after the last."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

from local_cloud.batch.node.agent import Agents, NodeAgent, TaskRun
from local_cloud.batch.node.attempts import run_step
from local_cloud.batch.state.account import Account
from local_cloud.batch.state.model import Job, Json, NodeState
from local_cloud.batch.state.node_records import JobNode, Node, StepInfo

_STEP = -1  # in the place of a task's creation number: no task is mistaken for a step


class JobSteps:
    """Prepares nodes for jobs, once for each boot, and releases them when the jobs end.

    `ended` is called with the key of the job after each step.
    """

    def __init__(self, account: Account, agents: Agents, ended: Callable[[str], None]) -> None:
        self._account = account
        self._agents = agents
        self._ended = ended
        self._preparing: dict[tuple[str, str, str], asyncio.Task[None]] = {}

    def _known(self, job: Job, node: Node) -> JobNode | None:
        """Return the preparation of a node that counts: of this boot, or one that need not be repeated."""
        found = self._account.job_nodes.get(job.key, {}).get((node.pool, node.key))
        assert job.preparation is not None
        if found is None or found.booted == node.booted:
            return found
        stays = not job.preparation["rerunOnNodeRebootAfterSuccess"]
        return found if stays and not found.preparation.running and found.preparation.failure is None else None

    def must_wait(self, job: Job, node: Node) -> bool:
        """Say whether a task of the job must wait on this node for a preparation."""
        if job.preparation is None or not job.preparation["waitForSuccess"]:
            return False
        found = self._known(job, node)
        return found is None or found.preparation.running

    def is_barred(self, job: Job, node: Node) -> bool:
        """Say whether the preparation has failed on this node, so that no task of the job may run there."""
        if job.preparation is None or not job.preparation["waitForSuccess"]:
            return False
        found = self._known(job, node)
        return found is not None and not found.preparation.running and found.preparation.failure is not None

    def prepare(self, job: Job, node: Node) -> asyncio.Task[None] | None:
        """Begin to prepare a node unless it is prepared; return what to wait for."""
        if job.preparation is None:
            return None
        key = (job.key, node.pool, node.key)
        if key not in self._preparing and self._known(job, node) is None:
            self._preparing[key] = self._begin(job, node, job.preparation)
        return self._preparing.get(key)

    def _begin(self, job: Job, node: Node, body: Json) -> asyncio.Task[None]:
        agent = self._agents.of(node)
        run = self._enter(job, agent, body)

        def note(info: StepInfo) -> None:
            self._account.put_job_node(JobNode(job.key, node.pool, node.key, node.booted, info))

        async def prepare() -> None:
            try:
                retries = int(body.get("constraints", {}).get("maxTaskRetryCount", 0))
                ended = await run_step(
                    lambda: agent.run_job_step(job, body, run.stop), retries, self._account.clock, note
                )
                found = self._account.job_nodes.get(job.key, {}).get((node.pool, node.key))
                if ended is None and found is not None:  # stopped: it is done again when a task wants it
                    self._account.drop_job_node(found)
            finally:
                del self._preparing[job.key, node.pool, node.key]
                self._leave(job, agent, body, run)

        return self._agents.spawn(prepare(), f"preparation of {node.id} for {job.id}")

    def release(self, job: Job) -> bool:
        """Begin the release task on every node that was prepared; False when none is to run, or none any more."""
        body = job.release
        if body is None:
            return False
        begun = False
        for prepared in list(self._account.job_nodes.get(job.key, {}).values()):
            node = self._account.find_node(prepared.pool, prepared.node)
            if prepared.release is None and node is not None and node.state in (NodeState.IDLE, NodeState.RUNNING):
                begun = True
                agent = self._agents.of(node)
                run = self._enter(job, agent, body)
                work = self._release(job, prepared, agent, body, run)
                self._agents.spawn(work, f"release of {node.id} by {job.id}")
        return begun

    async def _release(self, job: Job, prepared: JobNode, agent: NodeAgent, body: Json, run: TaskRun) -> None:
        def note(info: StepInfo) -> None:
            self._account.put_job_node(replace(prepared, release=info))

        try:
            await run_step(lambda: agent.run_job_step(job, body, run.stop), 0, self._account.clock, note)
        finally:
            self._leave(job, agent, body, run)

    def _enter(self, job: Job, agent: NodeAgent, body: Json) -> TaskRun:
        agent.note(f"{body['id']} of {job.id} begins")
        run = agent.runs[job.key, body["id"].lower(), _STEP] = TaskRun(slots=0)
        return run

    def _leave(self, job: Job, agent: NodeAgent, body: Json, run: TaskRun) -> None:
        agent.note(f"{body['id']} of {job.id} has ended")
        del agent.runs[job.key, body["id"].lower(), _STEP]
        run.ended.set()
        self._ended(job.key)
