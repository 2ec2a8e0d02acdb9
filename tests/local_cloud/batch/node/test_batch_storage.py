"""Resource files into tasks and output files out of them, against Azurite."""

import functools
from datetime import UTC, datetime, timedelta

import pytest
from azure.batch import models as m
from azure.storage.blob import ContainerSasPermissions, generate_container_sas
from azure.storage.blob.aio import BlobServiceClient

from tests.local_cloud.batch.running import nodes_in, running_service, shell, task_in

IDENTITY = "/subscriptions/s/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/pool"
OURS = m.BatchNodeIdentityReference(resource_id=IDENTITY.upper())
OTHER = m.BatchNodeIdentityReference(resource_id=IDENTITY + "-other")


@pytest.fixture
async def blobs(azurite):
    async with BlobServiceClient.from_connection_string(azurite) as connected:
        yield connected


@pytest.fixture
async def source(blobs, unique):
    return await blobs.create_container(unique("in"))


@pytest.fixture
async def target(blobs, unique):
    return await blobs.create_container(unique("out"))


@pytest.fixture
async def service(azurite):
    """A service whose nodes have the identity of the local storage account."""
    async with running_service(nodes=1, storage_connection_string=azurite, pool_identities=(IDENTITY,)) as running:
        yield running


def output(container, pattern, condition="taskcompletion", identity=OURS, **fields):
    place = m.OutputFileBlobContainerDestination(container_url=container, identity_reference=identity, **fields)
    return m.OutputFile(
        file_pattern=pattern,
        destination=m.OutputFileDestination(container=place),
        upload_options=m.OutputFileUploadConfiguration(upload_condition=condition),
    )


async def names(container):
    return [blob.name async for blob in container.list_blobs()]


@pytest.mark.shows(
    "BatchTaskCreateOptions.resourceFiles",
    "ResourceFile.httpUrl filePath fileMode identityReference",
    "BatchNodeIdentityReference.resourceId",
)
async def test_a_blob_arrives_under_its_path_and_mode(source, client):
    """A blob with an awkward name is downloaded with the identity, to the path and with the mode asked for."""
    name = "Zelle 'α' #1 50%/x.h5"
    await source.upload_blob(name, b"content")
    url = source.get_blob_client(name).url
    files = [
        m.ResourceFile(http_url=url, file_path="in/raw data.h5", file_mode="0640", identity_reference=OURS),
        m.ResourceFile(http_url=url, file_path="plain.h5", identity_reference=OURS),
    ]
    await client.run("t", shell("cat 'in/raw data.h5'; stat -c ' %a' 'in/raw data.h5' plain.h5"), resource_files=files)

    assert await client.text_of("t") == "content 640\n 770\n"


@pytest.mark.shows("ResourceFile.storageContainerUrl blobPrefix")
async def test_a_container_arrives_by_prefix(source, client):
    """All blobs of a container with a prefix arrive below the path, with their whole names."""
    for name in ("a/1.txt", "a/b/2.txt", "c.txt"):
        await source.upload_blob(name, b"x")
    everything = m.ResourceFile(storage_container_url=source.url, identity_reference=OURS)
    some = m.ResourceFile(storage_container_url=source.url, blob_prefix="a/", file_path="some", identity_reference=OURS)
    await client.run("t", shell("find . -type f | sort"), resource_files=[everything, some])

    assert (await client.text_of("t")).split() == [
        "./a/1.txt",
        "./a/b/2.txt",
        "./c.txt",
        "./some/a/1.txt",
        "./some/a/b/2.txt",
    ]


@pytest.mark.shows("BatchStartTask.resourceFiles")
async def test_a_start_task_has_resource_files(source, client):
    """Resource files of a start task are in its working directory."""
    await source.upload_blob("tool.sh", b"echo tool > $AZ_BATCH_NODE_SHARED_DIR/made")
    tool = m.ResourceFile(http_url=source.get_blob_client("tool.sh").url, file_path="tool.sh", identity_reference=OURS)
    start = m.BatchStartTask(command_line="/bin/sh tool.sh", resource_files=[tool])
    await client.create_pool(m.BatchPoolCreateOptions(id="p", vm_size="s", target_dedicated_nodes=1, start_task=start))
    await client.new_job(pool="p")
    await client.run("t", shell("cat $AZ_BATCH_NODE_SHARED_DIR/made $AZ_BATCH_NODE_STARTUP_DIR/wd/tool.sh"))

    assert (await client.text_of("t")).startswith("tool\necho tool")


