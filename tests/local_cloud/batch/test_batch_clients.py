"""Other ways to the service: the synchronous SDK, the command's options."""

import asyncio
import time
from typing import Any

from azure.batch import BatchClient, models
from azure.core.credentials import AzureNamedKeyCredential

from local_cloud.batch.cli import argument_parser, settings_from
from local_cloud.doors import new_key
from tests.local_cloud.batch.running import pool_with, running_service, shell


async def test_the_synchronous_client_works_as_well(service):
    """The synchronous SDK makes, lists, reads and removes, and its pollers come to an end."""

    def first_completed(client: BatchClient) -> models.BatchTask:
        deadline = time.monotonic() + 15
        while time.monotonic() < deadline:
            for task in client.list_tasks("j", filter="state eq 'completed'"):
                return task
        raise TimeoutError("no task was completed")

    def use() -> tuple[list[str], bytes]:
        with BatchClient(service.endpoint, AzureNamedKeyCredential(service.account, service.key)) as client:
            info = models.BatchPoolInfo(pool_id="ilastik")
            client.create_job(models.BatchJobCreateOptions(id="j", pool_info=info))
            tasks = [models.BatchTaskCreateOptions(id=f"t{n}", command_line="echo hi") for n in range(120)]
            assert len(client.create_tasks("j", tasks, max_concurrency=3).result_values or []) == 120
            names = [task.id for task in client.list_tasks("j", max_results=50)]
            done = first_completed(client)
            reason: Any = {"terminateReason": "done"}  # its model is private to the SDK
            client.begin_terminate_job("j", options=reason, polling_interval=0).result()
            text = b"".join(client.download_task_file("j", done.id, "stdout.txt"))
            client.begin_delete_job("j", polling_interval=0).result()
            return names, text

    names, text = await asyncio.to_thread(use)

    assert sorted(names) == sorted(f"t{n}" for n in range(120))
    assert text == b"hi\n"


async def test_readiness_and_latency():
    """/_local/ready answers at once; --latency-ms holds every other answer back."""
    async with running_service(latency=0.3) as service, service.raw() as raw:
        assert (await service.local("GET", "ready"))["ready"] is True
        loop = asyncio.get_running_loop()
        before = loop.time()
        assert (await raw.send("GET", "/pools")).status == 200
        assert loop.time() - before >= 0.3


async def test_requests_are_counted_by_operation():
    """A benchmark's figures are counts, refusals included; the service's own routes do not count."""
    async with running_service() as service, service.raw() as raw:
        for path in ("/jobs/a", "/jobs/b", "/pools"):
            await raw.send("GET", path)
        assert (await service.local("GET", "calls"))["calls"] == {"GET /jobs/{jobId}": 2, "GET /pools": 1}


async def test_a_nodes_image_sets_variables():
    """Variables of the node are seen by every task, which may set them anew."""
    environment = {"PATH": "/usr/bin:/bin", "ILASTIK_HOME": "/somewhere"}
    async with running_service(nodes=1, node_environment=environment) as service, service.client() as client:
        await client.new_task("t", shell("echo $ILASTIK_HOME $PATH"))
        own = [models.EnvironmentSetting(name="ILASTIK_HOME", value="mine")]
        await client.new_task("u", shell("echo $ILASTIK_HOME"), environment_settings=own)
        await client.finished("t")
        await client.finished("u")

        assert await client.text_of("t") == "/somewhere /usr/bin:/bin\n"
        assert await client.text_of("u") == "mine\n"


def test_options_become_settings(tmp_path):
    """The command's options and the environment they name become the service's settings."""
    options = [
        *("--port", "8100", "--nodes", "2", "--pool", "P", "--task-slots", "3", "--latency-ms", "250"),
        *("--account", "acct", "--key-env", "KEY", "--storage-connection-string-env", "STORE"),
        *("--pool-identity", "a", "--pool-identity", "b", "--node-env", "X=y=z", "--task-memory-mb", "100"),
        *("--node-start-seconds", "4"),
    ]

    key = new_key()
    settings = settings_from(argument_parser().parse_args(options), {"KEY": key, "STORE": "AccountName=x"}, tmp_path)

    assert (settings.port, settings.nodes, settings.pool, settings.task_slots) == (8100, 2, "P", 3)
    assert (settings.latency, settings.account, settings.key) == (0.25, "acct", key)
    assert settings.storage_connection_string == "AccountName=x"
    assert settings.pool_identities == ("a", "b")
    assert settings.node_environment["X"] == "y=z"
    assert settings.task_memory_bytes == 100 << 20
    assert settings.allocation_time + settings.boot_time == 4


async def test_the_default_pool_follows_its_option(tmp_path):
    """A restart with another number of nodes brings the default pool to it."""
    for count in (1, 3, 2):
        async with running_service(tmp_path, nodes=count) as service, service.client() as client:
            await pool_with(client, "ilastik", current_dedicated_nodes=count, allocation_state="steady")
