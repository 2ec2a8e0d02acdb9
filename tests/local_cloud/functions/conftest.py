import asyncio
import base64
import contextlib
import json
import os
import signal
import sys
import uuid
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pytest_asyncio
from azure.core.exceptions import ResourceExistsError, ResourceNotFoundError
from azure.storage.blob.aio import BlobServiceClient
from azure.storage.queue.aio import QueueServiceClient
from multidict import CIMultiDictProxy
from yarl import URL

from tests.waiting import until

REPOSITORY = Path(__file__).parents[3]
APP = REPOSITORY / "tests/data/function_app"
KEY = "the master key of the host under test"


@dataclass
class Account:
    """Storage clients, and names of their own for one test."""

    connection_string: str
    word: str
    blobs: BlobServiceClient
    queues: QueueServiceClient

    async def put(self, queue: str, text: str, *, raw: bool = False) -> None:
        """Put a message, base64 as Event Grid does; the queue is made if needed."""
        client = self.queues.get_queue_client(queue)
        content = text if raw else base64.b64encode(text.encode()).decode()
        try:
            await client.send_message(content)
        except ResourceNotFoundError:
            with contextlib.suppress(ResourceExistsError):
                await client.create_queue()
            await client.send_message(content)

    async def count(self, queue: str) -> int:
        """Messages in the queue, visible or not; 0 when there is no such queue."""
        try:
            found = await self.queues.get_queue_client(queue).get_queue_properties()
        except ResourceNotFoundError:
            return 0
        return found.approximate_message_count or 0

    async def visible(self, queue: str) -> list[str]:
        """Texts of the visible messages as they are stored."""
        try:
            return [message.content for message in await self.queues.get_queue_client(queue).peek_messages(32)]
        except ResourceNotFoundError:
            return []


@pytest_asyncio.fixture
async def account(azurite):
    async with (
        BlobServiceClient.from_connection_string(azurite) as blobs,
        QueueServiceClient.from_connection_string(azurite) as queues,
    ):
        yield Account(azurite, uuid.uuid4().hex[:12], blobs, queues)


@dataclass
class HostProcess:
    """python -m local_cloud.functions as a child, and what it has printed so far."""

    process: asyncio.subprocess.Process
    lines: list[str] = field(default_factory=list)
    url: str = ""

    async def line(self, *parts: str, seconds: float = 20, count: int = 1) -> str:
        """Wait for a printed line (the count-th) that holds all parts."""
        with contextlib.suppress(TimeoutError):
            await until(lambda: len(self.matching(*parts)) >= count or self.process.returncode is not None, seconds)
        found = self.matching(*parts)
        assert len(found) >= count, f"no line with {parts}, but:\n" + "\n".join(self.lines[-30:])
        return found[count - 1]

    def matching(self, *parts: str) -> list[str]:
        return [line for line in self.lines if all(part in line for part in parts)]

    async def request(self, path: str, body: bytes | None = None) -> tuple[int, bytes]:
        method = "GET" if body is None else "POST"
        return await self.request_as({"x-functions-key": KEY}, method, path, body)

    async def request_as(
        self, headers: dict[str, str], method: str, path: str, body: bytes | None = None
    ) -> tuple[int, bytes]:
        """One request with these headers; its status and body."""
        status, _, content = await self.answer(headers, method, path, body)
        return status, content

    async def answer(
        self, headers: dict[str, str], method: str, path: str, body: bytes | None = None
    ) -> tuple[int, CIMultiDictProxy[str], bytes]:
        """One request with these headers, its path sent as it is; status, headers and body of the answer."""
        async with (
            aiohttp.ClientSession() as client,
            client.request(
                method, URL(self.url + path, encoded=True), data=body, headers=headers, allow_redirects=False
            ) as answer,
        ):
            return answer.status, answer.headers, await answer.read()

    async def end(self, number: int = signal.SIGTERM, seconds: float = 30) -> int:
        """Send the signal and wait for the end; the exit code."""
        if self.process.returncode is None:
            self.process.send_signal(number)
        return await self.ended(seconds)

    async def ended(self, seconds: float = 30) -> int:
        """Wait for the end; the exit code."""
        async with asyncio.timeout(seconds):
            return await self.process.wait()


@pytest_asyncio.fixture
async def start_host(account, tmp_path):
    """Starts hosts of the test app (or another one); ends what is left of them."""
    hosts: list[HostProcess] = []
    readers: list[asyncio.Task[None]] = []

    async def read(host: HostProcess) -> None:
        assert host.process.stdout is not None
        async for line in host.process.stdout:
            host.lines.append(line.decode().rstrip("\n"))

    async def start(*arguments: str, app: Path = APP, ready: bool = True, **values: str) -> HostProcess:
        settings = tmp_path / f"settings-{len(hosts)}.json"
        base = {
            "AzureWebJobsStorage": account.connection_string,
            "DATA": account.connection_string,
            "WORD": account.word,
            "TICK_SCHEDULE": "0 0 3 1 1 *",
        }
        settings.write_text(json.dumps({"IsEncrypted": False, "Values": {**base, **values}}))
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "local_cloud.functions", "--app", str(app), "--settings", str(settings)),
            *(
                "--port",
                "0",
                "--host-id",
                account.word,
                "--state",
                str(tmp_path / "state"),
                "--key-env",
                "KEY",
                *arguments,
            ),
            cwd=REPOSITORY,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env={name: os.environ[name] for name in os.environ.keys() - {"WORD", "DATA", "TICK_SCHEDULE"}}
            | {"KEY": KEY},
        )
        host = HostProcess(process)
        hosts.append(host)
        readers.append(asyncio.create_task(read(host)))
        if ready:
            host.url = (await host.line("listens on http://")).rsplit(" ", 1)[1]
        return host

    yield start
    for host in hosts:
        if host.process.returncode is None:
            host.process.kill()
        await host.process.wait()
    await asyncio.gather(*readers)
