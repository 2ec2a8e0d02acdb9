"""What a task's process sees and what becomes of it."""

import os
from datetime import timedelta

import psutil
import pytest
from azure.batch import models as m
from azure.core.exceptions import HttpResponseError

from tests.local_cloud.batch.running import eventually, nodes_in, refused, running_service, shell


def variables(text):
    return dict(line.split("=", 1) for line in text.splitlines() if "=" in line)


@pytest.mark.shows(
    "BatchTaskCreateOptions.environmentSettings",
    "BatchJobCreateOptions.commonEnvironmentSettings",
    "EnvironmentSetting.name value",
)
async def test_the_environment_is_batchs_and_nothing_else(client, service):
    """A task sees Batch's variables, the job's, its own above those, and nothing of the service's."""
    os.environ["ONLY_OF_THE_SERVICE"] = "1"
    common = [m.EnvironmentSetting(name="A", value="job"), m.EnvironmentSetting(name="B", value="job")]
    own = [m.EnvironmentSetting(name="B", value="täsk"), m.EnvironmentSetting(name="AZ_BATCH_JOB_ID", value="x")]
    await client.new_job(common_environment_settings=common)
    await client.run("t", "env", environment_settings=own)

    seen = variables(await client.text_of("t"))

    node = (await client.get_task("j", "t")).node_info.node_id
    root = seen["AZ_BATCH_NODE_ROOT_DIR"]
    task = f"{root}/workitems/j/job-1/t"
    assert seen == {
        "PATH": seen["PATH"],
        "HOME": seen["HOME"],
        "A": "job",
        "B": "täsk",
        "AZ_BATCH_ACCOUNT_NAME": service.account,
        "AZ_BATCH_ACCOUNT_URL": service.endpoint,
        "AZ_BATCH_POOL_ID": "ilastik",
        "AZ_BATCH_NODE_ID": node,
        "AZ_BATCH_NODE_IS_DEDICATED": "true",
        "AZ_BATCH_NODE_ROOT_DIR": root,
        "AZ_BATCH_NODE_SHARED_DIR": f"{root}/shared",
        "AZ_BATCH_NODE_STARTUP_DIR": f"{root}/startup",
        "AZ_BATCH_NODE_MOUNTS_DIR": f"{root}/fsmounts",
        "AZ_BATCH_JOB_ID": "j",
        "AZ_BATCH_TASK_ID": "t",
        "AZ_BATCH_TASK_DIR": task,
        "AZ_BATCH_TASK_WORKING_DIR": f"{task}/wd",
    }


async def test_output_can_be_read_while_the_task_runs(client):
    """stdout.txt of a running task holds what was written so far."""
    await client.new_task("t", shell("echo first; sleep 600"))

    async def first_line():
        try:
            return await client.text_of("t")
        except HttpResponseError:
            return ""

    assert await eventually(first_line) == "first\n"


async def test_children_left_behind_are_ended(client):
    """What a finished task leaves running in its group ends with it."""
    await client.run("t", shell("sleep 600 & echo $!"))
    child = int(await client.text_of("t"))
    await eventually(lambda: not psutil.pid_exists(child) or psutil.Process(child).status() == psutil.STATUS_ZOMBIE)


async def test_a_task_above_the_memory_limit_is_killed():
    """With a limit set, a task whose processes hold more memory is killed: exit code 137."""
    async with (
        running_service(nodes=1, task_memory_bytes=200 << 20, memory_interval=0.05) as service,
        service.client() as client,
    ):
        await client.new_task("small", shell("sleep 0.3"))
        # dash has no arrays: a program every machine has holds the memory.
        await client.new_task("big", shell("head -c 400000000 /dev/zero | tail -c 400000000 | sleep 600"))

        assert (await client.finished("small")).execution_info.exit_code == 0
        big = (await client.finished("big")).execution_info
        assert (big.exit_code, big.failure_info.code) == (137, "FailureExitCode")


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("no-such-program", "CommandProgramNotFound"),
        ("./not-there.sh", "CommandProgramNotFound"),
        ("/bin/sh -c 'unbalanced", "CommandLaunchFailed"),
        ("/etc/passwd", "CommandLaunchFailed"),
        ("   ", "CommandLaunchFailed"),
    ],
)
async def test_what_cannot_be_started_says_so(client, command, code):
    """A command line that can't be started fails with its own code and no exit code."""
    info = (await client.run("t", command)).execution_info

    assert (info.exit_code, info.failure_info.code, info.failure_info.category) == (None, code, "usererror")


@pytest.mark.shows("BatchTaskConstraints.retentionTime")
async def test_files_are_kept_for_the_retention_time(client, raw):
    """After its retention time a task's files are cleaned up, and say so."""
    brief = m.BatchTaskConstraints(retention_time=timedelta(seconds=0.3))
    await client.new_task("t", "echo kept", constraints=brief)
    await client.run("other", "echo kept")

    async def cleaned():
        answer = await raw.send("GET", "/jobs/j/tasks/t/files/stdout.txt")
        return answer if answer.status != 200 else None

    answer = await eventually(cleaned)
    assert (answer.status, answer.code) == (409, "TaskFilesCleanedup")
    assert await client.text_of("other") == "kept\n"


@pytest.mark.shows("BatchTaskCreateOptions.requiredSlots", "BatchPoolCreateOptions.taskSlotsPerNode")
async def test_required_slots_limit_what_runs_together():
    """Two tasks that need two of three slots run one after the other; one that needs four is refused."""
    async with running_service(nodes=1, task_slots=3) as service, service.client() as client:
        await client.new_task("a", "sleep 600", required_slots=2)
        await client.new_task("b", "sleep 600", required_slots=2)
        await client.run("c", "true")

        states = {task.id: str(getattr(task.state, "value", task.state)) async for task in client.list_tasks("j")}
        assert states == {"a": "running", "b": "active", "c": "completed"}
        node = await anext(aiter(client.list_nodes("ilastik")))
        assert (node.running_tasks_count, node.running_task_slots_count) == (1, 2)
        with refused("InvalidPropertyValue"):
            await client.new_task("d", "true", required_slots=4)


@pytest.mark.shows("BatchTaskCreateOptions.affinityInfo", "BatchAffinityInfo.affinityId")
async def test_affinity_prefers_a_node():
    """Tasks with an affinity to one node run there as long as it has a slot."""
    async with running_service(nodes=3) as service, service.client() as client:
        nodes = await nodes_in(client, "idle", 3, "ilastik")
        wanted = nodes[-1]
        affinity = m.BatchAffinityInfo(affinity_id=wanted.affinity_id)
        for number in range(4):
            ran = await client.run(f"t{number}", "true", affinity_info=affinity)
            assert ran.node_info.node_id == wanted.id
