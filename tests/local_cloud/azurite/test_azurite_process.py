"""Azurite as a managed child process."""

import asyncio
import os
import signal
import socket
import sys
from pathlib import Path

import psutil
import pytest
from azure.core.exceptions import ResourceNotFoundError
from azure.data.tables.aio import TableServiceClient
from azure.storage.blob.aio import BlobServiceClient

from local_cloud.azurite.server import Azurite, AzuriteError, Ports
from tests.waiting import until

# Starts Azurite, stores a blob, tells the process id and dies without any cleaning up.
DIES = """
import asyncio, os, signal, sys
from pathlib import Path
from azure.storage.blob.aio import BlobServiceClient
from local_cloud.azurite.server import Azurite

async def main():
    azurite = await Azurite(Path(sys.argv[1])).start()
    async with BlobServiceClient.from_connection_string(azurite.connection_string) as blobs:
        container = await blobs.create_container("kept")
        await container.upload_blob("a", b"1")
        await container.close()
    print(azurite.pid, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""


async def test_what_was_stored_is_there_after_a_restart(tmp_path):
    """A stop saves everything, and the same folder brings it back, on ports of its own."""
    async with (
        Azurite(tmp_path) as azurite,
        BlobServiceClient.from_connection_string(azurite.connection_string) as blobs,
    ):
        container = await blobs.create_container("kept")
        await container.upload_blob("a b", b"1")
        await container.close()
    async with (
        Azurite(tmp_path) as azurite,
        BlobServiceClient.from_connection_string(azurite.connection_string) as blobs,
    ):
        assert await (await blobs.get_blob_client("kept", "a b").download_blob()).readall() == b"1"


async def test_a_read_has_the_etag_of_its_bytes(azurite, unique):
    """While a blob is appended to, nobody gets a part of it under the ETag of the whole."""
    async with BlobServiceClient.from_connection_string(azurite) as blobs:
        container = await blobs.create_container(unique("reads"))
        blob = container.get_blob_client("grows")
        await blob.create_append_blob()
        lengths = {(await blob.append_block(b"1"))["etag"]: 1}
        seen = []

        async def read():
            while len(lengths) < 40:
                part = await blob.download_blob(offset=0, length=1000)
                seen.append((part.properties.etag, len(await part.readall()), part.properties.size))

        async def append():
            while len(lengths) < 40:
                lengths[(await blob.append_block(b"1"))["etag"]] = len(lengths) + 1

        await asyncio.gather(append(), *(read() for _ in range(4)))
        assert len(seen) > 40
        assert [found for found in seen if found[1:] != (lengths[found[0]], lengths[found[0]])] == []


async def test_a_row_key_is_looked_up_in_its_own_partition(azurite, unique):
    """Rows of several partitions may share it."""
    async with TableServiceClient.from_connection_string(azurite) as tables:
        table = await tables.create_table(unique("rows"))
        for partition in ("a", "b"):
            await table.create_entity({"PartitionKey": partition, "RowKey": "1", "in": partition})
        for partition in ("a", "b"):
            assert (await table.get_entity(partition, "1"))["in"] == partition
        with pytest.raises(ResourceNotFoundError):
            await table.get_entity("c", "1")


async def test_it_ends_when_its_owner_is_killed(tmp_path):
    """SIGKILL of the owner ends Azurite too, and what was stored a moment before is kept."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", DIES, str(tmp_path), stdout=asyncio.subprocess.PIPE, cwd=Path(__file__).parents[3]
    )
    pid = int(await process.stdout.readline())
    assert await process.wait() == -signal.SIGKILL
    await until(lambda: not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    async with (
        Azurite(tmp_path) as azurite,
        BlobServiceClient.from_connection_string(azurite.connection_string) as blobs,
    ):
        assert await blobs.get_blob_client("kept", "a").exists()


async def test_a_taken_port_is_reported(tmp_path):
    """A port in use gives Azurite's own words, and no process stays."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        azurite = Azurite(tmp_path, ports=Ports(blob=taken.getsockname()[1]))
        with pytest.raises(AzuriteError, match="EADDRINUSE"):
            await azurite.start()
        with pytest.raises(AzuriteError, match="not been started"):
            _ = azurite.pid


async def test_missing_node_is_reported(tmp_path):
    """Without Node the sentence says what to install."""
    with pytest.raises(AzuriteError, match=r"needs Node\.js.*Install"):
        await Azurite(tmp_path, node="no-such-node").start()


async def test_missing_azurite_is_reported(tmp_path):
    """Without the npm package the sentence says which command brings it."""
    with pytest.raises(AzuriteError, match="make setup"):
        await Azurite(tmp_path, program=tmp_path / "none.js").start()


async def test_one_that_does_not_listen_is_ended(tmp_path):
    """A start that takes too long is an error with its last words, and the process is gone."""
    program = tmp_path / "hangs"  # in Node's place, which on a busy machine takes seconds to say a word
    program.write_text("#!/bin/sh\ntrap '' TERM\necho thinking\nread -r for_ever\n")
    program.chmod(0o755)
    azurite = Azurite(tmp_path / "data", node=str(program), start_seconds=1.0, stop_seconds=0.2)
    with pytest.raises(AzuriteError, match=r"within 1 s.*thinking"):
        await azurite.start()
    marker = str(program)
    alive = [child for child in psutil.Process().children() if child.status() != psutil.STATUS_ZOMBIE]
    assert not [child for child in alive if marker in " ".join(child.cmdline())]


async def test_its_owner_learns_of_its_death(tmp_path):
    """`wait` returns when Azurite ends by itself, and it can be started again."""
    azurite = await Azurite(tmp_path).start()
    waiting = asyncio.create_task(azurite.wait())
    os.kill(azurite.pid, signal.SIGKILL)
    async with asyncio.timeout(10):
        await waiting
    await azurite.start()
    await azurite.stop()
    await azurite.stop()
