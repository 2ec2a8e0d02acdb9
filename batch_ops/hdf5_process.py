"""The parent's side of the fork server: starts it, hands it jobs, answers the parsers' requests for ranges."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from batch_ops.hdf5_server import DONE, LENGTH, MAX_FINDINGS_BYTES, NUMBER, RANGE, REQUEST, STATUS

PARSER = "batch_ops.hdf5_parser:parse"
_STATUS_SECONDS = 1.0
_STOP_SECONDS = 10.0

Fetch = Callable[[int, int], Awaitable[bytes]]


class ParserDied(Exception):
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

    @property
    def pid(self) -> int | None:
        """The server's process id while one is running."""
        return self._process.pid if self._process and self._control else None

    async def run(self, job: Mapping[str, Any], head: bytes, fetch: Fetch) -> dict[str, Any]:
        """Have a file parsed; `fetch(offset, length)` is awaited for what the parser misses.

        Raises `ParserDied`; an exception of `fetch` ends the parser and is raised on.
        """
        await self._start()
        self._number += 1
        number = self._number
        end: asyncio.Future[int | None] = asyncio.get_running_loop().create_future()
        self._ends[number] = end
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                self._send(number, theirs)
            reader, writer = await asyncio.open_connection(sock=ours)
        except OSError as exc:
            ours.close()
            self._ends.pop(number, None)
            if self._reader is not None:
                # The server is gone; once its end is noticed, the next job starts another.
                await asyncio.wait({self._reader}, timeout=_STATUS_SECONDS)
            raise ParserDied(None) from exc
        try:
            text = json.dumps(dict(job)).encode()
            writer.write(LENGTH.pack(len(text)) + text + LENGTH.pack(len(head)) + head)
            return await _converse(reader, writer, fetch)
        except _Broken as exc:
            raise ParserDied(await self._cause(end)) from exc
        finally:
            self._ends.pop(number, None)
            writer.close()

    def _send(self, number: int, theirs: socket.socket) -> None:
        if self._control is None:
            raise ConnectionError
        socket.send_fds(self._control, [NUMBER.pack(number)], [theirs.fileno()])

    async def _cause(self, end: asyncio.Future[int | None]) -> signal.Signals | None:
        """The signal that ended a parser, from its wait status, which comes a moment after its socket's end."""
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
                    self._process = await self._spawn(theirs.fileno())
            except BaseException:
                # A server that came up all the same ends with this socket.
                ours.close()
                raise
            ours.setblocking(False)
            self._control = ours
            self._reader = asyncio.create_task(self._listen(ours))

    async def _spawn(self, control: int) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",
            "-m",
            "batch_ops.hdf5_server",
            str(control),
            self._code,
            env=self._child_environment(),
            pass_fds=[control],
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,
        )

    def _child_environment(self) -> dict[str, str]:
        """No credential, no proxy: the parent's import path, one thread, and no filter plugins from anywhere."""
        paths = [path or str(Path.cwd()) for path in sys.path]
        return {
            "PYTHONPATH": os.pathsep.join(paths),
            "PYTHONDONTWRITEBYTECODE": "1",
            "OPENBLAS_NUM_THREADS": "1",
            "OMP_NUM_THREADS": "1",
            "HDF5_PLUGIN_PRELOAD": "::",
            **self._environment,
        }

    async def _listen(self, control: socket.socket) -> None:
        """Take in the wait statuses until the server is gone."""
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
        end = self._ends.get(number)
        if end is not None and not end.done():
            end.set_result(status)

    async def stop(self) -> None:
        """End the server and every parser of it."""
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
            # The server leads a session of its own, so this reaches its parsers and nobody else.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
            await asyncio.wait_for(self._process.wait(), _STOP_SECONDS)
        self._process = None


class _Broken(Exception):
    """The conversation with a parser ended, or it said what no parser says."""


async def _converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, fetch: Fetch) -> dict[str, Any]:
    """Answer requests until the findings come. Raises `_Broken`; what `fetch` raises passes."""
    while True:
        kind = await _read(reader, 1)
        if kind == REQUEST:
            offset, length = RANGE.unpack(await _read(reader, RANGE.size))
            writer.write(await fetch(offset, length))
        elif kind == DONE:
            (size,) = LENGTH.unpack(await _read(reader, LENGTH.size))
            if size > MAX_FINDINGS_BYTES:
                raise _Broken
            return _findings(await _read(reader, size))
        else:
            raise _Broken


async def _read(reader: asyncio.StreamReader, length: int) -> bytes:
    try:
        return await reader.readexactly(length)
    except (asyncio.IncompleteReadError, ConnectionError) as exc:
        raise _Broken from exc


def _findings(data: bytes) -> dict[str, Any]:
    try:
        findings = json.loads(data)
    except ValueError as exc:
        raise _Broken from exc
    if not isinstance(findings, dict):
        raise _Broken
    return findings
