"""The parent's side of the fork server: starts it, hands it jobs, answers the parsers' requests for ranges."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
from collections.abc import Mapping
from typing import Any

from batch_ops.domain.errors import IlastikBatchError
from batch_ops.inspection.parser.fork_server import MAX_FINDINGS_BYTES, NOT_CONFINED, NUMBER, STATUS
from batch_ops.inspection.parser.spawn import spawn
from batch_ops.inspection.parser.talk import Broken, Fetch, Talk, once
from batch_ops.task.plain_text import plain

log = logging.getLogger("batch_ops")
PARSER = "batch_ops.inspection.parser.entry:parse"
_UNFILTERED = "Images are parsed without a filter of system calls (%s): a hostile file may reach other processes."
_STATUS_SECONDS, _STOP_SECONDS = 1.0, 10.0
_FILES_A_PARSER = 16
_MOST_IDLE = 8
# Far more than a sound file needs; a slower one gets its full time in a separate process.
_HASTY_CPU_SECONDS = 0.1


class ParserDied(IlastikBatchError):
    """A parser ended without findings. `signal`: what ended it, None if it exited or the server died."""

    def __init__(self, ended_by: signal.Signals | None) -> None:
        super().__init__(f"the parser ended without findings ({ended_by.name if ended_by else 'exit'})")
        self.signal = ended_by


class ForkServer:
    """One server process; any number of jobs at a time. Started by the first job, again if it died."""

    def __init__(self, code: str = PARSER, environment: Mapping[str, str] | None = None) -> None:
        self._code = code
        self._environment = dict(environment or {})
        self._process: asyncio.subprocess.Process | None = None
        self._control: socket.socket | None = None
        self._reader: asyncio.Task[None] | None = None
        self._number = 0
        self._ends: dict[int, asyncio.Future[int | None]] = {}
        self._starting = asyncio.Lock()
        self._idle: list[tuple[str, Talk]] = []
        self._has_said = False
        self._has_worked = False

    @property
    def pid(self) -> int | None:
        """The server's process id while one is running."""
        return self._process.pid if self._process and self._control else None

    async def failed_to_start(self) -> bool:
        """Return whether the server ended by itself before it had any parser: it would always do so."""
        if self._has_worked or self._control is not None or (process := self._process) is None:
            return False
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), _STATUS_SECONDS)
        return (process.returncode or 0) > 0

    async def run(
        self,
        job: Mapping[str, Any],
        head: bytes,
        fetch: Fetch,
        group: str | None = None,
        most: int = MAX_FINDINGS_BYTES,
    ) -> dict[str, Any]:
        """Parse a file; `fetch(offset, length)` is awaited for the ranges that the parser needs.

        A few files of one `group` may be parsed by one process, as a fork costs ten times what parsing a small file
        does. It is trusted only while all goes well: if it finds anything but a sound dataset, ends or takes too long,
        a fresh process decides on the file.

        `most`: so many bytes of findings are taken.

        Raises `ParserDied`; an exception of `fetch` ends the parser and is passed on.
        """
        if (used := self._take(group)) is not None:
            fetch = once(fetch)
            with contextlib.suppress(Broken):
                hasty = {**job, "cpu_seconds": min(job["cpu_seconds"], _HASTY_CPU_SECONDS)}
                findings = await self._ask(used, group, hasty, head, fetch)
                if _is_sound(findings):
                    return findings
        return await self._ask(await self._open(), group, job, head, fetch, most)

    async def _ask(
        self,
        talk: Talk,
        group: str | None,
        job: Mapping[str, Any],
        head: bytes,
        fetch: Fetch,
        most: int = MAX_FINDINGS_BYTES,
    ) -> dict[str, Any]:
        kept = False
        try:
            findings = await talk.ask(job, head, fetch, most)
            self._has_worked = True
            if (lacking := findings.pop(NOT_CONFINED, "")) and not self._has_said:
                self._has_said = True
                log.warning(_UNFILTERED, plain(str(lacking)))
            if kept := group is not None and _is_sound(findings) and talk.files < _FILES_A_PARSER:
                self._keep(group or "", talk)
            return findings
        except Broken as exc:
            if talk.files:
                raise
            raise ParserDied(await self._cause(talk.end)) from exc
        finally:
            if not kept:
                self._close(talk)

    def _take(self, group: str | None) -> Talk | None:
        """Take an idle parser of the group."""
        index = next((index for index, (known, _) in enumerate(self._idle) if known == group), None)
        return None if index is None else self._idle.pop(index)[1]

    def _keep(self, group: str, talk: Talk) -> None:
        self._idle.append((group, talk))
        if len(self._idle) > _MOST_IDLE:
            self._close(self._idle.pop(0)[1])

    def _close(self, talk: Talk) -> None:
        self._ends.pop(talk.number, None)
        talk.close()

    async def _open(self) -> Talk:
        """Start a new parser."""
        try:
            await self._start()
        except OSError as exc:
            raise ParserDied(None) from exc
        self._number += 1
        number = self._number
        end: asyncio.Future[int | None] = asyncio.get_running_loop().create_future()
        self._ends[number] = end
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                self._send(number, theirs)
            return Talk(number, *await asyncio.open_connection(sock=ours), end)
        except OSError as exc:
            ours.close()
            self._ends.pop(number, None)
            if self._reader is not None:
                # The server is gone; once its end is noticed, the next job starts another.
                await asyncio.wait({self._reader}, timeout=_STATUS_SECONDS)
            raise ParserDied(None) from exc

    def _send(self, number: int, theirs: socket.socket) -> None:
        if self._control is None:
            raise ConnectionError
        socket.send_fds(self._control, [NUMBER.pack(number)], [theirs.fileno()])

    async def _cause(self, end: asyncio.Future[int | None]) -> signal.Signals | None:
        """Find the signal that ended a parser, from its wait status, which comes a moment after its socket's end."""
        with contextlib.suppress(TimeoutError):
            status = await asyncio.wait_for(end, _STATUS_SECONDS)
            if status is not None and os.WIFSIGNALED(status):
                return signal.Signals(os.WTERMSIG(status))
        return None

    async def _start(self) -> None:
        async with self._starting:
            if self._control is not None:
                return
            await self._reap()
            ours, theirs = socket.socketpair()
            try:
                with theirs:
                    self._process = await spawn(theirs.fileno(), self._code, self._environment)
            except BaseException:
                # A server that started all the same ends with this socket.
                ours.close()
                raise
            ours.setblocking(False)
            self._control = ours
            self._reader = asyncio.create_task(self._listen(ours))

    async def _listen(self, control: socket.socket) -> None:
        """Read wait statuses until the server is gone."""
        loop = asyncio.get_running_loop()
        pending = b""
        with contextlib.suppress(OSError):
            while data := await loop.sock_recv(control, 4096):
                pending += data
                while len(pending) >= STATUS.size:
                    number, status = STATUS.unpack_from(pending)
                    pending = pending[STATUS.size :]
                    self._settle(number, status)
        self._control = None
        control.close()
        for number in list(self._ends):
            self._settle(number, None)

    def _settle(self, number: int, status: int | None) -> None:
        self._has_worked |= status is not None  # what has ended had begun
        end = self._ends.get(number)
        if end is not None and not end.done():
            end.set_result(status)

    async def stop(self) -> None:
        """End the server and every parser of it."""
        while self._idle:
            self._close(self._idle.pop()[1])
        if self._reader is not None:
            self._reader.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._reader
            self._reader = None
        if self._control is not None:
            self._control.close()
            self._control = None
        await self._reap()

    async def _reap(self) -> None:
        if self._process is None:
            return
        if self._process.returncode is None:
            # The server leads its own session, so this reaches its parsers and nothing else.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
            await asyncio.wait_for(self._process.wait(), _STOP_SECONDS)
        self._process = None


def _is_sound(findings: Mapping[str, Any]) -> bool:
    return findings.get("finding") == "dataset"
