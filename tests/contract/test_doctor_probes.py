"""The doctor's probes against Azurite and the local Batch service: what they see, and that nothing of them stays."""

from datetime import UTC, datetime, timedelta

import pytest
from azure.batch import models
from azure.data.tables.aio import TableServiceClient
from azure.storage.blob import AccountSasPermissions, ResourceTypes, generate_account_sas
from azure.storage.blob.aio import BlobServiceClient
from azure.storage.queue.aio import QueueServiceClient

from batch_ops.doctor.batch_probes import BatchProbes
from batch_ops.doctor.storage_access import Act, Ask, Came, Kind
from batch_ops.doctor.storage_probes import StorageProbes
from tests.local_cloud.batch.running import eventually, running_service, shell


@pytest.fixture
async def storage(azurite):
    async with (
        BlobServiceClient.from_connection_string(azurite) as blobs,
        QueueServiceClient.from_connection_string(azurite) as queues,
        TableServiceClient.from_connection_string(azurite) as tables,
    ):
        yield StorageProbes(blobs, queues, tables)


@pytest.fixture
async def place(storage, unique):
    """A name that a container, a queue and a table have."""
    name = unique("doctor")
    await storage.blobs.create_container(name)
    await storage.queues.create_queue(name)
    await storage.tables.create_table(name)
    return name


async def test_every_probe_succeeds_and_leaves_nothing(storage, place):
    """Reading and writing of each kind; afterwards container, queue and table are as they were."""
    asks = [Ask(kind, place, act) for kind in Kind for act in Act]
    answers = await storage.answers(asks)

    assert [answer.came for answer in answers] == [Came.DONE] * 6, answers
    assert [blob.name async for blob in storage.blobs.get_container_client(place).list_blobs()] == []
    queue = storage.queues.get_queue_client(place)
    assert (await queue.get_queue_properties()).approximate_message_count == 0
    assert [row async for row in storage.tables.get_table_client(place).list_entities()] == []


async def test_what_is_not_there_is_missing(storage, unique):
    """Not refused, and no other fault."""
    answers = await storage.answers([Ask(kind, unique("no"), act) for kind in Kind for act in Act])
    assert [answer.came for answer in answers] == [Came.MISSING] * 6, answers
    assert (await storage.queue(unique("no"), poison=True)).came is Came.MISSING
    assert await storage.first_names(unique("no"), 3) is None


async def test_a_refusal_is_a_refusal(storage, place):
    """With a signature for reading alone, as with a role for reading alone."""
    account = storage.blobs
    sas = generate_account_sas(
        account.account_name,
        account.credential.account_key,
        ResourceTypes(container=True, object=True),
        AccountSasPermissions(read=True, list=True),
        datetime.now(UTC) + timedelta(hours=1),
    )
    async with BlobServiceClient(account.url, credential=sas) as limited:
        reader = StorageProbes(limited, storage.queues, storage.tables)
        asks = [Ask(Kind.CONTAINER, place, act) for act in Act]
        assert [answer.came for answer in await reader.answers(asks)] == [Came.DONE, Came.REFUSED]


async def test_nobody_there_is_a_failure(storage, place):
    """A wrong address is neither missing nor refused."""
    text = "DefaultEndpointsProtocol=http;AccountName=a;AccountKey=YQ==;BlobEndpoint=http://127.0.0.1:9/a;"
    async with BlobServiceClient.from_connection_string(text, retry_total=0) as blobs:
        probes = StorageProbes(blobs, storage.queues, storage.tables)
        (answer,) = await probes.answers([Ask(Kind.CONTAINER, place, Act.READ)])
        assert answer.came is Came.FAILED


async def test_a_queue_tells_how_many_wait_and_since_when(storage, place):
    """The messages stay, and stay visible."""
    queue = storage.queues.get_queue_client(place)
    for text in ("one", "two"):
        await queue.send_message(text)
    sight = await storage.queue(place, poison=False)

    assert sight.count == 2
    assert timedelta() <= datetime.now(UTC) - sight.oldest < timedelta(minutes=5)
    assert len(await queue.peek_messages(5)) == 2


async def test_blobs_are_found(storage, place):
    """One by its name, the first of many by listing; a probe that another check makes just then is none of them."""
    for name in ("a", "b", "c", "doctor-probe-1"):
        await storage.blobs.get_blob_client(place, name).upload_blob(b"")
    assert await storage.has_blob(place, "b")
    assert not await storage.has_blob(place, "d")
    assert await storage.first_names(place, 2) == ["a", "b"]
    assert await storage.first_names(place, 9) == ["a", "b", "c"]


async def test_a_pool_is_seen_with_its_nodes_and_formula():
    """Its sizes, its image, how the formula is evaluated now, and what active jobs there are."""
    async with running_service() as service, service.client() as client:
        probes = BatchProbes(client)
        assert await probes.pool("p") is None
        await client.create_pool(
            models.BatchPoolCreateOptions(
                id="p",
                vm_size="standard_d4s_v5",
                virtual_machine_configuration=models.VirtualMachineConfiguration(
                    image_reference=models.BatchVmImageReference(
                        publisher="canonical", offer="ubuntu-24_04-lts", sku="server", version="latest"
                    ),
                    node_agent_sku_id="batch.node.ubuntu 24.04",
                ),
                enable_auto_scale=True,
                auto_scale_formula="$TargetDedicatedNodes=1;",
                task_slots_per_node=2,
            )
        )
        await client.create_job(models.BatchJobCreateOptions(id="j", pool_info=models.BatchPoolInfo(pool_id="p")))
        sight = await probes.pool("p")

        assert (sight.state, sight.image, sight.slots) == ("active", "canonical:ubuntu-24_04-lts:server", 2)
        assert "$TargetDedicatedNodes=1" in sight.scale_results
        assert sight.scale_error == ""
        assert await probes.active_jobs() == 1


async def test_a_node_whose_start_task_fails_is_seen_with_its_last_words():
    """Exit code, Batch's complaint, and the last line of stderr.txt."""
    async with running_service() as service, service.client() as client:
        start = models.BatchStartTask(command_line=shell("echo one >&2; echo There is no blob. >&2; exit 93"))
        await client.create_pool(
            models.BatchPoolCreateOptions(id="p", vm_size="s", target_dedicated_nodes=1, start_task=start)
        )
        probes = BatchProbes(client)

        async def failed():
            sight = await probes.pool("p")
            return [node for node in sight.nodes if node.state == "starttaskfailed"]

        (node,) = await eventually(failed)
        assert (node.start_exit_code, node.start_words) == (93, "There is no blob.")
        assert node.errors[0].startswith("FailureExitCode")
