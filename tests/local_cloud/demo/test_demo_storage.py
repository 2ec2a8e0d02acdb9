"""The demo's own storage client, and the provisioning of storage, against Azurite."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from azure.data.tables import TableServiceClient
from azure.storage.blob import BlobServiceClient
from azure.storage.queue import QueueServiceClient

from local_cloud.cloud.errors import CloudError
from local_cloud.cloud.provision import CONTAINERS, QUEUES, TABLES, Tool, provision_storage, task_tools
from local_cloud.demo.dropped import DroppedFile, FileState
from local_cloud.demo.storage import DemoStorage

REPOSITORY = Path(__file__).resolve().parents[3]


@pytest.fixture
def connection(azurite: str) -> Iterator[str]:
    """The shared Azurite, without what the cloud is provisioned with before and afterwards."""
    _clear(azurite)
    yield azurite
    _clear(azurite)


def _clear(connection: str) -> None:
    with (
        BlobServiceClient.from_connection_string(connection) as blobs,
        QueueServiceClient.from_connection_string(connection) as queues,
        TableServiceClient.from_connection_string(connection) as tables,
    ):
        for container in {found.name for found in blobs.list_containers()} & set(CONTAINERS):
            blobs.delete_container(container)
        for queue in {found.name for found in queues.list_queues()} & {*QUEUES, *(f"{name}-poison" for name in QUEUES)}:
            queues.delete_queue(queue)
        for table in TABLES:
            tables.delete_table(table)


async def test_provisioning_can_be_repeated(connection: str, tmp_path: Path) -> None:
    """Everything that exists is left; a changed tool replaces the stored one."""
    script = tmp_path / "run.sh"
    tools = (Tool(script, "task/run.sh"),)
    for text in ("old", "new"):
        script.write_text(text)
        await asyncio.to_thread(provision_storage, connection, tools)
    with BlobServiceClient.from_connection_string(connection) as blobs:
        assert {container.name for container in blobs.list_containers()} >= set(CONTAINERS)
        assert blobs.get_blob_client("tools", "task/run.sh").download_blob().readall() == b"new"


async def test_a_missing_tool_is_a_sentence(connection: str, tmp_path: Path) -> None:
    """An incomplete clone is named before anything is created."""
    with pytest.raises(CloudError, match=r"gone\.sh"):
        provision_storage(connection, (Tool(tmp_path / "gone.sh", "task/gone.sh"),))


def test_listed_tools_exist() -> None:
    """Each file that the list of task tools names is there, and the script that a task runs is among them."""
    tools = task_tools(REPOSITORY)
    assert [tool.path for tool in tools if not tool.path.is_file()] == []
    assert "task/run_task.sh" in {tool.blob for tool in tools}


async def test_rows_are_those_of_the_dropped_files(connection: str, tmp_path: Path) -> None:
    """Rows of runs and of other people's files are passed over; a file without a row has none."""
    await asyncio.to_thread(provision_storage, connection, ())
    with TableServiceClient.from_connection_string(connection) as tables:
        rows = tables.get_table_client("files")
        for key, name, more in (
            ("1", "demo/a.h5", {"is_file": True}),
            ("2", "demo/a.h5", {"is_file": False}),
            ("3", "demo/b.h5", {}),
            ("4", "other/a.h5", {"is_file": True}),
        ):
            rows.create_entity({"PartitionKey": "p", "RowKey": key, "name": name, "state": "RUNNING", **more})
    files = [DroppedFile(tmp_path, name, FileState.SUCCEEDED) for name in ("a.h5", "b.h5")]
    with DemoStorage(connection, "demo") as storage:
        found = storage.rows(files)
    assert {name: row.blob_name for name, row in found.items()} == {"a.h5": "demo/a.h5"}


async def test_a_classifier_is_found_whatever_its_file_is_called(connection: str, tmp_path: Path) -> None:
    """Images of the folder look for one name, and so does its configuration."""
    await asyncio.to_thread(provision_storage, connection, ())
    classifier, configuration = tmp_path / "MY TRAINING.ILP", tmp_path / "MY TRAINING.json"
    classifier.write_bytes(b"classifier")
    configuration.write_bytes(b"{}")
    with DemoStorage(connection, "demo") as storage:
        storage.upload_project(classifier, None)
        storage.upload_project(classifier, configuration)
    with BlobServiceClient.from_connection_string(connection) as blobs:
        found = {blob.name for blob in blobs.get_container_client("projects").list_blobs()}
    assert found == {"demo.ilp", "demo.json"}


async def test_results_land_below_the_file_s_name(connection: str, tmp_path: Path) -> None:
    """Only what lies in the file's own folder is saved: `a.h5x/...` is another's."""
    await asyncio.to_thread(provision_storage, connection, ())
    with BlobServiceClient.from_connection_string(connection) as blobs:
        for name in ("demo/a.h5/a0.tiff", "demo/a.h5/provenance.json", "demo/a.h5x/b.tiff"):
            blobs.get_blob_client("results", name).upload_blob(name.encode())
    with DemoStorage(connection, "demo") as storage:
        saved = storage.download_results(DroppedFile(tmp_path, "a.h5", FileState.SUCCEEDED), tmp_path / "out")
    assert [str(path.relative_to(tmp_path / "out")) for path in saved] == ["a.h5/a0.tiff", "a.h5/provenance.json"]


async def test_messages_that_failed_too_often_are_seen(connection: str) -> None:
    """What lies in a poison queue counts; no poison queue means nothing failed."""
    with DemoStorage(connection, "demo") as storage:
        assert storage.given_up() == 0
        with QueueServiceClient.from_connection_string(connection) as queues:
            queue = queues.create_queue("collect-poison")
            queue.send_message("x")
            queue.close()
        assert storage.given_up() == 1