@pytest.mark.parametrize(
    ("case", "code"),
    [
        ("missing blob", "BlobNotFound"),
        ("other identity", "BlobAccessDenied"),
        ("other account", "BlobAccessDenied"),
        ("no credential", "BlobAccessDenied"),
        ("missing container", "ResourceContainerNotFound"),
        ("container, other identity", "ResourceContainerAccessDenied"),
        ("nobody listens", "BlobDownloadMiscError"),
        ("folder in the way", "ResourceFileCreateFailed"),
    ],
)
async def test_a_resource_file_that_fails_names_why(source, client, case, code):
    """A task whose resource file can't be had fails with the reason, without exit code and without retry."""
    await source.upload_blob("x", b"x")
    url = source.get_blob_client("x").url
    by = functools.partial(m.ResourceFile, file_path="f", identity_reference=OURS)
    files = {
        "missing blob": [by(http_url=url + "y")],
        "other identity": [by(http_url=url, identity_reference=OTHER)],
        "other account": [by(http_url="https://other.blob.core.windows.net/c/x")],
        "no credential": [m.ResourceFile(http_url=url, file_path="f")],
        "missing container": [by(storage_container_url=source.url + "no")],
        "container, other identity": [by(storage_container_url=source.url, identity_reference=OTHER)],
        "nobody listens": [m.ResourceFile(http_url="http://127.0.0.1:9/x", file_path="f")],
        "folder in the way": [by(http_url=url, file_path="d/x"), by(http_url=url, file_path="d")],
    }[case]
    constraints = m.BatchTaskConstraints(max_task_retry_count=3)
    info = (await client.run("t", "true", resource_files=files, constraints=constraints)).execution_info

    assert (info.exit_code, info.retry_count, info.failure_info.code) == (None, 0, code)
    assert info.failure_info.category == "usererror"


@pytest.mark.shows(
    "BatchTaskCreateOptions.outputFiles",
    "OutputFile.filePattern destination uploadOptions",
    "OutputFileDestination.container",
    "OutputFileBlobContainerDestination.containerUrl path identityReference uploadHeaders",
    "OutputFileUploadHeader.name value",
)
async def test_output_files_keep_their_structure(target, client):
    """Matches of a pattern go below the path under their names after its fixed part; one file goes as the path."""
    headers = [
        m.OutputFileUploadHeader(name="x-ms-blob-content-type", value="image/tiff"),
        m.OutputFileUploadHeader(name="x-ms-meta-run", value="7"),
    ]
    outputs = [
        output(target.url, "out/**/*.tiff", path="t/1", upload_headers=headers),
        output(target.url, "../stdout.txt", path="t/log.txt"),
        output(target.url, "$AZ_BATCH_TASK_WORKING_DIR/one.txt"),
        output(target.url, "nothing-*.txt", path="t/none"),
    ]
    script = (
        "mkdir -p out/a/b; echo 1 > out/x.tiff; echo 2 > out/a/b/y.tiff; echo 3 > out/.z.tiff; echo > one.txt; echo ok"
    )
    info = (await client.run("t", shell(script), output_files=outputs)).execution_info

    assert (info.exit_code, info.result) == (0, "success")
    assert await names(target) == ["one.txt", "t/1/a/b/y.tiff", "t/1/x.tiff", "t/log.txt"]
    found = await target.get_blob_client("t/1/x.tiff").get_blob_properties()
    assert (found.content_settings.content_type, found.metadata) == ("image/tiff", {"run": "7"})
    # As with Batch, nobody has computed a digest of it.
    assert found.content_settings.content_md5 is None


@pytest.mark.shows("OutputFileUploadConfiguration.uploadCondition")
@pytest.mark.parametrize(("exit_code", "uploaded"), [(0, ["always", "on-success"]), (1, ["always", "on-failure"])])
async def test_the_upload_condition_decides(target, client, exit_code, uploaded):
    """taskcompletion uploads always, tasksuccess after exit code 0, taskfailure after any other."""
    outputs = [
        output(target.url, "f", condition, path=path)
        for condition, path in (
            ("taskcompletion", "always"),
            ("tasksuccess", "on-success"),
            ("taskfailure", "on-failure"),
        )
    ]
    await client.run("t", shell(f"touch f; exit {exit_code}"), output_files=outputs)

    assert await names(target) == uploaded


