"""Pools and nodes through the SDK: made, resized, changed, removed; start tasks; scheduling on them."""

from datetime import UTC, datetime, timedelta

import pytest
from azure.batch import models as m
from azure.core.exceptions import ResourceNotFoundError

from tests.local_cloud.batch.clock import ManualClock
from tests.local_cloud.batch.running import (
    done,
    nodes_in,
    pool_of,
    pool_with,
    refused,
    running_service,
    shell,
    task_in,
)


@pytest.mark.shows(
    "BatchPoolCreateOptions.id displayName vmSize metadata targetDedicatedNodes targetLowPriorityNodes",
    "BatchMetadataItem.name value",
)
async def test_a_pool_gets_the_nodes_it_asks_for(client):
    """A pool shows what it was made of and gets its dedicated and spot nodes; its id exists in any case."""
    await client.create_pool(
        pool_of(
            "Pool-1",
            target_dedicated_nodes=1,
            target_low_priority_nodes=2,
            display_name="Zwölf",
            metadata=[m.BatchMetadataItem(name="k", value="v")],
        )
    )
    nodes = await nodes_in(client, "idle", 3, "pool-1")

    pool = await client.get_pool("POOL-1")

    assert (pool.id, pool.display_name, pool.vm_size) == ("Pool-1", "Zwölf", "STANDARD_D4S_V5")
    assert (pool.current_dedicated_nodes, pool.current_low_priority_nodes) == (1, 2)
    assert [(item.name, item.value) for item in pool.metadata] == [("k", "v")]
    assert sorted(node.is_dedicated for node in nodes) == [False, False, True]
    assert await client.pool_exists("pool-1")
    with refused("PoolExists", 409):
        await client.create_pool(pool_of("POOL-1"))


@pytest.mark.shows("BatchPoolResizeOptions.targetDedicatedNodes targetLowPriorityNodes")
async def test_a_resize_reaches_its_targets(client):
    """A resize adds and removes nodes until the targets are met, then the pool is steady."""
    await client.create_pool(pool_of())
    await nodes_in(client, "idle", 1)

    for dedicated, spot in ((3, 0), (0, 2), (0, 0)):
        await client.resize(target_dedicated_nodes=dedicated, target_low_priority_nodes=spot)
        pool = await client.get_pool("p")
        assert (pool.allocation_state, pool.current_dedicated_nodes, pool.current_low_priority_nodes) == (
            "steady",
            dedicated,
            spot,
        )


@pytest.mark.shows("BatchPoolResizeOptions.nodeDeallocationOption")
@pytest.mark.parametrize(
    ("option", "state", "result"),
    [("requeue", "active", None), ("terminate", "completed", "failure"), ("taskcompletion", "completed", "success")],
)
async def test_a_shrinking_pool_treats_tasks_as_asked(client, option, state, result):
    """The deallocation option decides what becomes of the tasks on a node that goes."""
    await client.create_pool(pool_of())
    await nodes_in(client, "idle", 1)
    await client.new_job(pool="p")
    command = shell("sleep 0.7") if option == "taskcompletion" else "sleep 600"
    await client.new_task("t", command)
    await task_in(client, "running")

    await client.resize(target_dedicated_nodes=0, node_deallocation_option=option)

    task = await client.get_task("j", "t")
    assert (task.state, task.execution_info.result) == (state, result)
    assert task.execution_info.requeue_count == (1 if option == "requeue" else 0)


async def test_retained_data_keeps_a_node_until_its_files_may_go():
    """With retaineddata a node stays for as long as its tasks' files must be kept."""
    clock = ManualClock(datetime.now(UTC))
    async with running_service(clock=clock) as service, service.client() as client:
        await client.create_pool(pool_of())
        await clock.advance(1)
        await nodes_in(client, "idle", 1)
        await client.new_job(pool="p")
        await client.run("t", "true", constraints=m.BatchTaskConstraints(retention_time=timedelta(hours=1)))
        await client.begin_resize_pool(
            "p", m.BatchPoolResizeOptions(target_dedicated_nodes=0, node_deallocation_option="retaineddata")
        )
        await clock.advance(3000)
        assert (await client.get_pool("p")).current_dedicated_nodes == 1
        await clock.advance(1000)
        await pool_with(client, current_dedicated_nodes=0)


