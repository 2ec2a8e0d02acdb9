"""Prepares a fresh cloud as deploy/ prepares one in Azure; everything may be there already."""

import contextlib
from dataclasses import dataclass
from pathlib import Path

from azure.batch import BatchClient
from azure.batch.models import (
    BatchPoolCreateOptions,
    BatchPoolResizeOptions,
    BatchStartTask,
    BatchVmImageReference,
    EnvironmentSetting,
    VirtualMachineConfiguration,
)
from azure.core.credentials import AzureNamedKeyCredential
from azure.core.exceptions import HttpResponseError, ResourceExistsError
from azure.data.tables import TableServiceClient
from azure.storage.blob import BlobServiceClient
from azure.storage.queue import QueueServiceClient

from local_cloud.cloud.errors import CloudError
from local_cloud.cloud.folder import CloudIdentity
from local_cloud.cloud.stack import POOL_ID, batch_endpoint

CONTAINERS = ("input", "projects", "frozen", "staging", "results", "tools", "dead-letter")
QUEUES = ("blob-created", "collect")
TABLES = ("files", "work")
_SECONDS_TO_RESIZE = 30
_TASK_TOOLS = "deploy/pool/task_tools.txt"


@dataclass(frozen=True, slots=True)
class Tool:
    """A file of the repository and its blob in container `tools`."""

    path: Path
    blob: str


def task_tools(repository: Path) -> tuple[Tool, ...]:
    """List what a node needs to run a task, by the list that deploy.sh uses, in the settings' default folder."""
    lines = (repository / _TASK_TOOLS).read_text(encoding="utf-8").splitlines()
    pairs = (line.split() for line in lines if line.strip() and not line.startswith("#"))
    return tuple(Tool(path, f"task/{name}") for pair in pairs for path, name in _files(repository, *pair))


def _files(repository: Path, path: str, name: str) -> list[tuple[Path, str]]:
    """Take the file, or the modules of a folder."""
    if not path.endswith("/"):
        return [(repository / path, name)]
    return [(module, name + module.name) for module in sorted((repository / path).iterdir()) if module.suffix == ".py"]


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


def ensure_pool(identity: CloudIdentity, wanted: BatchPoolCreateOptions) -> None:
    """Create the pool; one that is there already gets the wanted number of nodes."""
    with BatchClient(
        batch_endpoint(identity),
        AzureNamedKeyCredential(identity.batch_account, identity.batch_key),
        retry_total=0,
    ) as batch:
        try:
            batch.create_pool(wanted)
        except HttpResponseError as exc:
            if exc.error is None or exc.error.code != "PoolExists":
                raise CloudError(f"The pool could not be created: {exc}") from exc
            if batch.get_pool(POOL_ID).target_dedicated_nodes != wanted.target_dedicated_nodes:
                size = BatchPoolResizeOptions(target_dedicated_nodes=wanted.target_dedicated_nodes)
                batch.begin_resize_pool(POOL_ID, size).wait(_SECONDS_TO_RESIZE)


def pool(nodes: int, ilastik: Path, python: Path, engine: Path, tools: Path) -> BatchPoolCreateOptions:
    """Describe a fixed pool, one task slot a node; each node finds all four where Azure's start task installs them."""
    links = (
        'ln -sfn -- "$ILASTIK_HOME_TO_LINK" "$AZ_BATCH_NODE_SHARED_DIR/ilastik" && '
        'ln -sfn -- "$PYTHON_TO_LINK" "$AZ_BATCH_NODE_SHARED_DIR/python" && '
        'ln -sfn -- "$ENGINE_TO_LINK" "$AZ_BATCH_NODE_SHARED_DIR/engine" && '
        'ln -sfn -- "$TOOLS_TO_LINK" "$AZ_BATCH_NODE_SHARED_DIR/tools"'
    )
    return BatchPoolCreateOptions(
        id=POOL_ID,
        vm_size="STANDARD_D4S_V3",
        virtual_machine_configuration=VirtualMachineConfiguration(
            image_reference=BatchVmImageReference(
                publisher="canonical", offer="ubuntu-24_04-lts", sku="server", version="latest"
            ),
            node_agent_sku_id="batch.node.ubuntu 24.04",
        ),
        target_dedicated_nodes=nodes,
        task_slots_per_node=1,
        start_task=BatchStartTask(
            command_line=f"/bin/bash -c '{links}'",
            environment_settings=[
                EnvironmentSetting(name="ILASTIK_HOME_TO_LINK", value=str(ilastik)),
                EnvironmentSetting(name="PYTHON_TO_LINK", value=str(python)),
                EnvironmentSetting(name="ENGINE_TO_LINK", value=str(engine)),
                EnvironmentSetting(name="TOOLS_TO_LINK", value=str(tools)),
            ],
            wait_for_success=True,
        ),
    )
