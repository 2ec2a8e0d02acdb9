"""Pools and nodes through the SDK: made, resized, changed, removed; start tasks; scheduling on them."""

from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from azure.batch import models as m
from azure.core.exceptions import ResourceNotFoundError

from local_cloud.batch.state.clock import ManualClock
from tests.local_cloud.batch.running import eventually, refused, running_service, shell


def pool_of(pool_id="p", **fields):
    sizes = {} if {"target_low_priority_nodes", "enable_auto_scale"} & fields.keys() else {"target_dedicated_nodes": 1}
    return m.BatchPoolCreateOptions(id=pool_id, vm_size="STANDARD_D4S_V5", **{**sizes, **fields})


async def nodes_of(client, pool_id="p", wanted=None, count=None):
    async def look():
        found = [node async for node in client.list_nodes(pool_id)]
        fits = all(node.state == wanted for node in found) if wanted else True
        return found if fits and (count is None or len(found) == count) else None

    return await eventually(look)


async def gone(client, pool_id="p"):
    async def look():
        try:
            await client.get_pool(pool_id)
        except ResourceNotFoundError:
            return True
        return False

    return await eventually(look)


@pytest.mark.shows(
    "BatchPoolCreateOptions.id",
    "BatchPoolCreateOptions.displayName",
    "BatchPoolCreateOptions.vmSize",
    "BatchPoolCreateOptions.metadata",
    "BatchPoolCreateOptions.targetDedicatedNodes",
    "BatchPoolCreateOptions.targetLowPriorityNodes",
    "BatchMetadataItem.name",
    "BatchMetadataItem.value",
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
    nodes = await nodes_of(client, "pool-1", "idle", 3)

    pool = await client.get_pool("POOL-1")

    assert (pool.id, pool.display_name, pool.vm_size) == ("Pool-1", "Zwölf", "STANDARD_D4S_V5")
    assert (pool.current_dedicated_nodes, pool.current_low_priority_nodes) == (1, 2)
    assert [(item.name, item.value) for item in pool.metadata] == [("k", "v")]
    assert sorted(node.is_dedicated for node in nodes) == [False, False, True]
    assert await client.pool_exists("pool-1")
    with refused("PoolExists", 409):
        await client.create_pool(pool_of("POOL-1"))


@pytest.mark.shows(
    "BatchPoolCreateOptions.startTask",
    "BatchStartTask.commandLine",
    "BatchStartTask.environmentSettings",
    "BatchStartTask.maxTaskRetryCount",
)
async def test_a_start_task_prepares_every_node(client, new_job, new_task, finished, text_of):
    """A start task is retried as often as it may, then its node takes tasks that see what it has made."""
    script = "test -e again || { touch again; exit 1; }; echo $WORD > $AZ_BATCH_NODE_SHARED_DIR/word"
    start = m.BatchStartTask(
        command_line=shell(script),
        max_task_retry_count=1,
        environment_settings=[m.EnvironmentSetting(name="WORD", value="ready")],
    )
    await client.create_pool(pool_of(start_task=start))
    (node,) = await nodes_of(client, "p", "idle", 1)
    assert (node.start_task_info.retry_count, node.start_task_info.exit_code) == (1, 0)
    assert node.start_task_info.result == "success"

    await new_job(client, pool="p")
    await new_task(client, "t", shell("cat $AZ_BATCH_NODE_SHARED_DIR/word"))
    await finished(client, "t")

    assert await text_of(client, "t") == "ready\n"


async def test_a_failing_start_task_keeps_tasks_away(client, new_job, new_task):
    """A node whose start task fails for good says why and takes no task; a reboot tries again."""
    await client.create_pool(pool_of(start_task=m.BatchStartTask(command_line=shell("test -e /tmp/no-such; exit 7"))))
    (node,) = await nodes_of(client, "p", "starttaskfailed", 1)
    assert node.start_task_info.exit_code == 7
    assert node.start_task_info.failure_info.code == "FailureExitCode"
    assert node.errors[0].code == "FailureExitCode"
    await new_job(client, pool="p")
    await new_task(client, "t", "true")

    rebooting = await client.begin_reboot_node("p", node.id, {"nodeRebootOption": "requeue"}, polling_interval=0)
    await rebooting.result()

    (again,) = await nodes_of(client, "p", "starttaskfailed", 1)
    assert again.last_boot_time > node.last_boot_time
    assert (await client.get_task("j", "t")).state == "active"


@pytest.mark.shows("BatchStartTask.waitForSuccess")
async def test_a_node_need_not_wait_for_its_start_task(client, new_job, new_task, finished):
    """Without waitForSuccess tasks run while the start task does."""
    start = m.BatchStartTask(command_line="sleep 600", wait_for_success=False)
    await client.create_pool(pool_of(start_task=start))
    await new_job(client, pool="p")
    await new_task(client, "t", "true")

    assert (await finished(client, "t")).execution_info.exit_code == 0
    (node,) = await nodes_of(client, "p", "idle", 1)
    assert node.start_task_info.state == "running"


@pytest.mark.shows("BatchPoolResizeOptions.targetDedicatedNodes", "BatchPoolResizeOptions.targetLowPriorityNodes")
async def test_a_resize_reaches_its_targets(client):
    """A resize adds and removes nodes until the targets are met, then the pool is steady."""
    await client.create_pool(pool_of())
    await nodes_of(client, "p", "idle", 1)

    for dedicated, spot in ((3, 0), (0, 2), (0, 0)):
        resizing = await client.begin_resize_pool(
            "p",
            m.BatchPoolResizeOptions(target_dedicated_nodes=dedicated, target_low_priority_nodes=spot),
            polling_interval=0,
        )
        await resizing.result()
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
async def test_a_shrinking_pool_treats_tasks_as_asked(client, new_job, new_task, option, state, result):
    """The deallocation option decides what becomes of the tasks on a node that goes."""
    await client.create_pool(pool_of())
    await nodes_of(client, "p", "idle", 1)
    await new_job(client, pool="p")
    command = shell("sleep 0.7") if option == "taskcompletion" else "sleep 600"
    await new_task(client, "t", command)
    await eventually(lambda: in_state(client, "running"))

    resizing = await client.begin_resize_pool(
        "p",
        m.BatchPoolResizeOptions(target_dedicated_nodes=0, node_deallocation_option=option),
        polling_interval=0,
    )
    await resizing.result()

    task = await client.get_task("j", "t")
    assert (task.state, task.execution_info.result) == (state, result)
    assert task.execution_info.requeue_count == (1 if option == "requeue" else 0)


async def in_state(client, wanted, task_id="t"):
    task = await client.get_task("j", task_id)
    return task if task.state == wanted else None


async def test_retained_data_keeps_a_node_until_its_files_may_go(new_job, new_task, finished):
    """With retaineddata a node stays for as long as its tasks' files must be kept."""
    clock = ManualClock(datetime.now(UTC))
    async with running_service(clock=clock) as service, service.client() as client:
        await client.create_pool(pool_of())
        await clock.advance(1)
        await nodes_of(client, "p", "idle", 1)
        await new_job(client, pool="p")
        await new_task(client, "t", "true", constraints=m.BatchTaskConstraints(retention_time=timedelta(hours=1)))
        await finished(client, "t")
        await client._resize_pool_internal(
            "p", m.BatchPoolResizeOptions(target_dedicated_nodes=0, node_deallocation_option="retaineddata")
        )
        await clock.advance(3000)
        assert (await client.get_pool("p")).current_dedicated_nodes == 1
        await clock.advance(1000)

        async def empty():
            return (await client.get_pool("p")).current_dedicated_nodes == 0

        await eventually(empty)


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
        await client._resize_pool_internal(
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
            await slow._resize_pool_internal("p", m.BatchPoolResizeOptions(target_dedicated_nodes=5))
        await slow._stop_pool_resize_internal("p")
        pool = await slow.get_pool("p")
        assert [error.code for error in pool.resize_errors or []] == ["ResizeStopped"]
        await slow._delete_pool_internal("p")
        await gone(slow)


@pytest.mark.shows("BatchNodeRemoveOptions.nodeList", "BatchNodeRemoveOptions.nodeDeallocationOption")
async def test_named_nodes_can_be_removed(client, new_job, new_task):
    """Removing a named node takes it out, lowers the target and treats its task as asked."""
    await client.create_pool(pool_of(target_dedicated_nodes=2))
    await nodes_of(client, "p", "idle", 2)
    await new_job(client, pool="p")
    await new_task(client, "t", "sleep 600")
    running = await eventually(lambda: in_state(client, "running"))

    removing = await client.begin_remove_nodes(
        "p",
        m.BatchNodeRemoveOptions(node_ids=[running.node_info.node_id], node_deallocation_option="terminate"),
        polling_interval=0,
    )
    await removing.result()

    (left,) = await nodes_of(client, "p", "idle", 1)
    assert left.id != running.node_info.node_id
    assert (await client.get_pool("p")).target_dedicated_nodes == 1
    assert (await client.get_task("j", "t")).execution_info.failure_info.code == "TaskEnded"


async def test_a_deleted_pool_goes_and_its_tasks_wait(client, new_job, new_task):
    """Deleting a pool ends its nodes; its jobs stay, their tasks wait for a pool of that name."""
    await client.create_pool(pool_of())
    await new_job(client, pool="p")
    await new_task(client, "t", "sleep 600")
    await eventually(lambda: in_state(client, "running"))

    deleting = await client.begin_delete_pool("p", polling_interval=0)
    await deleting.result()

    assert (await client.get_task("j", "t")).state == "active"
    await client.create_pool(pool_of())
    await eventually(lambda: in_state(client, "running"))


@pytest.mark.shows("BatchNodeRebootOptions.nodeRebootOption")
async def test_a_reboot_queues_its_tasks_again(client, new_job, new_task):
    """A reboot with requeue runs the node's task again afterwards, counted as a requeue and no retry."""
    await new_job(client)
    await new_task(client, "t", "sleep 600")
    running = await eventually(lambda: in_state(client, "running"))

    rebooting = await client.begin_reboot_node(
        "ilastik",
        running.node_info.node_id,
        {"nodeRebootOption": "requeue"},
        polling_interval=0,
    )
    await rebooting.result()

    async def again():
        task = await client.get_task("j", "t")
        return task if task.execution_info.requeue_count and task.state == "running" else None

    task = await eventually(again)
    assert (task.execution_info.retry_count, task.execution_info.requeue_count) == (0, 1)
    assert task.execution_info.last_requeue_time is not None
    await client._reboot_node_internal("ilastik", task.node_info.node_id, {"nodeRebootOption": "terminate"})
    await eventually(lambda: in_state(client, "completed"))


@pytest.mark.shows("BatchNodeDisableSchedulingOptions.nodeDisableSchedulingOption")
async def test_a_node_can_be_kept_from_tasks(client, new_job, new_task, finished):
    """A node with scheduling off takes no tasks, what runs goes as asked; on again, it takes them."""
    await new_job(client)
    await new_task(client, "t", "sleep 600")
    node = (await eventually(lambda: in_state(client, "running"))).node_info.node_id

    await client.disable_node_scheduling(
        "ilastik", node, m.BatchNodeDisableSchedulingOptions(node_disable_scheduling_option="terminate")
    )
    assert (await finished(client, "t")).execution_info.failure_info.code == "TaskEnded"
    await new_task(client, "next", "true")
    with refused("NodeAlreadyInTargetSchedulingState"):
        await client.disable_node_scheduling("ilastik", node, {"nodeDisableSchedulingOption": "requeue"})
    assert (await client.get_node("ilastik", node)).scheduling_state == "disabled"
    assert (await client.get_task("j", "next")).state == "active"

    await client.enable_node_scheduling("ilastik", node)
    await finished(client, "next")


@pytest.mark.shows(
    "BatchPoolUpdateOptions.displayName",
    "BatchPoolUpdateOptions.metadata",
    "BatchPoolUpdateOptions.startTask",
    "BatchPoolUpdateOptions.vmSize",
    "BatchPoolUpdateOptions.taskSlotsPerNode",
    "BatchPoolUpdateOptions.taskSchedulingPolicy",
)
async def test_a_patch_changes_what_it_names(client):
    """A patch changes what it names; the machine's kind only while the pool is empty."""
    await client.create_pool(pool_of(display_name="old", metadata=[m.BatchMetadataItem(name="a", value="1")]))
    await nodes_of(client, "p", "idle", 1)

    await client.update_pool("p", m.BatchPoolUpdateOptions(metadata=[m.BatchMetadataItem(name="b", value="2")]))
    pool = await client.get_pool("p")
    assert (pool.display_name, pool.metadata[0].name, len(pool.metadata)) == ("old", "b", 1)

    with refused("OperationInvalidForCurrentState"):
        await client.update_pool("p", m.BatchPoolUpdateOptions(vm_size="OTHER"))
    resizing = await client.begin_resize_pool(
        "p", m.BatchPoolResizeOptions(target_dedicated_nodes=0), polling_interval=0
    )
    await resizing.result()
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


@pytest.mark.shows("BatchPoolReplaceOptions.metadata", "BatchPoolReplaceOptions.startTask")
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


@pytest.mark.shows(
    "BatchPoolCreateOptions.taskSchedulingPolicy",
    "BatchTaskSchedulingPolicy.nodeFillType",
)
@pytest.mark.parametrize(("fill", "used"), [("spread", 2), ("pack", 1)])
async def test_tasks_spread_or_pack(client, new_job, new_task, fill, used):
    """Two tasks on two nodes of two slots run on both with spread and on one with pack."""
    await client.create_pool(
        pool_of(
            target_dedicated_nodes=2,
            task_slots_per_node=2,
            task_scheduling_policy=m.BatchTaskSchedulingPolicy(node_fill_type=fill),
        )
    )
    await nodes_of(client, "p", "idle", 2)
    await new_job(client, pool="p")
    for name in ("a", "b"):
        await new_task(client, name, "sleep 600")
        await eventually(partial(in_state, client, "running", name))

    ran = {(await client.get_task("j", name)).node_info.node_id for name in ("a", "b")}
    assert len(ran) == used


async def test_node_counts_are_those_of_the_nodes(client):
    """Node counts of a pool count its nodes by state and kind."""
    await client.create_pool(pool_of(target_dedicated_nodes=2, target_low_priority_nodes=1))
    await nodes_of(client, "p", "idle", 3)

    (counts,) = [entry async for entry in client.list_pool_node_counts(filter="poolId eq 'p'")]

    assert (counts.dedicated.idle, counts.dedicated.total) == (2, 2)
    assert (counts.low_priority.idle, counts.low_priority.total) == (1, 1)
    assert {entry.pool_id async for entry in client.list_pool_node_counts()} == {"p", "ilastik"}


async def test_pool_exists_raises_for_an_unknown_pool(client):
    """HEAD of a pool that is not there is 404, as the SDK reports it."""
    with pytest.raises(ResourceNotFoundError):
        await client.pool_exists("nope")