@pytest.mark.parametrize(
    ("case", "code"),
    [("missing container", "FileUploadContainerNotFound"), ("other identity", "FileUploadAccessDenied")],
)
async def test_a_failed_upload_fails_the_task(target, client, case, code):
    """A task that exits 0 but whose output can't be uploaded is a failure with exit code 0, not retried."""
    wrong = {
        "missing container": output(target.url + "no", "f"),
        "other identity": output(target.url, "f", identity=OTHER),
    }[case]
    limits = m.BatchTaskConstraints(max_task_retry_count=2)
    info = (await client.run("t", shell("touch f"), output_files=[wrong], constraints=limits)).execution_info

    assert (info.exit_code, info.result, info.retry_count) == (0, "failure", 0)
    assert info.failure_info.code == code


async def test_a_task_ended_by_request_still_sends_its_log(target, client):
    """Files that are uploaded on completion are so too when the task was ended."""
    limits = m.BatchTaskConstraints(max_wall_clock_time=timedelta(seconds=0.3))
    logs = output(target.url, "../std*.txt", path="logs")
    await client.run("t", shell("echo begun; sleep 600"), output_files=[logs], constraints=limits)

    assert await names(target) == ["logs/stderr.txt", "logs/stdout.txt"]


async def test_signatures_in_addresses_open_what_they_name(blobs, source, target, client):
    """Addresses with a shared access signature need no identity, for files, containers and outputs."""
    await source.upload_blob("a b", b"x")

    def signed(container):
        return generate_container_sas(
            blobs.account_name,
            container.container_name,
            account_key=blobs.credential.account_key,
            permission=ContainerSasPermissions(read=True, list=True, write=True, create=True),
            expiry=datetime.now(UTC) + timedelta(minutes=5),
        )

    files = [
        m.ResourceFile(http_url=f"{source.get_blob_client('a b').url}?{signed(source)}", file_path="one"),
        m.ResourceFile(storage_container_url=f"{source.url}?{signed(source)}", file_path="all"),
    ]
    out = output(f"{target.url}?{signed(target)}", "one", identity=None)
    assert (
        await client.run("t", shell("cat one 'all/a b'"), resource_files=files, output_files=[out])
    ).execution_info.result == "success"
    assert await names(target) == ["one"]


async def test_identities_are_granted_and_taken_away(source, service, client):
    """An identity opens storage from the moment it is granted until it is revoked."""
    await source.upload_blob("x", b"x")
    file = m.ResourceFile(http_url=source.get_blob_client("x").url, file_path="x", identity_reference=OTHER)

    async def result(task_id):
        return (await client.run(task_id, "true", resource_files=[file])).execution_info.result

    assert await result("before") == "failure"
    await service.local("POST", "identities", {"resourceId": OTHER.resource_id})
    assert OTHER.resource_id in (await service.local("GET", "identities"))["value"]
    assert await result("granted") == "success"
    await service.local("DELETE", "identities", {"resourceId": OTHER.resource_id})
    assert await result("revoked") == "failure"


async def test_uploads_can_be_made_to_fail(target, service, client):
    """An armed upload failure fails the task that meets it, with the code it was given."""
    await service.local("POST", "pools/ilastik/faults", {"upload": 1, "uploadCode": "FileUploadTimedOut"})
    outputs = [output(target.url, "*.txt")]
    info = (await client.run("t", shell("touch a.txt"), output_files=outputs)).execution_info

    assert (info.exit_code, info.failure_info.code) == (0, "FileUploadTimedOut")
    assert (await client.run("u", shell("touch a.txt"), output_files=outputs)).execution_info.result == "success"


async def test_a_node_can_be_lost_in_an_upload(target, service, client):
    """A node lost in the middle of its upload leaves some files in storage and its task to run again."""
    await service.local("POST", "pools/ilastik/faults", {"loseDuringUpload": 1})
    await client.new_task("t", shell("touch a.txt b.txt c.txt"), output_files=[output(target.url, "*.txt")])

    (lost,) = await nodes_in(client, "unusable", pool="ilastik")
    assert (await task_in(client, "active")).execution_info.requeue_count == 1
    assert await names(target) == ["a.txt"]

    await service.local("POST", f"pools/ilastik/nodes/{lost.id}/restore")
    assert (await client.finished("t")).execution_info.result == "success"
    assert await names(target) == ["a.txt", "b.txt", "c.txt"]
