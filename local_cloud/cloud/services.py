"""A service of the cloud that is a program of its own: start it, wait until it answers, end it."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from local_cloud.cloud.errors import ServiceEndedError
from local_cloud.cloud.leash import die_with_parent

_PROBE_EVERY = 0.05  # seconds
_PROBE_SECONDS = 2.0
_LINES_OF_LOG_IN_A_MESSAGE = 8


@dataclass(frozen=True, slots=True)
class Program:
    """How to start a service, and how to see that it is ready: any HTTP answer below 500 at `ready_url`."""

    name: str
    command: tuple[str, ...]
    log: Path
    ready_url: str | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    seconds_to_start: float = 60.0
    seconds_to_stop: float = 10.0


class ProgramPart:
    """A `Program` as a part of the cloud, in a session of its own: the terminal's signals do not reach it."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._process: asyncio.subprocess.Process | None = None

    @property
    def name(self) -> str:
        return self._program.name

    async def start(self) -> None:
        program = self._program
        program.log.parent.mkdir(parents=True, exist_ok=True)
        with program.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *program.command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=asyncio.subprocess.STDOUT,
                env=os.environ | dict(program.env),
                start_new_session=True,
                preexec_fn=die_with_parent(),
            )
        try:
            async with asyncio.timeout(program.seconds_to_start):
                await self._ready(self._process)
        except TimeoutError:
            await self.stop()
            raise ServiceEndedError(
                f"{program.name} did not answer at {program.ready_url} within "
                f"{program.seconds_to_start:g} s. Its log is {program.log}."
            ) from None
        except BaseException:
            await self.stop()
            raise

    async def wait(self) -> str:
        if self._process is not None:
            await self._process.wait()
        return self._how_it_ended()

    async def stop(self) -> None:
        """Send SIGTERM, then SIGKILL to what is left of its process group."""
        process = self._process
        if process is None:
            return
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), self._program.seconds_to_stop)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()

    async def _ready(self, process: asyncio.subprocess.Process) -> None:
        url = self._program.ready_url
        while url is not None and not await answers(url):
            if process.returncode is not None:
                raise ServiceEndedError(self._how_it_ended())
            await asyncio.sleep(_PROBE_EVERY)

    def _how_it_ended(self) -> str:
        code = self._process.returncode if self._process is not None else None
        how = f"by signal {-code}" if code is not None and code < 0 else f"with exit code {code}"
        log = self._program.log
        lines = log.read_text(errors="replace").splitlines()[-_LINES_OF_LOG_IN_A_MESSAGE:]
        return "\n  ".join([f"{self.name} ended {how}. The end of its log, {log}:", *lines])


async def answers(url: str) -> bool:
    """Say whether an HTTP server gives this URL a status below 500."""
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(_PROBE_SECONDS)) as client,
            client.get(url, allow_redirects=False) as answer,
        ):
            return answer.status < 500
    except (aiohttp.ClientError, TimeoutError):
        return False
