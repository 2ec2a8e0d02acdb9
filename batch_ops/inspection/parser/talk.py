"""The dialogue with one parser process over its socket: sends a job, answers requests for ranges, reads findings."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from attrs import define, field

from batch_ops.domain.errors import IlastikBatchError
from batch_ops.inspection.parser.fork_server import DONE, LENGTH, MAX_FINDINGS_BYTES, RANGE, REQUEST

Fetch = Callable[[int, int], Awaitable[bytes]]


class Broken(IlastikBatchError):
    """The connection to a parser broke off, or it sent something invalid."""


@define(eq=False)
class Talk:
    """One parser. `end` gets its wait status; `files` counts the files it parsed successfully."""

    number: int
    _reader: asyncio.StreamReader
    _writer: asyncio.StreamWriter
    end: asyncio.Future[int | None]
    files: int = field(default=0, init=False)

    async def ask(
        self, job: Mapping[str, Any], head: bytes, fetch: Fetch, most: int = MAX_FINDINGS_BYTES
    ) -> dict[str, Any]:
        """Ask for the findings about one file, of at most so many bytes. Raises `Broken`, and errors of `fetch`."""
        text = json.dumps(dict(job)).encode()
        self._writer.write(LENGTH.pack(len(text)) + text + LENGTH.pack(len(head)) + head)
        while True:
            kind = await self._read(1)
            if kind == REQUEST:
                offset, length = RANGE.unpack(await self._read(RANGE.size))
                self._writer.write(await fetch(offset, length))
            elif kind == DONE:
                (size,) = LENGTH.unpack(await self._read(LENGTH.size))
                if size > most:
                    raise Broken
                findings = _findings(await self._read(size))
                self.files += 1
                return findings
            else:
                raise Broken

    async def _read(self, length: int) -> bytes:
        try:
            return await self._reader.readexactly(length)
        except (asyncio.IncompleteReadError, ConnectionError) as exc:
            raise Broken from exc

    def close(self) -> None:
        """Close the socket, which ends the parser."""
        self._writer.close()


def _findings(data: bytes) -> dict[str, Any]:
    try:
        findings = json.loads(data)
    except (ValueError, RecursionError) as exc:
        raise Broken from exc
    if not isinstance(findings, dict):
        raise Broken
    return findings


def once(fetch: Fetch) -> Fetch:
    """Fetch each range only once."""
    seen: dict[tuple[int, int], bytes] = {}

    async def remembered(offset: int, length: int) -> bytes:
        if (offset, length) not in seen:
            seen[offset, length] = await fetch(offset, length)
        return seen[offset, length]

    return remembered
