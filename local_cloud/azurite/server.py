"""Azurite, Microsoft's storage emulator, as a child process with an owner.

    async with Azurite(data) as azurite:
        BlobServiceClient.from_connection_string(azurite.connection_string)

It keeps its state in `data` and writes a journal of committed blobs to `azurite.journal` (see
`local_cloud.events`). It never outlives its owner: its standard input is a pipe that ends when the owner
does, and `guard.cjs`, loaded into the process, then makes it save and close. That needs no helper
process, works where there is no PR_SET_PDEATHSIG, and loses nothing that was stored.
"""

import asyncio
import contextlib
import os
import re
import shutil
import signal
from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path
from typing import Self

from local_cloud.doors import new_key

ACCOUNT = "devstoreaccount1"

_HERE = Path(__file__).parent
_LOCAL_CLOUD = _HERE.parent
_PROGRAM = _LOCAL_CLOUD / "node_modules/azurite/dist/src/azurite.js"
# Loaded into its process before it starts; each says what it does.
_PRELOADS = [
    *(_HERE / f"{name}.cjs" for name in ("guard", "latency", "cut", "removals", "lookups", "reads", "doors")),
    _LOCAL_CLOUD / "events/journal.cjs",
]
_LISTENS = re.compile(r"Azurite (Blob|Queue|Table) service is successfully listening at (http://\S+)")


class AzuriteError(Exception):
    """Azurite cannot run; the text is a sentence that says what to do."""


@dataclass(frozen=True, slots=True)
class Ports:
    """Where the three services listen; 0 is any free port."""

    blob: int = 0
    queue: int = 0
    table: int = 0


@dataclass(frozen=True, slots=True)
class Endpoints:
    """The account's URLs, without a slash at the end, and its key."""

    blob: str
    queue: str
    table: str
    key: str = field(repr=False)

    @classmethod
    def here(cls, blob: int, queue: int, table: int, key: str) -> "Endpoints":
        """Those of this machine's ports."""
        address = f"http://127.0.0.1:{{}}/{ACCOUNT}".format
        return cls(address(blob), address(queue), address(table), key)

    @property
    def connection_string(self) -> str:
        return (
            f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={self.key};"
            f"BlobEndpoint={self.blob};QueueEndpoint={self.queue};TableEndpoint={self.table};"
        )


@dataclass(slots=True)
class Azurite:
    """One Azurite process; `start` and `stop`, or an async context manager.

    `key` opens the account: by default one that nobody else knows, made anew for each process.
    `latency_ms` is added to every request; `tally` is a file in which requests are counted, each second.
    Without `keep` nothing is saved: it holds everything in memory, and forgets it.
    """

    data: Path
    _: KW_ONLY
    ports: Ports = Ports()
    key: str = field(default_factory=new_key, repr=False)
    start_seconds: float = 60.0
    stop_seconds: float = 15.0
    node: str = "node"
    program: Path = _PROGRAM
    latency_ms: int = 0
    tally: Path | None = None
    keep: bool = True
    _process: asyncio.subprocess.Process | None = field(default=None, init=False)
    _drain: asyncio.Task[None] | None = field(default=None, init=False)
    _endpoints: Endpoints | None = field(default=None, init=False)
    _said: list[str] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        self.data = self.data.resolve()

    @property
    def endpoints(self) -> Endpoints:
        if self._endpoints is None:
            raise AzuriteError("Azurite has not been started.")
        return self._endpoints

    @property
    def connection_string(self) -> str:
        return self.endpoints.connection_string

    @property
    def journal(self) -> Path:
        """The folder with the journal of committed blobs."""
        return self.data / "journal"

    @property
    def pid(self) -> int:
        if self._process is None:
            raise AzuriteError("Azurite has not been started.")
        return self._process.pid

    async def start(self) -> Self:
        """Return when all three services listen; what is left of an earlier start is ended first.

        Raises AzuriteError when Node or Azurite is missing, a port is taken, or it does not start in time.
        """
        node = shutil.which(self.node)
        if node is None:
            raise AzuriteError(
                f"Azurite needs Node.js, but no program '{self.node}' is on the PATH. "
                "Install Node.js 20 or newer (for example: apt install nodejs npm), then run 'make setup'."
            )
        if not self.program.is_file():
            raise AzuriteError(f"Azurite is not installed ({self.program} is missing). Run 'make setup'.")
        await self.stop()
        self.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._process = await asyncio.create_subprocess_exec(
            *self._command(node),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            cwd=self.data,
            env=os.environ | self._environment(),
            # Ctrl-C in a terminal goes to the whole group; who uses the storage must be able to end first.
            start_new_session=True,
            umask=0o077,
        )
        try:
            async with asyncio.timeout(self.start_seconds):
                self._endpoints = await self._listening(self._process)
        except TimeoutError:
            await self.stop()
            raise AzuriteError(
                f"Azurite did not listen within {self.start_seconds:g} s. It said: {self._words()}"
            ) from None
        except BaseException:
            await self.stop()
            raise
        self._drain = asyncio.create_task(self._listen_on(self._process))
        return self

    async def stop(self) -> None:
        """End it so that its data are saved; by force only when it does not end. Safe to call again."""
        process, self._process = self._process, None
        if process is None:
            return
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)
            try:
                async with asyncio.timeout(self.stop_seconds):
                    await process.wait()
            except TimeoutError:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
        if self._drain is not None:
            await self._drain
            self._drain = None
        if process.stdin is not None:
            process.stdin.close()

    async def wait(self) -> str:
        """Return when the process has ended by itself, with its last words: for an owner that keeps watch."""
        if self._process is not None:
            await self._process.wait()
        return self._words()

    async def __aenter__(self) -> Self:
        return await self.start()

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def _environment(self) -> dict[str, str]:
        return {
            "AZURITE_ACCOUNTS": f"{ACCOUNT}:{self.key}",
            "UPLOAD_JOURNAL": str(self.journal),
            "AZURITE_LATENCY_MS": str(self.latency_ms),
            "AZURITE_CALLS": str(self.tally or ""),
        }

    def _command(self, node: str) -> list[str]:
        return [
            node,
            *(word for preload in _PRELOADS for word in ("--require", str(preload))),
            str(self.program),
            *(("--location", str(self.data)) if self.keep else ("--inMemoryPersistence",)),
            *("--blobPort", str(self.ports.blob)),
            *("--queuePort", str(self.ports.queue)),
            *("--tablePort", str(self.ports.table)),
            *("--silent", "--disableTelemetry", "--skipApiVersionCheck", "--disableProductStyleUrl"),
        ]

    async def _listening(self, process: asyncio.subprocess.Process) -> Endpoints:
        """Read what it prints until it has named the address of each service."""
        assert process.stdout is not None
        found: dict[str, str] = {}
        while len(found) < 3:
            line = (await process.stdout.readline()).decode(errors="replace")
            if not line:
                await process.wait()
                raise AzuriteError(
                    f"Azurite ended with code {process.returncode} while it started. It said: {self._words()}"
                )
            self._hear(line)
            if match := _LISTENS.match(line):
                found[match[1].lower()] = f"{match[2]}/{ACCOUNT}"
        return Endpoints(**found, key=self.key)

    async def _listen_on(self, process: asyncio.subprocess.Process) -> None:
        """Keep its output pipe empty, else it would block once the pipe is full."""
        assert process.stdout is not None
        while line := await process.stdout.readline():
            self._hear(line.decode(errors="replace"))

    def _hear(self, line: str) -> None:
        self._said = [*self._said[-9:], line.strip()]

    def _words(self) -> str:
        return " | ".join(word for word in self._said if word) or "nothing"
