"""Tasks that ask for a container, run on the host."""

import pytest

from tests.local_cloud.batch.running import nodes_in, running_service, shell
from tests.local_cloud.batch.scheduling.test_batch_jobs import job_in

SETTINGS = {"imageName": "biocontainers/samtools:1.9", "containerRunOptions": "--rm"}
JOB = {"id": "j", "poolInfo": {"poolId": "ilastik"}}


@pytest.fixture
async def service():
    """A service that runs the commands of containers on the host."""
    async with running_service(nodes=1, containers_on_host=True) as running:
        yield running


@pytest.mark.shows("BatchTaskCreateOptions.containerSettings", "BatchTaskContainerSettings.imageName")
async def test_the_command_of_a_container_runs_on_the_host(raw, client):
    """The command runs, its errors begin with a warning, and the settings are shown without their password."""
    registry = {"username": "me", "password": "secret", "registryServer": "r.example"}
    task = {"id": "t", "commandLine": shell("echo out; echo err >&2"), "containerSettings": SETTINGS}
    task["containerSettings"] = {**SETTINGS, "registry": registry}
    await raw.send("POST", "/jobs", JOB)
    assert (await raw.send("POST", "/jobs/j/tasks", task)).status == 201

    done = await client.finished()
    shown = (await raw.send("GET", "/jobs/j/tasks/t")).body["containerSettings"]

    assert done.execution_info.exit_code == 0
    assert await client.text_of("t") == "out\n"
    warning, _, errors = (await client.text_of("t", "stderr.txt")).partition("\n")
    assert "on the host instead of in biocontainers/samtools:1.9" in warning
    assert errors == "err\n"
    assert shown == {**SETTINGS, "registry": {"username": "me", "registryServer": "r.example"}}


async def test_a_container_may_have_no_command(raw, client):
    """An empty command line stands for the image's own program: nothing is run, and the warning says so."""
    await raw.send("POST", "/jobs", JOB)
    for task, settings in (("t", {"containerSettings": SETTINGS}), ("u", {})):
        await raw.send("POST", "/jobs/j/tasks", {"id": task, "commandLine": "", **settings})

    done = await client.finished()

    assert (done.execution_info.exit_code, await client.text_of("t")) == (0, "")
    assert "nothing was run" in await client.text_of("t", "stderr.txt")
    assert (await raw.send("GET", "/jobs/j/tasks/u")).code == "TaskNotFound"


@pytest.mark.shows("BatchStartTask.containerSettings", "BatchJobPreparationTask.containerSettings")
@pytest.mark.shows("BatchJobReleaseTask.containerSettings")
async def test_steps_may_have_containers(raw, client):
    """Start, preparation and release tasks with a container run on the host as well."""
    step = {"commandLine": "true", "containerSettings": SETTINGS}
    pool = {"id": "p", "vmSize": "standard_a1", "targetDedicatedNodes": 1, "startTask": step}
    job = {"id": "j", "poolInfo": {"poolId": "p"}, "jobPreparationTask": step, "jobReleaseTask": step}
    assert [(await raw.send("POST", path, body)).status for path, body in (("/pools", pool), ("/jobs", job))] == [
        201
    ] * 2
    await raw.send("POST", "/jobs/j/tasks", {"id": "t", "commandLine": "true"})
    await client.finished()
    await raw.send("POST", "/jobs/j/terminate")
    await job_in(client, "completed")

    (node,) = await nodes_in(client, "idle")

    for name in ("startup", "workitems/j/job-1/jobpreparation", "workitems/j/job-1/jobrelease"):
        text = (await raw.send("GET", f"/pools/p/nodes/{node.id}/files/{name.replace('/', '%2F')}%2Fstderr.txt")).raw
        assert b"runs on the host" in text


async def test_containers_are_refused_unless_permitted():
    """A service that was not started for it refuses every container by the name of its property."""
    step = {"commandLine": "true", "containerSettings": SETTINGS}
    pool = {"vmSize": "standard_a1", "startTask": step}
    auto = {"autoPoolSpecification": {"poolLifetimeOption": "job", "pool": pool}}
    async with running_service() as service, service.raw() as raw:
        await raw.send("POST", "/jobs", {**JOB, "id": "k"})
        for path, body in (
            ("/pools", {"id": "p", **pool}),
            ("/jobs", {**JOB, "jobPreparationTask": step}),
            ("/jobs", {**JOB, "poolInfo": auto}),
            ("/jobs/k/tasks", {"id": "t", **step}),
        ):
            answer = await raw.send("POST", path, body)
            assert (answer.status, answer.code) == (400, "UnsupportedProperty")
            assert any("--containers-on-host" in entry["value"] for entry in answer.body["values"])
        assert [(await raw.send("GET", path)).body["value"] for path in ("/pools", "/jobs/k/tasks")] == [[], []]