@pytest.mark.shows("BatchPoolResizeOptions.resizeTimeout", "BatchPoolCreateOptions.resizeTimeout")
async def test_a_resize_gives_up_at_its_timeout():
    """Nodes that are not there at the resize timeout are given up with AllocationTimedout."""
    clock = ManualClock(datetime.now(UTC))
    async with running_service(clock=clock, allocation_time=3600) as service, service.client() as client:
        await client.create_pool(pool_of(resize_timeout=timedelta(minutes=5)))
        await clock.advance(299)
        assert (await client.get_pool("p")).allocation_state == "resizing"
        await clock.advance(2)
        pool = await client.get_pool("p")
        assert (pool.allocation_state, pool.current_dedicated_nodes) == ("steady", 0)
        assert [error.code for error in pool.resize_errors or []] == ["AllocationTimedout"]
        await client.begin_resize_pool(
            "p", m.BatchPoolResizeOptions(target_dedicated_nodes=2, resize_timeout=timedelta(minutes=10))
        )
        await clock.advance(400)
        pool = await client.get_pool("p")
        assert (pool.allocation_state, pool.resize_errors) == ("resizing", None)


async def test_a_resize_can_be_stopped(client):
    """A stopped resize leaves the pool steady with the nodes it has; meanwhile no other resize is taken."""
    async with running_service(allocation_time=600) as service, service.client() as slow:
        await slow.create_pool(pool_of(target_dedicated_nodes=2))
        with refused("PoolBeingResized"):
            await slow.begin_resize_pool("p", m.BatchPoolResizeOptions(target_dedicated_nodes=5))
        await slow.begin_stop_pool_resize("p")
        pool = await slow.get_pool("p")
        assert [error.code for error in pool.resize_errors or []] == ["ResizeStopped"]
        await done(slow.begin_delete_pool("p", polling_interval=0))


async def test_a_deleted_pool_goes_and_its_tasks_wait(client):
    """Deleting a pool ends its nodes; its jobs stay, their tasks wait for a pool of that name."""
    await client.create_pool(pool_of())
    await client.new_job(pool="p")
    await client.new_task("t", "sleep 600")
    await task_in(client, "running")

    await done(client.begin_delete_pool("p", polling_interval=0))

    assert (await client.get_task("j", "t")).state == "active"
    await client.create_pool(pool_of())
    await task_in(client, "running")


@pytest.mark.shows("BatchPoolUpdateOptions.displayName metadata startTask vmSize taskSlotsPerNode taskSchedulingPolicy")
async def test_a_patch_changes_what_it_names(client):
    """A patch changes what it names; the machine's kind only while the pool is empty."""
    await client.create_pool(pool_of(display_name="old", metadata=[m.BatchMetadataItem(name="a", value="1")]))
    await nodes_in(client, "idle", 1)

    await client.update_pool("p", m.BatchPoolUpdateOptions(metadata=[m.BatchMetadataItem(name="b", value="2")]))
    pool = await client.get_pool("p")
    assert (pool.display_name, pool.metadata[0].name, len(pool.metadata)) == ("old", "b", 1)

    with refused("OperationInvalidForCurrentState"):
        await client.update_pool("p", m.BatchPoolUpdateOptions(vm_size="OTHER"))
    await client.resize(target_dedicated_nodes=0)
    await client.update_pool(
        "p",
        m.BatchPoolUpdateOptions(
            display_name="new",
            vm_size="OTHER",
            task_slots_per_node=3,
            task_scheduling_policy=m.BatchTaskSchedulingPolicy(node_fill_type="pack"),
            start_task=m.BatchStartTask(command_line="true"),
        ),
    )
    pool = await client.get_pool("p")
    assert (pool.display_name, pool.vm_size, pool.task_slots_per_node) == ("new", "OTHER", 3)
    assert pool.task_scheduling_policy.node_fill_type == "pack"
    assert pool.start_task.command_line == "true"


@pytest.mark.shows("BatchPoolReplaceOptions.metadata startTask")
async def test_replaced_properties_are_what_is_given(client):
    """Replacing a pool's properties removes those that are not given."""
    await client.create_pool(
        pool_of(
            start_task=m.BatchStartTask(command_line="true"),
            metadata=[m.BatchMetadataItem(name="a", value="1")],
        )
    )
    await client.replace_pool_properties(
        "p",
        m.BatchPoolReplaceOptions(
            application_package_references=[], metadata=[], start_task=m.BatchStartTask(command_line="/bin/true")
        ),
    )
    pool = await client.get_pool("p")
    assert (pool.metadata, pool.start_task.command_line) == ([], "/bin/true")
    await client.replace_pool_properties("p", m.BatchPoolReplaceOptions(application_package_references=[], metadata=[]))
    assert (await client.get_pool("p")).start_task is None


async def test_pool_exists_raises_for_an_unknown_pool(client):
    """HEAD of a pool that is not there is 404, as the SDK reports it."""
    with pytest.raises(ResourceNotFoundError):
        await client.pool_exists("nope")
