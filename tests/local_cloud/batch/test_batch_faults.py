"""Faults on demand through /_local."""

import asyncio

import pytest
from azure.batch import models as m
from azure.core.exceptions import AzureError, HttpResponseError

from batch_ops.adapters.batch import AzureBatch
from tests.local_cloud.batch.running import eventually, nodes_in, pool_of, refused, shell, task_in


async def test_the_service_can_be_busy(service, raw):
    """503 and 429 come as often as asked for, with or without Retry-After, and nothing is done."""
    await service.local("POST", "faults", {"kind": "error", "match": "POST /jobs", "count": 1, "retryAfter": 1})
    await service.local(
        "POST", "faults", {"kind": "error", "match": "POST /jobs", "count": 1, "code": "TooManyRequests", "status": 429}
    )
    body = {"id": "j", "poolInfo": {"poolId": "p"}}

    first = await raw.send("POST", "/jobs", body)
    other = await raw.send("GET", "/pools")
    second = await raw.send("POST", "/jobs", body)
    third = await raw.send("POST", "/jobs", body)

    assert (first.status, first.code, first.headers["retry-after"]) == (503, "ServerBusy", "1")
    assert other.status == 200
    assert (second.status, second.code, "retry-after" in second.headers) == (429, "TooManyRequests", False)
    assert third.status == 201


async def test_faults_come_at_a_rate(service, raw):
    """A fault with a rate happens to about that part of the requests, and to none after it is cleared."""
    await service.local("POST", "faults", {"kind": "error", "rate": 0.5})

    answers = [(await raw.send("GET", "/pools")).status for _ in range(60)]
    await service.local("DELETE", "faults")
    after = [(await raw.send("GET", "/pools")).status for _ in range(10)]

    assert 10 <= answers.count(503) <= 50
    assert answers.count(200) + answers.count(503) == 60
    assert after == [200] * 10


async def test_a_dropped_connection_leaves_the_request_done(service):
    """With `drop` the caller sees a broken connection, and the task has been made all the same."""
    async with service.client(retry_total=0) as client:
        await client.new_job(pool="none")
        await service.local("POST", "faults", {"kind": "drop", "match": "POST /jobs/j/tasks", "count": 1})
        task = m.BatchTaskCreateOptions(id="t", command_line="true")

        with pytest.raises(AzureError):
            await client.create_task("j", task)

        assert (await client.get_task("j", "t")).state == "active"
        with refused("TaskExists"):
            await client.create_task("j", task)


async def test_answers_can_be_slow(service, raw):
    """Latency holds an answer back."""
    await service.local("POST", "faults", {"kind": "latency", "seconds": 1, "match": "GET /pools"})

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(raw.send("GET", "/pools"), 0.2)
    assert (await asyncio.wait_for(raw.send("GET", "/jobs"), 10)).status == 200


@pytest.mark.parametrize(
    "body",
    [
        {"kind": "earthquake"},
        {"kind": "error", "rate": "often"},
        {"kind": "error", "surprise": 1},
        {"kind": "error", "status": 0},
        {"kind": "error", "rate": 5},
        {"kind": "error", "rate": -0.1},
        {"kind": "error", "count": 0},
        {"kind": "error", "retryAfter": -1},
        {"kind": "latency", "seconds": -5},
        {},
    ],
)
async def test_an_unknown_fault_is_refused(service, body):
    """A fault that there is not, or that would never happen as it says, is refused rather than ignored."""
    with pytest.raises(ValueError, match="InvalidRequestBody"):
        await service.local("POST", "faults", body)


@pytest.mark.parametrize("body", [{"startTask": -2}, {"upload": True}, {"surprise": 1}])
async def test_an_unknown_fault_of_a_pool_is_refused(service, body):
    """A pool's faults happen a number of times, or with -1 always; nothing else can be armed."""
    with pytest.raises(ValueError, match="InvalidRequestBody"):
        await service.local("POST", "pools/ilastik/faults", body)


