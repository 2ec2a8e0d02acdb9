"""Preparation and release tasks of jobs."""

from typing import Any

import pytest
from azure.batch import models as m

from tests.local_cloud.batch.running import done, eventually, refused, running_service, shell, task_in
from tests.local_cloud.batch.scheduling.test_batch_jobs import job_in


def steps(script, release=None, **fields):
    made: dict[str, Any] = {"job_preparation_task": m.BatchJobPreparationTask(command_line=shell(script), **fields)}
    if release is not None:
        made["job_release_task"] = m.BatchJobReleaseTask(command_line=shell(release))
    return made


async def statuses(client, job="j", **options):
    return [entry async for entry in client.list_job_preparation_and_release_task_status(job, **options)]


@pytest.mark.shows("BatchJobCreateOptions.jobPreparationTask jobReleaseTask")
@pytest.mark.shows("BatchJobPreparationTask.id commandLine environmentSettings")
@pytest.mark.shows("BatchJobReleaseTask.id commandLine environmentSettings")
async def test_a_node_is_prepared_once_and_released_at_the_end(client, raw):
    """Before a job's first task on a node its preparation runs, when the job ends its release: each once."""
    log, word = "echo $WORD >> $AZ_BATCH_NODE_SHARED_DIR/log", [{"name": "WORD", "value": "prep"}]
    body = {
        "id": "j",
        "poolInfo": {"poolId": "ilastik"},
        "jobPreparationTask": {"id": "Before", "commandLine": shell(log), "environmentSettings": word},
        "jobReleaseTask": {
            "id": "After",
            "commandLine": shell(f"{log}; cat $AZ_BATCH_JOB_PREP_WORKING_DIR/../stdout.txt"),
            "environmentSettings": [{"name": "WORD", "value": "release"}],
        },
    }
    assert (await raw.send("POST", "/jobs", body)).status == 201
    assert await statuses(client) == []
    for name in ("a", "b"):
        await client.create_task("j", m.BatchTaskCreateOptions(id=name, command_line=shell(f"WORD={name}; {log}")))
        task = await client.finished(name)
    await client.create_task("j", m.BatchTaskCreateOptions(id="env", command_line=shell("echo $AZ_BATCH_JOB_PREP_DIR")))
    await client.finished("env")
    assert (await client.text_of("env")).endswith("/workitems/j/job-1/Before\n")
    (before,) = await statuses(client, filter=f"nodeId eq '{task.node_info.node_id}'")
    await raw.send("POST", "/jobs/j/terminate")
    await job_in(client, "completed")
    (after,) = await statuses(client)
    node = ("ilastik", task.node_info.node_id)
    written = b"".join([part async for part in await client.download_node_file(*node, "shared/log")]).decode()

    assert written.split() == ["prep", "a", "b", "release"]
    assert before.job_release_task_execution_info is None
    assert before.job_preparation_task_execution_info.result == "success"
    assert after.job_release_task_execution_info.exit_code == 0
    assert after.job_release_task_execution_info.task_root_directory == "workitems/j/job-1/After"
    shown = (await raw.send("GET", "/jobs/j")).body
    assert shown["jobPreparationTask"]["constraints"]["maxTaskRetryCount"] == 0
    assert (shown["jobPreparationTask"]["waitForSuccess"], shown["jobReleaseTask"]["maxWallClockTime"]) == (
        True,
        "PT15M",
    )


@pytest.mark.shows("BatchJobPreparationTask.waitForSuccess resourceFiles", "BatchJobReleaseTask.resourceFiles")
@pytest.mark.shows("BatchJobPreparationTask.rerunOnNodeRebootAfterSuccess")
async def test_a_node_that_could_not_be_prepared_runs_nothing_of_the_job(client):
    """A failed preparation keeps the job's tasks from the node until it is rebooted, unless nobody waits for it."""
    missing = [m.ResourceFile(http_url="http://127.0.0.1:1/none", file_path="f")]
    once = steps("test -e $AZ_BATCH_NODE_SHARED_DIR/x || { touch $AZ_BATCH_NODE_SHARED_DIR/x; exit 5; }", "true")
    once["job_release_task"].resource_files = missing
    await client.new_job(**once)
    await client.new_task("t", "true")
    (failed,) = await eventually(lambda: finished_steps(client, "j"))
    await client.new_job("loose", **steps("true", resource_files=missing, wait_for_success=False))
    await client.run("t", "true", job="loose")
    assert failed.job_preparation_task_execution_info.exit_code == 5
    assert (await client.get_task("j", "t")).state == "active"
    (broken,) = await eventually(lambda: finished_steps(client, "loose"))
    assert broken.job_preparation_task_execution_info.failure_info.code == "BlobDownloadMiscError"

    await reboot(client, failed.node_id)

    await client.finished("t")
    await client.begin_terminate_job("j", {"terminateReason": "enough"})
    await job_in(client, "completed")
    (after,) = await statuses(client)
    assert after.job_release_task_execution_info.failure_info.code == "BlobDownloadMiscError"


async def reboot(client, node):
    options = {"nodeRebootOption": "requeue"}
    await done(client.begin_reboot_node("ilastik", node, options, polling_interval=0))


async def finished_steps(client, job):
    found = await statuses(client, job)
    return found if found and found[0].job_preparation_task_execution_info.state == "completed" else None


