"""The files that Azure gets, on a pool of the local Batch service: a node installs ilastik, a task runs it."""

import hashlib
import json
import os

import pytest
from azure.batch import models as m
from azure.storage.blob.aio import BlobServiceClient

from batch_ops.task.contract import TaskEnvironment
from batch_ops.task.manifest import Manifest
from local_cloud.cloud.provision import task_tools
from tests.deploy.pool.conftest import ARCHIVE, REPOSITORY, START_FILES, ilastik_archive
from tests.deploy.pool.tools_server import CLIENT_ID
from tests.local_cloud.batch.running import eventually, running_service

IDENTITY = "/subscriptions/s/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/pool"
OURS = m.BatchNodeIdentityReference(resource_id=IDENTITY)
CELLS = REPOSITORY / "tests/data/ilastik/cells2d"
NAME = "lab/cells 'α'.h5"
TASK_SECONDS = 90


@pytest.fixture
async def containers(azurite, unique):
    """(container of tools, container of image and project), filled as deploy.sh and a person fill them."""
    # The SDK's transport complains about more in one request.
    async with BlobServiceClient.from_connection_string(
        azurite, max_single_put_size=2**20, max_block_size=2**20
    ) as blobs:
        tools = await blobs.create_container(unique("tools"))
        data = await blobs.create_container(unique("data"))
        for tool in task_tools(REPOSITORY):
            await tools.upload_blob(tool.blob, tool.path.read_bytes())
        for name, path in START_FILES.items():
            with path.open("rb") as content:
                await tools.upload_blob(name, content)
        await data.upload_blob(NAME, (CELLS / "input.h5").read_bytes())
        await data.upload_blob("project.ilp", (CELLS / "project.ilp").read_bytes())
        yield tools, data


@pytest.fixture
async def service(azurite):
    async with running_service(storage_connection_string=azurite, pool_identities=(IDENTITY,)) as running:
        yield running


def pool(server, archive, script_url, path, **changed):
    """A pool as deploy/modules/pool.bicep describes it, with a metadata service of the test's own."""
    settings = {
        "ILASTIK_ARCHIVE": ARCHIVE,
        "ILASTIK_SHA256": hashlib.sha256(archive).hexdigest(),
        "ILASTIK_VERSION": "1.4.2",
        "TOOLS_URL": server.tools_url,
        "POOL_IDENTITY_CLIENT_ID": CLIENT_ID,
        "METADATA_URL": server.metadata_url,
        "PAUSE_SECONDS": "0",
        "TRIES": "1",
        "PATH": path,
        **changed,
    }
    return m.BatchPoolCreateOptions(
        id="ilastik-1-4-2",
        vm_size="standard_d4s_v5",
        target_dedicated_nodes=1,
        start_task=m.BatchStartTask(
            command_line="/bin/bash start_task.sh",
            resource_files=[
                m.ResourceFile(
                    http_url=script_url.replace("start_task.sh", name),
                    file_path=name,
                    file_mode="0755",
                    identity_reference=OURS,
                )
                for name in START_FILES
            ],
            environment_settings=[m.EnvironmentSetting(name=name, value=text) for name, text in settings.items()],
            max_task_retry_count=3,
            wait_for_success=True,
        ),
    )


async def node_in(client, state):
    async def look():
        return [node async for node in client.list_nodes("ilastik-1-4-2") if node.state == state]

    (node,) = await eventually(look, TASK_SECONDS)
    return node


