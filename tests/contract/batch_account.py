"""A Batch account with its nodes and operators: the fake, and the local Batch service."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

from azure.batch import models
from azure.batch.aio import BatchClient

from batch_ops.adapters.batch import AzureBatch, batch_client
from batch_ops.domain.batch_task import Task, TaskState
from batch_ops.domain.pool_status import NodeStatus
from batch_ops.domain.task_spec import TaskSpec
from batch_ops.ports.services import BatchService
from tests import fakes
from tests.local_cloud.batch.running import RunningService, eventually, pool_of, running_service

POOL = "pool"
JOB = "Job-2026-03"
IDENTITY = "/subscriptions/s/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/pool"
SPEC = TaskSpec(
    id="image-abc-1-1",
    display_name="p/\u00e4 'image'.h5",
    command_line="/bin/bash -c 'exit $CODE'",
    identity=IDENTITY,
    environment=(("CODE", "0"), ("NAME", "\u00e4 \"'$(x)\n")),
    resource_files=(),
    output_files=(),
    wall_clock=timedelta(minutes=5),
    retention=timedelta(hours=1),
)
LONG = replace(SPEC, id="long", command_line="/bin/sleep 300")
PATIENCE = 30


def spec(task_id: str = SPEC.id, exit_code: int = 0) -> TaskSpec:
    return replace(SPEC, id=task_id, environment=(("CODE", str(exit_code)), *SPEC.environment[1:]))


class Account:
    """The port; and by those who derive from it, what nodes and operators do."""

    batch: BatchService

    async def until(self, task_id: str, state: TaskState) -> Task:
        """Wait until a task is in a state."""

        async def look() -> Task | None:
            task = await self.batch.task(JOB, task_id)
            assert task is not None
            return task if task.state is state else None

        task: Task = await eventually(look, PATIENCE)
        return task

    async def task_ids(self, since: Any = None) -> list[str]:
        return [task.task_id async for task in self.batch.changed(JOB, since)]


class FakeAccount(Account):
    """Its nodes are moved by hand."""

    def __init__(self) -> None:
        self.batch = self.fake = fakes.FakeBatch()

    async def work(self, task_id: str, exit_code: int) -> Task:
        """A node takes the task and ends it with the exit code that its environment names."""
        self.fake.run(task_id)
        self.fake.complete(task_id, exit_code)
        return await self.until(task_id, TaskState.COMPLETED)

    async def begin(self, task_id: str) -> Task:
        """A node takes the task, which goes on for long."""
        self.fake.run(task_id)
        return await self.until(task_id, TaskState.RUNNING)

    async def disable_job(self) -> None:
        self.fake.disable_job(JOB)

    async def enable_job(self) -> None:
        self.fake.enable_job(JOB)

    async def delete_task(self, task_id: str) -> None:
        self.fake.lose(task_id)

    async def break_node(self) -> None:
        """One of two nodes becomes unusable."""
        node = NodeStatus("node-1", "unusable", self.fake.cloud.now)
        self.fake.pools[POOL] = replace(fakes.batch.POOL, nodes=(node, NodeStatus("node-2", "idle")))


class LocalAccount(Account):
    """Its nodes come when there is work."""

    def __init__(self, running: RunningService, client: BatchClient) -> None:
        self.batch, self.client, self.running = AzureBatch(client), client, running

    async def work(self, task_id: str, exit_code: int) -> Task:
        return await self._with_a_node(task_id, TaskState.COMPLETED)

    async def begin(self, task_id: str) -> Task:
        return await self._with_a_node(task_id, TaskState.RUNNING)

    async def _with_a_node(self, task_id: str, state: TaskState) -> Task:
        await self.client.begin_resize_pool(POOL, models.BatchPoolResizeOptions(target_dedicated_nodes=1))
        return await self.until(task_id, state)

    async def disable_job(self) -> None:
        options = models.BatchJobDisableOptions(disable_tasks=models.DisableBatchJobOption.REQUEUE)
        await self.client.begin_disable_job(JOB, options)

    async def enable_job(self) -> None:
        await self.client.begin_enable_job(JOB)

    async def delete_task(self, task_id: str) -> None:
        await self.client.delete_task(JOB, task_id)

    async def break_node(self) -> None:
        await self.client.begin_resize_pool(POOL, models.BatchPoolResizeOptions(target_dedicated_nodes=2))

        async def idle() -> list[models.BatchNode]:
            nodes = [node async for node in self.client.list_nodes(POOL, filter="state eq 'idle'")]
            return nodes if len(nodes) == 2 else []

        node, _ = await eventually(idle, PATIENCE)
        await self.running.local("POST", f"pools/{POOL}/nodes/{node.id}/lose")


@asynccontextmanager
async def local_service() -> AsyncIterator[tuple[RunningService, BatchClient]]:
    """A local Batch service with an empty pool, and the real SDK's client of it."""
    async with (
        running_service() as running,
        batch_client(running.endpoint, running.account, running.key, None) as made,
    ):
        await made.create_pool(pool_of(POOL, target_dedicated_nodes=0))
        yield running, made
