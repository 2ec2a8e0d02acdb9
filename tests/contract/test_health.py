"""What the doctor asks of Azurite and the local Batch service: what it sees, and that nothing of it stays."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from azure.batch import models
from azure.data.tables.aio import TableServiceClient
from azure.storage.blob import AccountSasPermissions, ResourceTypes, generate_account_sas
from azure.storage.blob.aio import BlobServiceClient
from azure.storage.queue.aio import QueueServiceClient

from batch_ops.adapters.batch_health import AzureBatchHealth
from batch_ops.adapters.storage_health import AzureStorageHealth
from batch_ops.domain.pool_status import ImageSupport
from batch_ops.ports.health import Access, AccessProbe, ProbeOutcome, Resource
from tests.local_cloud.batch.running import eventually, pool_of, running_service, shell


@dataclass(frozen=True)
class Account:
    """The clients of a storage account."""

    blobs: BlobServiceClient
    queues: QueueServiceClient
    tables: TableServiceClient

    @property
    def health(self) -> AzureStorageHealth:
        return AzureStorageHealth(self.blobs, self.queues, self.tables)


@pytest.fixture
async def account(azurite):
    async with (
        BlobServiceClient.from_connection_string(azurite) as blobs,
        QueueServiceClient.from_connection_string(azurite) as queues,
        TableServiceClient.from_connection_string(azurite) as tables,
    ):
        yield Account(blobs, queues, tables)


@pytest.fixture
async def place(account, unique):
    """A name that a container, a queue and a table have."""
    name = unique("doctor")
    await account.blobs.create_container(name)
    await account.queues.create_queue(name)
    await account.tables.create_table(name)
    return name


async def test_every_probe_succeeds_and_leaves_nothing(account, place):
    """Reading and writing of each resource; afterwards container, queue and table are as they were."""
    probes = [AccessProbe(resource, place, access) for resource in Resource for access in Access]
    results = await account.health.run(probes)

    assert [result.outcome for result in results] == [ProbeOutcome.DONE] * 6, results
    assert [blob.name async for blob in account.blobs.get_container_client(place).list_blobs()] == []
    queue = account.queues.get_queue_client(place)
    assert (await queue.get_queue_properties()).approximate_message_count == 0
    assert [row async for row in account.tables.get_table_client(place).list_entities()] == []


async def test_what_is_not_there_is_missing(account, unique):
    """Not refused, and no other fault."""
    results = await account.health.run(
        [AccessProbe(resource, unique("no"), access) for resource in Resource for access in Access]
    )
    assert [result.outcome for result in results] == [ProbeOutcome.MISSING] * 6, results
    assert (await account.health.queue(unique("no"), poison=True)).outcome is ProbeOutcome.MISSING


async def test_a_refusal_is_a_refusal(account, place):
    """With a signature for reading alone, as with a role for reading alone."""
    service = account.blobs
    sas = generate_account_sas(
        service.account_name,
        service.credential.account_key,
        ResourceTypes(container=True, object=True),
        AccountSasPermissions(read=True, list=True),
        datetime.now(UTC) + timedelta(hours=1),
    )
    async with BlobServiceClient(service.url, credential=sas) as limited:
        reader = AzureStorageHealth(limited, account.queues, account.tables)
        probes = [AccessProbe(Resource.CONTAINER, place, access) for access in Access]
        assert [result.outcome for result in await reader.run(probes)] == [ProbeOutcome.DONE, ProbeOutcome.REFUSED]


async def test_nobody_there_is_a_failure(account, place):
    """A wrong address is neither missing nor refused."""
    text = "DefaultEndpointsProtocol=http;AccountName=a;AccountKey=YQ==;BlobEndpoint=http://127.0.0.1:9/a;"
    async with BlobServiceClient.from_connection_string(text, retry_total=0) as blobs:
        unreachable = AzureStorageHealth(blobs, account.queues, account.tables)
        (result,) = await unreachable.run([AccessProbe(Resource.CONTAINER, place, Access.READ)])
        assert result.outcome is ProbeOutcome.FAILED


async def test_a_queue_tells_how_many_wait_and_since_when(account, place):
    """The messages stay, and stay visible."""
    queue = account.queues.get_queue_client(place)
    for text in ("one", "two"):
        await queue.send_message(text)
    status = await account.health.queue(place, poison=False)

    assert status.count == 2
    assert timedelta() <= datetime.now(UTC) - status.oldest < timedelta(minutes=5)
    assert len(await queue.peek_messages(5)) == 2


def machine(ubuntu: str, **image: str) -> models.VirtualMachineConfiguration:
    """What the nodes of a pool are made of."""
    return models.VirtualMachineConfiguration(
        image_reference=models.BatchVmImageReference(**image), node_agent_sku_id=f"batch.node.ubuntu {ubuntu}"
    )


async def test_a_pool_is_seen_with_its_nodes_and_formula():
    """Its sizes, its image, how the formula is evaluated now, and what active jobs there are."""
    async with running_service() as service, service.client() as client:
        health = AzureBatchHealth(client)
        assert await health.pool("p") is None
        scaled: dict[str, Any] = {"enable_auto_scale": True, "auto_scale_formula": "$TargetDedicatedNodes=1;"}
        image = machine("24.04", publisher="canonical", offer="ubuntu-24_04-lts", sku="server", version="latest")
        await client.create_pool(pool_of(virtual_machine_configuration=image, task_slots_per_node=2, **scaled))
        await client.new_job(pool="p")
        status = await health.pool("p")

        assert (status.state, status.image, status.slots) == ("active", "canonical:ubuntu-24_04-lts:server", 2)
        assert "$TargetDedicatedNodes=1" in status.scale_results
        assert status.scale_error == ""
        assert (status.image_support, status.image_end) == (ImageSupport.LISTED, None)
        assert await health.active_jobs() == 1


async def test_an_image_that_batch_does_not_serve_is_noticed():
    """Of an image of one's own nothing is known."""
    name = {"publisher": "canonical", "offer": "0001-com-ubuntu-server-focal", "sku": "20_04-lts", "version": "latest"}
    own = {"virtual_machine_image_id": "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/images/own"}
    async with running_service() as service, service.client() as client:
        for pool, image, support in (("p", name, ImageSupport.NOT_LISTED), ("q", own, ImageSupport.UNKNOWN)):
            vm = machine("20.04", **image)
            await client.create_pool(pool_of(pool, virtual_machine_configuration=vm, target_dedicated_nodes=0))
            assert (await AzureBatchHealth(client).pool(pool)).image_support is support


async def test_a_node_whose_start_task_fails_is_seen_with_its_last_words():
    """Exit code, Batch's complaint, and the last line of stderr.txt."""
    async with running_service() as service, service.client() as client:
        start = models.BatchStartTask(command_line=shell("echo one >&2; echo There is no blob. >&2; exit 93"))
        await client.create_pool(pool_of(start_task=start))
        health = AzureBatchHealth(client)

        async def failed():
            status = await health.pool("p")
            return [node for node in status.nodes if node.state == "starttaskfailed"]

        (node,) = await eventually(failed)
        assert (node.start_exit_code, node.start_error) == (93, "There is no blob.")
        assert node.errors[0].startswith("FailureExitCode")