def task(tools_url, image_url, project_url):
    """A task as the product describes it."""
    values = TaskEnvironment(
        nickname="cells",
        internal_path="",
        axes="",
        export_source="Simple Segmentation",
        image_name=NAME,
        image_etag='"0x8D"',
        image_length=(CELLS / "input.h5").stat().st_size,
        project_digest=hashlib.sha256((CELLS / "project.ilp").read_bytes()).hexdigest(),
        correlation_id="c",
        task_id="t",
        run=1,
        attempt=1,
        threads=1,
        ram_mb=1000,
    )
    return m.BatchTaskCreateOptions(
        id="t",
        command_line="/bin/bash task/run_task.sh",
        environment_settings=[m.EnvironmentSetting(name=name, value=text) for name, text in values.to_env().items()],
        resource_files=[
            m.ResourceFile(
                storage_container_url=tools_url, blob_prefix="task/", file_path=".", identity_reference=OURS
            ),
            m.ResourceFile(http_url=image_url, file_path=values.image_file, identity_reference=OURS),
            m.ResourceFile(http_url=project_url, file_path="project.ilp", identity_reference=OURS),
        ],
    )


async def read(client, name):
    return b"".join([chunk async for chunk in await client.download_task_file("j", "t", name)])


@pytest.mark.slow
async def test_a_node_installs_what_tasks_need_and_a_task_finds_it(service, containers, server, programs):
    """Storage that is away for a moment costs a retry, not the node. The manifest has the version of its ilastik."""
    tools, data = containers
    archive = server.blobs[ARCHIVE] = ilastik_archive()
    server.faults["blob"] = [503]
    path = f"{programs('nothing', '')}:{os.environ['PATH']}"
    async with service.client() as client:
        await client.create_pool(pool(server, archive, tools.get_blob_client("start_task.sh").url, path))
        node = await node_in(client, "idle")
        assert (node.start_task_info.exit_code, node.start_task_info.retry_count) == (0, 1)
        await client.create_job(m.BatchJobCreateOptions(id="j", pool_info=m.BatchPoolInfo(pool_id="ilastik-1-4-2")))
        image, project = (data.get_blob_client(name).url for name in (NAME, "project.ilp"))
        await client.create_task("j", task(tools.url, image, project))

        async def look():
            found = await client.get_task("j", "t")
            return found if found.state == "completed" else None

        done = await eventually(look, TASK_SECONDS)
        assert done.execution_info.exit_code == 0, await read(client, "stdout.txt")
        names = [file.name async for file in client.list_task_files("j", "t", recursive=True)]
        (name,) = [name for name in names if name.endswith("manifest.json")]
        manifest = Manifest.parse(await read(client, name))
        assert (manifest.ilastik_version, manifest.image.blob) == ("1.4.2", NAME)
        assert [output.path for output in manifest.tiffs] == ["cells.tiff"]


@pytest.mark.slow
async def test_a_node_without_ilastik_takes_no_task_and_says_why(service, containers, server, programs):
    """The exit code names the fault for whoever looks at the node."""
    tools, _ = containers
    path = f"{programs('nothing', '')}:{os.environ['PATH']}"
    wrong = pool(server, b"", tools.get_blob_client("start_task.sh").url, path, ILASTIK_ARCHIVE="ilastik/no.tar.bz2")
    async with service.client() as client:
        await client.create_pool(wrong)
        node = await node_in(client, "starttaskfailed")

        assert node.start_task_info.exit_code == 93
        chunks = await client.download_node_file("ilastik-1-4-2", node.id, "startup/stderr.txt")
        assert "There is no blob" in b"".join([chunk async for chunk in chunks]).decode()


def test_bicep_gives_the_start_task_what_it_needs():
    """The settings of the template are those of the script, in both directions."""
    template = (REPOSITORY / "deploy/modules/pool.bicep").read_text()
    script = (REPOSITORY / "deploy/pool/start_task.sh").read_text()
    given = {line.split("'")[1] for line in template.splitlines() if line.strip().startswith("{ name: '")}
    documented = script.split("# Given:")[1].split("# Optional:")[0]
    assert given == {word.strip(" ,(.\n#") for word in documented.split() if word.isupper() and "_" in word} - {
        "AZ_BATCH_NODE_SHARED_DIR"
    }, json.dumps(sorted(given))
