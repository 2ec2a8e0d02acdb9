"""Nodes through the SDK: start tasks, reboots, removal, and which tasks they take."""

import pytest
from azure.batch import models as m

from tests.local_cloud.batch.running import done, eventually, nodes_in, pool_of, refused, shell, task_in


@pytest.mark.shows(
    "BatchPoolCreateOptions.startTask", "BatchStartTask.commandLine environmentSettings maxTaskRetryCount"
)
async def test_a_start_task_prepares_every_node(client):
    """A start task is retried as often as it may, then its node takes tasks that see what it has made."""
    script = "test -e again || { touch again; exit 1; }; echo $WORD > $AZ_BATCH_NODE_SHARED_DIR/word"
    start = m.BatchStartTask(
        command_line=shell(script),
        max_task_retry_count=1,
        environment_settings=[m.EnvironmentSetting(name="WORD", value="ready")],
    )
    await client.create_pool(pool_of(start_task=start))
    (node,) = await nodes_in(client, "idle", 1)
    assert (node.start_task_info.retry_count, node.start_task_info.exit_code) == (1, 0)
    assert node.start_task_info.result == "success"

    await client.new_job(pool="p")
    await client.run("t", shell("cat $AZ_BATCH_NODE_SHARED_DIR/word"))

    assert await client.text_of("t") == "ready\n"


async def test_a_failing_start_task_keeps_tasks_away(client):
    """A node whose start task fails for good says why and takes no task; a reboot tries again."""
    await client.create_pool(pool_of(start_task=m.BatchStartTask(command_line=shell("test -e /tmp/no-such; exit 7"))))
    (node,) = await nodes_in(client, "starttaskfailed", 1)
    assert node.start_task_info.exit_code == 7
    assert node.start_task_info.failure_info.code == "FailureExitCode"
    assert node.errors[0].code == "FailureExitCode"
    await client.new_job(pool="p")
    await client.new_task("t", "true")

    await done(client.begin_reboot_node("p", node.id, {"nodeRebootOption": "requeue"}, polling_interval=0))

    (again,) = await nodes_in(client, "starttaskfailed", 1)
    assert again.last_boot_time > node.last_boot_time
    assert (await client.get_task("j", "t")).state == "active"


@pytest.mark.shows("BatchStartTask.waitForSuccess")
async def test_a_node_need_not_wait_for_its_start_task(client):
    """Without waitForSuccess tasks run while the start task does."""
    start = m.BatchStartTask(command_line="sleep 600", wait_for_success=False)
    await client.create_pool(pool_of(start_task=start))
    await client.new_job(pool="p")
    assert (await client.run("t", "true")).execution_info.exit_code == 0
    (node,) = await nodes_in(client, "idle", 1)
    assert node.start_task_info.state == "running"


@pytest.mark.shows("BatchNodeRemoveOptions.nodeList nodeDeallocationOption")
async def test_named_nodes_can_be_removed(client):
    """Removing a named node takes it out, lowers the target and treats its task as asked."""
    await client.create_pool(pool_of(target_dedicated_nodes=2))
    await nodes_in(client, "idle", 2)
    await client.new_job(pool="p")
    await client.new_task("t", "sleep 600")
    running = await task_in(client, "running")

    node = running.node_info.node_id
    removal = m.BatchNodeRemoveOptions(node_ids=[node], node_deallocation_option="terminate")
    await done(client.begin_remove_nodes("p", removal, polling_interval=0))

    (left,) = await nodes_in(client, "idle", 1)
    assert left.id != node
    assert (await client.get_pool("p")).target_dedicated_nodes == 1
    assert (await client.get_task("j", "t")).execution_info.failure_info.code == "TaskEnded"


@pytest.mark.shows("BatchNodeRebootOptions.nodeRebootOption")
async def test_a_reboot_queues_its_tasks_again(client):
    """A reboot with requeue runs the node's task again afterwards, counted as a requeue and no retry."""
    await client.new_task("t", "sleep 600")
    running = await task_in(client, "running")

    node = running.node_info.node_id
    await done(client.begin_reboot_node("ilastik", node, {"nodeRebootOption": "requeue"}, polling_interval=0))

    async def again():
        task = await client.get_task("j", "t")
        return task if task.execution_info.requeue_count and task.state == "running" else None

    task = await eventually(again)
    assert (task.execution_info.retry_count, task.execution_info.requeue_count) == (0, 1)
    assert task.execution_info.last_requeue_time is not None
    await client.begin_reboot_node("ilastik", task.node_info.node_id, {"nodeRebootOption": "terminate"})
    await task_in(client, "completed")


@pytest.mark.shows("BatchNodeDisableSchedulingOptions.nodeDisableSchedulingOption")
async def test_a_node_can_be_kept_from_tasks(client):
    """A node with scheduling off takes no tasks, what runs goes as asked; on again, it takes them."""
    await client.new_task("t", "sleep 600")
    node = (await task_in(client, "running")).node_info.node_id

    await client.disable_node_scheduling(
        "ilastik", node, m.BatchNodeDisableSchedulingOptions(node_disable_scheduling_option="terminate")
    )
    assert (await client.finished("t")).execution_info.failure_info.code == "TaskEnded"
    await client.new_task("next", "true")
    with refused("NodeAlreadyInTargetSchedulingState"):
        await client.disable_node_scheduling("ilastik", node, {"nodeDisableSchedulingOption": "requeue"})
    assert (await client.get_node("ilastik", node)).scheduling_state == "disabled"
    assert (await client.get_task("j", "next")).state == "active"

    await client.enable_node_scheduling("ilastik", node)
    await client.finished("next")


@pytest.mark.shows("BatchPoolCreateOptions.taskSchedulingPolicy", "BatchTaskSchedulingPolicy.nodeFillType")
@pytest.mark.parametrize(("fill", "used"), [("spread", 2), ("pack", 1)])
async def test_tasks_spread_or_pack(client, fill, used):
    """Two tasks on two nodes of two slots run on both with spread and on one with pack."""
    await client.create_pool(
        pool_of(
            target_dedicated_nodes=2,
            task_slots_per_node=2,
            task_scheduling_policy=m.BatchTaskSchedulingPolicy(node_fill_type=fill),
        )
    )
    await nodes_in(client, "idle", 2)
    await client.new_job(pool="p")
    for name in ("a", "b"):
        await client.new_task(name, "sleep 600")
        await task_in(client, "running", name)

    ran = {(await client.get_task("j", name)).node_info.node_id for name in ("a", "b")}
    assert len(ran) == used


async def test_node_counts_are_those_of_the_nodes(client):
    """Node counts of a pool count its nodes by state and kind."""
    await client.create_pool(pool_of(target_dedicated_nodes=2, target_low_priority_nodes=1))
    await nodes_in(client, "idle", 3)

    (counts,) = [entry async for entry in client.list_pool_node_counts(filter="poolId eq 'p'")]

    assert (counts.dedicated.idle, counts.dedicated.total) == (2, 2)
    assert (counts.low_priority.idle, counts.low_priority.total) == (1, 1)
    assert {entry.pool_id async for entry in client.list_pool_node_counts()} == {"p", "ilastik"}
