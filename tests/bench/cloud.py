"""The services that a benchmark needs, with latency and counters: Azurite, the Batch service, a function host.

A scan of a table is refused there (see `local_cloud/azurite/latency.cjs`).
"""

import asyncio
import http.client
import json
import os
import sys
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import psutil
from azure.batch import BatchClient
from azure.core.credentials import AzureNamedKeyCredential

from local_cloud.azurite.server import Azurite
from local_cloud.cloud.provision import provision_storage
from local_cloud.cloud.services import Program, ProgramPart
from tests.acceptance.lab import h5
from tests.bench.measure import cpu_seconds, spent

REPOSITORY = Path(__file__).resolve().parents[2]
IDENTITY = "/subscriptions/s/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/pool"
BATCH_PORT, HOST_PORT = 10930, 10931
BATCH_URL = f"http://127.0.0.1:{BATCH_PORT}"
BATCH_KEY = "YmVuY2htYXJrYmVuY2htYXJrYmVuY2htYXJrYmVuY2g="


@dataclass(slots=True)
class Cost:
    """What a piece of work took: seconds, CPU seconds by process, requests."""

    seconds: float = 0.0
    cpu: dict[str, float] = field(default_factory=dict)
    calls: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class BenchCloud:
    """Where the services are, what was asked of them so far, and what that cost."""

    settings: dict[str, str]
    azurite: Azurite
    tally: Path
    folder: Path

    async def calls(self) -> Counter[str]:
        """Requests so far as `service METHOD kind container` or `batch METHOD operation`, and `table entities`."""
        services = {urlsplit(getattr(self.azurite.endpoints, name)).port: name for name in ("blob", "queue", "table")}
        found: Counter[str] = Counter()
        for key, count in (await tallied(self.tally)).items():
            port, _, rest = key.partition(" ")
            found[f"{services[int(port)]} {rest}"] += count
        for operation, count in (await asyncio.to_thread(_batch_calls)).items():
            found[f"batch {operation}"] += count
        return found

    def cpu(self) -> dict[str, float]:
        """CPU seconds so far by process; the parsers' stand apart from the function host's."""
        used = {"Azurite": 0.0, "the Batch service": 0.0, "the function host": 0.0, "its HDF5 parsers": 0.0}
        for process in psutil.Process().children():
            command = " ".join(process.cmdline()) if process.status() != psutil.STATUS_ZOMBIE else ""
            if "local_cloud.functions" in command:
                used["the function host"] += cpu_seconds(process)
                used["its HDF5 parsers"] += sum(cpu_seconds(child, with_children=True) for child in process.children())
            elif "local_cloud.batch" in command:
                used["the Batch service"] += cpu_seconds(process)
            elif process.pid == self.azurite.pid:
                used["Azurite"] += cpu_seconds(process)
        return used

    @asynccontextmanager
    async def cost(self) -> AsyncIterator[Cost]:
        """Measure what happens inside; the figures are there at its end."""
        found = Cost()
        calls, cpu = await self.calls(), self.cpu()
        with spent() as time:
            yield found
        found.seconds = time.wall
        found.cpu = {name: used - cpu[name] for name, used in self.cpu().items()}
        found.calls = await self.calls() - calls

    def host(self, **settings: str) -> ProgramPart:
        """A function host over these services; not started."""
        file = self.folder / "local.settings.json"
        file.write_text(json.dumps({"IsEncrypted": False, "Values": self.settings | settings}))
        command = (sys.executable, "-m", "local_cloud.functions", "--app", str(REPOSITORY), "--settings", str(file))
        return ProgramPart(
            Program(
                name="The function host",
                command=(*command, "--port", str(HOST_PORT), "--state", str(self.folder / "host")),
                log=self.folder / "host.log",
                ready_url=f"http://127.0.0.1:{HOST_PORT}",
            )
        )


@asynccontextmanager
async def bench_cloud(latency_ms: int, *, nodes: int = 0) -> AsyncIterator[BenchCloud]:
    """Azurite and the Batch service with added latency; containers, queues and tables are made.

    Azurite keeps all in memory: else it stands still every five seconds to write down everything it has.
    """
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        tally = folder / "calls.json"
        azurite = await stack.enter_async_context(
            Azurite(folder / "azurite", latency_ms=latency_ms, tally=tally, keep=False)
        )
        os.environ["BENCH_STORAGE"] = azurite.connection_string
        os.environ["BENCH_BATCH_KEY"] = BATCH_KEY
        command = (sys.executable, "-m", "local_cloud.batch", "--port", str(BATCH_PORT), "--nodes", str(nodes))
        batch = ProgramPart(
            Program(
                name="The Batch service",
                command=(
                    *command,
                    *("--latency-ms", str(latency_ms), "--key-env", "BENCH_BATCH_KEY", "--account", "bench"),
                    *("--storage-connection-string-env", "BENCH_STORAGE", "--pool-identity", IDENTITY),
                ),
                log=folder / "batch.log",
                ready_url=BATCH_URL,
            )
        )
        stack.push_async_callback(batch.stop)
        await batch.start()
        await asyncio.to_thread(provision_storage, azurite.connection_string, ())
        settings = {
            "AzureWebJobsStorage": azurite.connection_string,
            "DATA_STORAGE": azurite.connection_string,
            "BATCH_ACCOUNT_ENDPOINT": BATCH_URL,
            "BATCH_ACCOUNT_NAME": "bench",
            "BATCH_ACCOUNT_KEY": BATCH_KEY,
            "BATCH_POOL_ID": "ilastik",
            "BATCH_POOL_IDENTITY": IDENTITY,
            "BLOB_CREATED_QUEUE": "blob-created",
            "COLLECT_QUEUE": "collect",
            "RECONCILE_SCHEDULE": "0 0 0 1 1 *",
        }
        yield BenchCloud(settings, azurite, tally, folder)


async def tallied(tally: Path) -> Counter[str]:
    """Azurite's requests so far, as it writes them down once a second."""
    await asyncio.sleep(1.2)
    return await asyncio.to_thread(lambda: Counter(json.loads(tally.read_text() if tally.exists() else "{}")))


def batch_client() -> BatchClient:
    """The SDK's client of the Batch service."""
    return BatchClient(BATCH_URL, AzureNamedKeyCredential("bench", BATCH_KEY))


def small_image() -> bytes:
    """A tagged volume of a few kilobytes that the sample project accepts."""
    with tempfile.TemporaryDirectory() as folder:
        return h5(Path(folder) / "small.h5", shape=(2, 16, 16, 16, 1)).read_bytes()


async def gathered[T](work: Callable[[T], object], items: list[T], at_once: int) -> None:
    """Run a coroutine function over all items, so many at a time."""
    queue = iter(items)

    async def worker() -> None:
        for item in queue:
            await work(item)  # type: ignore[misc]  # a coroutine function, which Callable[..., object] hides

    await asyncio.gather(*(worker() for _ in range(at_once)))


def _batch_calls() -> dict[str, int]:
    connection = http.client.HTTPConnection("127.0.0.1", BATCH_PORT, timeout=60)
    try:
        connection.request("GET", "/_local/calls", headers={"x-local-key": BATCH_KEY})
        calls: dict[str, int] = json.loads(connection.getresponse().read())["calls"]
    finally:
        connection.close()
    return calls
