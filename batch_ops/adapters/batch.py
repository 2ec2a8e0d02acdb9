"""The Batch account (port `BatchService`). Errors are distinguished by their codes: the SDK's types are too coarse.

Every file of a task is transferred with the pool's managed identity, so no URL holds a secret or expires.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from attrs import define, field
from azure.batch import models
from azure.batch.aio import BatchClient
from azure.core.credentials import AzureNamedKeyCredential
from azure.core.credentials_async import AsyncTokenCredential

from batch_ops.adapters.batch_models import create_options, in_groups, task_of, word
from batch_ops.adapters.batch_pools import node_of, pool_of, with_last_words
from batch_ops.adapters.sdk_errors import calls
from batch_ops.concurrency import Coalesced
from batch_ops.domain.batch_task import JobState, Task
from batch_ops.domain.errors import IlastikBatchError, JobClosed, JobMissing, NotAllowed, ServiceFault
from batch_ops.domain.pool_status import NodeStatus, PoolStatus
from batch_ops.domain.task_spec import TaskSpec

_SERVICE = "Azure Batch"
_CLOSED_CODES = ("JobCompleted", "JobBeingTerminated", "JobBeingDeleted", "JobNotActive")
# The service takes at most 100 tasks and 1 MB per call; 16 stay below it even with the longest names.
_TASKS_A_CALL = 100
_BYTES_A_CALL = 900_000
_TASK_FIELDS = ["id", "state", "stateTransitionTime", "executionInfo", "nodeInfo"]
_NODE_FIELDS = ["id", "state", "stateTransitionTime", "errors", "startTaskInfo"]
# Nodes of a pool fail alike: the last words of a few are enough, and the service removes at most 100 at a time.
_HEARD_NODES = 2
_MOST_NODES = 100

# Without options the SDK (15.1) fails before it sends anything, and it does not export their type.
_TERMINATION: Any = {"terminateReason": "NothingOpen"}


class _Already(IlastikBatchError):
    """The request is fulfilled already, or must be made in another way."""


def batch_client(
    endpoint: str, account: str, key: str, credential: AsyncTokenCredential | None, *, proxies: bool = True
) -> BatchClient:
    """Make a client that uses the account's key if there is one, else the given identity.

    `proxies`: whether to look for a proxy in the environment (see `clients`).
    """
    # A few short tries: a lasting fault becomes a reason in the row, and reconcile tries again.
    tries = {"retry_total": 3, "retry_backoff_factor": 0.4}
    options: dict[str, Any] = {**tries, "connection_timeout": 10, "read_timeout": 60, "use_env_settings": proxies}
    if key:
        return BatchClient(endpoint, AzureNamedKeyCredential(account, key), **options)
    if credential is None:
        raise ValueError(
            "The Batch account needs its key (BATCH_ACCOUNT_NAME and BATCH_ACCOUNT_KEY) or an identity; there is "
            "neither."
        )
    return BatchClient(endpoint, credential, **options)


@define(eq=False)
class AzureBatch:
    """Jobs and their tasks."""

    _client: BatchClient
    _task_calls: Coalesced[TaskSpec, bool] = field(init=False)

    @_task_calls.default
    def _coalesced(self) -> Coalesced[TaskSpec, bool]:
        return Coalesced(self._create_tasks, _TASKS_A_CALL)

    async def create_job(self, job_id: str, pool_id: str) -> None:
        job = models.BatchJobCreateOptions(
            id=job_id,
            pool_info=models.BatchPoolInfo(pool_id=pool_id),
            # This product retries tasks itself, and the job stays open for the next file.
            constraints=models.BatchJobConstraints(max_task_retry_count=0),
            all_tasks_complete_mode=models.BatchAllTasksCompleteMode.NO_ACTION,
        )
        # A job that is about to end counts as existing: creating the first task will fail.
        known = _already("JobExists", "JobBeingTerminated", "JobBeingDeleted") | {
            "PoolNotFound": ServiceFault(
                f"The pool {pool_id} does not exist in the Batch account; run deploy.sh, or correct BATCH_POOL_ID."
            ),
            "ActiveJobAndScheduleQuotaReached": ServiceFault("The Batch account's quota of active jobs is reached."),
        }
        with suppress(_Already), calls(_SERVICE, f"create the job {job_id}", known):
            await self._client.create_job(job)

    async def create_task(self, job_id: str, spec: TaskSpec) -> bool:
        """Create a task; return whether it is new (False: there is one of this id).

        Tasks created at the same time share one call; each gets its own answer.
        """
        return await self._task_calls(job_id, spec)

    async def _create_tasks(self, job_id: str, specs: Sequence[TaskSpec]) -> Sequence[bool | IlastikBatchError]:
        settled: dict[str, bool] = {}
        for group in in_groups(specs, _BYTES_A_CALL) if len(specs) > 1 else ():
            settled |= await self._create_collection(job_id, group)
        return [settled[s.id] if s.id in settled else await self._create_one(job_id, s) for s in specs]

    async def _create_collection(self, job_id: str, specs: Sequence[TaskSpec]) -> Mapping[str, bool]:
        """Return which tasks are new and which exist. Any other task failed: created alone, it raises the reason."""
        known = _job_errors(job_id) | _already("RequestBodyTooLarge")
        # The service takes each id once per call, but two callers may create the same task.
        tasks = [create_options(spec) for spec in {spec.id: spec for spec in specs}.values()]
        try:
            with calls(_SERVICE, f"create {len(tasks)} tasks", known):
                answer = await self._client.create_task_collection(job_id, models.BatchTaskGroup(task_values=tasks))
        except _Already:
            return {}
        results = answer.result_values or []
        new = {result.task_id: True for result in results if word(result.status) == "success"}
        return new | {r.task_id: False for r in results if r.error is not None and r.error.code == "TaskExists"}

    async def _create_one(self, job_id: str, spec: TaskSpec) -> bool | IlastikBatchError:
        known = _job_errors(job_id) | _already("TaskExists")
        try:
            with calls(_SERVICE, f"create the task {spec.id}", known):
                await self._client.create_task(job_id, create_options(spec))
        except _Already:
            return False
        except IlastikBatchError as exc:
            return exc
        return True

    async def task(self, job_id: str, task_id: str) -> Task | None:
        known = _job_errors(job_id) | _already("TaskNotFound")
        try:
            with calls(_SERVICE, f"look at the task {task_id}", known):
                return task_of(job_id, await self._client.get_task(job_id, task_id, select=_TASK_FIELDS))
        except _Already:
            return None

    async def changed(self, job_id: str, since: datetime | None) -> AsyncIterator[Task]:
        # Whole seconds in the filter: services parse fractions differently.
        moment = since.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if since else None
        with calls(_SERVICE, f"list the tasks of the job {job_id}", _job_errors(job_id)):
            async for found in self._client.list_tasks(
                job_id, filter=f"stateTransitionTime ge DateTime'{moment}'" if moment else None, select=_TASK_FIELDS
            ):
                task = task_of(job_id, found)
                if since is None or task.changed >= since:
                    yield task

    async def terminate_task(self, job_id: str, task_id: str) -> None:
        ended = _already("TaskCompleted", "TaskNotFound", "JobNotFound", *_CLOSED_CODES)
        with suppress(_Already), calls(_SERVICE, f"end the task {task_id}", ended):
            await self._client.terminate_task(job_id, task_id)

    async def delete_task(self, job_id: str, task_id: str) -> None:
        gone = _already("TaskNotFound", "JobNotFound", "JobBeingDeleted")
        with suppress(_Already), calls(_SERVICE, f"delete the task {task_id}", gone):
            await self._client.delete_task(job_id, task_id)

    async def close_job(self, job_id: str) -> None:
        closed = _already("JobNotFound", "JobCompleted", "JobBeingTerminated", "JobBeingDeleted")
        with suppress(_Already), calls(_SERVICE, f"close the job {job_id}", closed):
            # Do not wait for the poller: the job ends by itself.
            await self._client.begin_terminate_job(job_id, _TERMINATION)

    async def is_done(self, job_id: str) -> bool:
        open_tasks = "state ne 'completed'"
        with (
            suppress(_Already),
            calls(_SERVICE, f"look for unfinished tasks of the job {job_id}", _already("JobNotFound")),
        ):
            async for _ in self._client.list_tasks(job_id, filter=open_tasks, select=["id"], max_results=1):
                return False
        return True

    async def is_dedicated(self, pool_id: str, node_id: str) -> bool | None:
        # Its state tells nothing: a node that was preempted may be unusable, gone, or idle again under the same id.
        try:
            with calls(_SERVICE, f"look at the node {node_id}", _already("NodeNotFound", "PoolNotFound")):
                node = await self._client.get_node(pool_id, node_id, select=["id", "isDedicated"])
        except _Already:
            return None
        return node.is_dedicated

    async def pool(self, pool_id: str) -> PoolStatus | None:
        try:
            with calls(_SERVICE, f"look at the pool {pool_id}", _already("PoolNotFound")):
                status = pool_of(await self._client.get_pool(pool_id))
        except _Already:
            return None
        if not sum(status.current):
            return status
        try:
            return replace(status, nodes=tuple(await self._broken_nodes(pool_id)))
        except NotAllowed as fault:
            return replace(status, nodes_unknown=fault.sentence)

    async def _broken_nodes(self, pool_id: str) -> Sequence[NodeStatus]:
        broken = "state eq 'unusable' or state eq 'starttaskfailed'"
        nodes: list[NodeStatus] = []
        with calls(_SERVICE, f"list the nodes of the pool {pool_id}", _already("PoolNotFound")), suppress(_Already):
            async for found in self._client.list_nodes(
                pool_id, filter=broken, select=_NODE_FIELDS, max_results=_MOST_NODES
            ):
                nodes.append(node_of(found))
                if len(nodes) == _MOST_NODES:
                    break
        heard = [await with_last_words(self._client, pool_id, node) for node in nodes[:_HEARD_NODES]]
        return [*heard, *nodes[_HEARD_NODES:]]

    async def remove_nodes(self, pool_id: str, node_ids: Sequence[str]) -> None:
        gone = _already("NodeNotFound", "PoolNotFound")
        with suppress(_Already), calls(_SERVICE, f"remove nodes of the pool {pool_id}", gone):
            # Do not wait for the poller: the pool's next look shows them leave.
            await self._client.begin_remove_nodes(
                pool_id,
                models.BatchNodeRemoveOptions(
                    node_ids=list(node_ids), node_deallocation_option=models.BatchNodeDeallocationOption.REQUEUE
                ),
            )

    async def job_state(self, job_id: str) -> JobState:
        try:
            with calls(_SERVICE, f"look at the job {job_id}", _already("JobNotFound")):
                job = await self._client.get_job(job_id, select=["id", "state"])
        except _Already:
            return JobState.CLOSED
        state = word(job.state)
        if state in {"disabling", "disabled"}:
            return JobState.PAUSED
        return JobState.CLOSED if state in {"terminating", "completed", "deleting"} else JobState.OPEN


def _already(*codes: str) -> dict[str, IlastikBatchError]:
    return dict.fromkeys(codes, _Already())


def _job_errors(job_id: str) -> dict[str, IlastikBatchError]:
    closed = JobClosed(f"The job {job_id} takes no more tasks.")
    return {
        "JobNotFound": JobMissing(f"Azure Batch has no job {job_id}."),
        "JobDisabled": ServiceFault(f"The job {job_id} is paused by an operator."),
        **dict.fromkeys(_CLOSED_CODES, closed),
    }