@pytest.mark.parametrize(("again", "count"), [(True, 2), (False, 1)])
async def test_a_reboot_may_ask_for_a_preparation_again(client, again, count):
    """After a reboot the node is prepared again, unless a success is to last."""
    await client.new_job(**steps("echo >> $AZ_BATCH_NODE_SHARED_DIR/log", rerun_on_node_reboot_after_success=again))
    node = (await client.run("a", "true")).node_info.node_id

    await reboot(client, node)

    await client.run("b", shell("wc -l < $AZ_BATCH_NODE_SHARED_DIR/log"))
    assert (await client.text_of("b")).strip() == str(count)


async def test_a_node_that_lost_its_files_is_prepared_again(service, client):
    """A preparation that is to last goes with the node's files all the same."""
    await client.new_job(**steps("true", rerun_on_node_reboot_after_success=False))
    node = (await client.run("a", "true")).node_info.node_id

    for action in ("lose", "restore"):
        await service.local("POST", f"pools/ilastik/nodes/{node}/{action}")

    assert (await client.run("b", shell("test -e $AZ_BATCH_JOB_PREP_DIR/stdout.txt"))).execution_info.exit_code == 0


@pytest.mark.shows("BatchJobPreparationTask.constraints", "BatchJobReleaseTask.maxWallClockTime")
async def test_steps_have_limits_and_retries(client, raw):
    """A preparation is tried again as often as it may, and ended when its time is over; so is a release."""
    body = {
        "id": "j",
        "poolInfo": {"poolId": "ilastik"},
        "jobPreparationTask": {"commandLine": shell("exit 3"), "constraints": {"maxTaskRetryCount": 2}},
    }
    slow = {"commandLine": "sleep 600", "constraints": {"maxWallClockTime": "PT0.2S"}}
    late = {"commandLine": "sleep 600", "maxWallClockTime": "PT0.2S"}
    await raw.send("POST", "/jobs", body)
    await raw.send("POST", "/jobs", {**body, "id": "k", "jobPreparationTask": slow})
    await raw.send(
        "POST", "/jobs", {**body, "id": "l", "jobPreparationTask": {"commandLine": "true"}, "jobReleaseTask": late}
    )
    for job in ("j", "k", "l"):
        await client.create_task(job, m.BatchTaskCreateOptions(id="t", command_line="true"))

    (tried,) = await eventually(lambda: finished_steps(client, "j"))
    (ended,) = await eventually(lambda: finished_steps(client, "k"))
    await client.finished(job="l")
    await raw.send("POST", "/jobs/l/terminate")
    await job_in(client, "completed", job="l")
    (released,) = await statuses(client, "l")

    assert tried.job_preparation_task_execution_info.retry_count == 2
    assert ended.job_preparation_task_execution_info.result == "failure"
    assert released.job_release_task_execution_info.result == "failure"


async def test_a_task_that_waits_for_a_preparation_can_be_ended(client):
    """While its node is prepared a task is preparing: it can be terminated, requeued with its job, deleted."""
    await client.new_job(**steps("sleep 600"))
    for name in ("ended", "deleted"):
        await client.new_task(name, "true")
        await task_in(client, "preparing", name)
        await (client.terminate_task if name == "ended" else client.delete_task)("j", name)
    assert (await client.finished("ended")).execution_info.failure_info.code == "TaskEnded"
    await client.new_task("queued", "true")
    await task_in(client, "preparing", "queued")

    await client.begin_disable_job("j", m.BatchJobDisableOptions(disable_tasks="requeue"))

    await job_in(client, "disabled")
    assert (await client.get_task("j", "queued")).state == "active"
    assert await statuses(client) == []


async def test_preparations_go_on_after_a_restart(tmp_path):
    """A service started anew prepares its nodes again, as after a reboot, and releases what it prepared."""
    async with running_service(tmp_path, nodes=1) as service, service.client() as client:
        await client.new_job(**steps("echo >> $AZ_BATCH_NODE_SHARED_DIR/log", "true"))
        await client.run("a", "true")
        await client.new_task("b", "sleep 600")
        await task_in(client, "running", "b")
    async with running_service(tmp_path, nodes=1) as service, service.client() as client:
        await task_in(client, "running", "b")
        (shown,) = await statuses(client)
        reason: Any = {"terminateReason": "enough"}
        await client.begin_terminate_job("j", reason)
        await job_in(client, "completed")
        (released,) = await statuses(client)

    assert shown.job_preparation_task_execution_info.result == "success"
    assert released.job_release_task_execution_info.result == "success"


async def test_steps_that_cannot_be_are_refused(client, raw):
    """A release needs a preparation of another id; no task has the id of either; a job without has no status."""
    job = {"id": "j", "poolInfo": {"poolId": "ilastik"}}
    step = {"id": "one", "commandLine": "true"}
    assert (await raw.send("POST", "/jobs", {**job, "jobReleaseTask": step})).code == "InvalidPropertyValue"
    same = {**job, "jobPreparationTask": step, "jobReleaseTask": {**step, "id": "ONE"}}
    assert (await raw.send("POST", "/jobs", same)).code == "InvalidPropertyValue"
    long = {**job, "jobPreparationTask": step, "jobReleaseTask": {"commandLine": "true", "maxWallClockTime": "PT1H"}}
    assert (await raw.send("POST", "/jobs", long)).code == "InvalidPropertyValue"
    await client.new_job(**steps("true", "true"))
    with refused("TaskIdSameAsJobPreparationTask", 409):
        await client.new_task("JobPreparation", "true")
    with refused("TaskIdSameAsJobReleaseTask", 409):
        await client.new_task("jobrelease", "true")
    await client.new_job("plain")
    assert (await raw.send("GET", "/jobs/plain/jobpreparationandreleasetaskstatus")).code == (
        "JobPreparationTaskNotSpecified"
    )
