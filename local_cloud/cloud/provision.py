"""Prepares a fresh cloud as deploy/ prepares one in Azure; everything may be there already."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path

from azure.core.exceptions import ResourceExistsError
from azure.data.tables import TableServiceClient
from azure.storage.blob import BlobServiceClient
from azure.storage.queue import QueueServiceClient

from local_cloud.cloud.errors import CloudError

CONTAINERS = ("input", "projects", "frozen", "staging", "results", "tools")
QUEUES = ("blob-created", "collect")
TABLES = ("files", "work")


@dataclass(frozen=True, slots=True)
class Tool:
    """A file of the repository and its blob in container `tools`."""

    path: Path
    blob: str


def task_tools(repository: Path) -> tuple[Tool, ...]:
    """What a node needs to run a task, under the names that deploy.sh gives them."""
    return (
        Tool(repository / "deploy/pool/run_task.sh", "task/run_task.sh"),
        Tool(repository / "deploy/pool/run_task.py", "task/run_task.py"),
        Tool(repository / "batch_ops/__init__.py", "task/batch_ops/__init__.py"),
        Tool(repository / "batch_ops/headless.py", "task/batch_ops/headless.py"),
        Tool(repository / "batch_ops/manifest.py", "task/batch_ops/manifest.py"),
    )


def provision_storage(connection: str, tools: tuple[Tool, ...]) -> None:
    """Create containers, queues and tables; upload the tools, which may be newer than the stored ones."""
    # No retries: the services are known to be ready, and a stop in mid-way must not wait for them.
    missing = [str(tool.path) for tool in tools if not tool.path.is_file()]
    if missing:
        raise CloudError(f"These files of the repository are missing: {', '.join(missing)}.")
    with (
        BlobServiceClient.from_connection_string(connection, retry_total=0) as blobs,
        QueueServiceClient.from_connection_string(connection, retry_total=0) as queues,
        TableServiceClient.from_connection_string(connection, retry_total=0) as tables,
    ):
        for container in CONTAINERS:
            with contextlib.suppress(ResourceExistsError):
                blobs.create_container(container)
        for queue in QUEUES:
            with contextlib.suppress(ResourceExistsError):
                queues.create_queue(queue)
        for table in TABLES:
            tables.create_table_if_not_exists(table)
        for tool in tools:
            blobs.get_blob_client("tools", tool.blob).upload_blob(tool.path.read_bytes(), overwrite=True)