async def test_preempted_tasks_run_again_elsewhere(client, service):
    """A preempted spot node loses its task, which runs again, uncounted as retry; the node can come back."""
    await client.create_pool(pool_of(target_low_priority_nodes=1))
    (node,) = await nodes_in(client, "idle")
    await client.new_job(pool="p")
    await client.new_task("t", "sleep 600")
    await task_in(client, "running")

    await service.local("POST", f"pools/p/nodes/{node.id}/preempt")

    task = await task_in(client, "active")
    assert (task.execution_info.retry_count, task.execution_info.requeue_count) == (0, 1)
    assert (await client.get_node("p", node.id)).state == "preempted"
    assert await AzureBatch(client).is_dedicated("p", node.id) is False
    (counts,) = [entry async for entry in client.list_pool_node_counts(filter="poolId eq 'p'")]
    assert (counts.low_priority.preempted, counts.low_priority.total) == (1, 1)

    await service.local("POST", f"pools/p/nodes/{node.id}/restore")
    await task_in(client, "running")
    assert await AzureBatch(client).is_dedicated("p", node.id) is False


async def test_only_spot_nodes_are_preempted(client, service):
    """A dedicated node can't be preempted, but it can be lost."""
    (node,) = await nodes_in(client, "idle", pool="ilastik")

    with pytest.raises(ValueError, match="OperationNotValidOnNode"):
        await service.local("POST", f"pools/ilastik/nodes/{node.id}/preempt")
    await service.local("POST", f"pools/ilastik/nodes/{node.id}/lose")

    (lost,) = await nodes_in(client, "unusable", pool="ilastik")
    assert await AzureBatch(client).is_dedicated("ilastik", node.id) is True
    assert lost.errors[0].code == "NodeLost"


async def test_a_lost_nodes_task_waits_for_another(client, service):
    """The task of a lost node waits until the node is restored, then completes."""
    (node,) = await nodes_in(client, "idle", pool="ilastik")
    await client.new_task("t", shell("sleep 1"))
    await task_in(client, "running")

    await service.local("POST", f"pools/ilastik/nodes/{node.id}/lose")
    await task_in(client, "active")
    await service.local("POST", f"pools/ilastik/nodes/{node.id}/restore")

    info = (await client.finished("t")).execution_info
    assert (info.result, info.requeue_count) == ("success", 1)


async def test_a_recovering_node_runs_its_task_again(client, service):
    """A node that recovers runs its task again there, with retry count 0 and nothing counted."""
    (node,) = await nodes_in(client, "idle", pool="ilastik")
    await client.new_task("t", shell("echo run >> log; test $(wc -l < log) -gt 1 || sleep 600"))

    async def begun():
        try:
            return await client.text_of("t", "wd/log")
        except HttpResponseError:
            return None

    await eventually(begun)
    await service.local("POST", f"pools/ilastik/nodes/{node.id}/recover")

    info = (await client.finished("t")).execution_info
    assert (info.result, info.retry_count, info.requeue_count) == ("success", 0, 0)
    assert await client.text_of("t", "wd/log") == "run\nrun\n"


async def test_start_tasks_can_fail(client, service):
    """An armed start-task failure happens to the next node, and not to the one after."""
    await client.create_pool(pool_of(target_dedicated_nodes=0, start_task=m.BatchStartTask(command_line="true")))
    await service.local("POST", "pools/p/faults", {"startTask": 1})

    await client.begin_resize_pool("p", m.BatchPoolResizeOptions(target_dedicated_nodes=1))
    (failed,) = await nodes_in(client, "starttaskfailed")
    await client.begin_resize_pool("p", m.BatchPoolResizeOptions(target_dedicated_nodes=2))
    (good,) = await nodes_in(client, "idle")

    assert failed.id != good.id


async def test_resizes_can_fail(client, service):
    """An armed resize failure leaves the pool steady with the error it was given."""
    await service.local("POST", "pools/ilastik/faults", {"resize": 1, "resizeCode": "AccountCoreQuotaReached"})
    await nodes_in(client, "idle", pool="ilastik")

    await client.begin_resize_pool("ilastik", m.BatchPoolResizeOptions(target_dedicated_nodes=5))

    pool = await client.get_pool("ilastik")
    assert (pool.allocation_state, pool.current_dedicated_nodes, pool.target_dedicated_nodes) == ("steady", 1, 5)
    assert [error.code for error in pool.resize_errors or []] == ["AccountCoreQuotaReached"]


async def test_a_disk_can_be_full(client, service):
    """Tasks on a node whose disk is full fail with DiskFull until there is room again."""
    (node,) = await nodes_in(client, "idle", pool="ilastik")
    await service.local("POST", f"pools/ilastik/nodes/{node.id}/filldisk")
    assert (await client.run("full", "true")).execution_info.failure_info.code == "DiskFull"

    await service.local("POST", f"pools/ilastik/nodes/{node.id}/emptydisk")
    assert (await client.run("room", "true")).execution_info.result == "success"
