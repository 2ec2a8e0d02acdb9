"""Is this image whole, harmless and right for its project? Checked before any machine is paid for.

A few ranged reads answer it, never the whole file. What the first bytes do not show is left to a parser in a separate
process (`parser/fork_server`), as the HDF5 library crashes and hangs on corrupt files; the ranges are fetched here,
asynchronously, so that many checks overlap and no parser ever sees a credential. `parser/entry` says why it is h5py.
"""

from __future__ import annotations

import asyncio
import itertools
import signal
from collections.abc import Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Self

from batch_ops.domain.errors import IlastikBatchError, ServiceFault
from batch_ops.domain.file_kinds import accepted
from batch_ops.domain.naming import project_of
from batch_ops.image.companion import has_companion
from batch_ops.image.dialects.tiff import MAGIC
from batch_ops.image.facts import CheckLimits, HasCompanion, ImageOptions, ProjectFacts, Refused, Unchecked, Verdict
from batch_ops.image.project_rules import judge_project
from batch_ops.image.readings import BadFindings, NoDataset, image_findings
from batch_ops.image.sentences import NAME_LENGTH, explain
from batch_ops.image.several import judge
from batch_ops.inspection import superblock as superblocks
from batch_ops.inspection.budget import BudgetedReader, BudgetSpent, InMemory, OutsideBlob
from batch_ops.inspection.parser.block_file import BLOCK_BYTES
from batch_ops.inspection.parser.process import PARSER, ForkServer, ParserDied
from batch_ops.ports.services import RangeReader
from batch_ops.task.plain_text import plain

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

CHECKS_PER_PARSER = 8
# How the library ends on a corrupt file. SIGPROF: its CPU time was up.
_FILE_IS_TO_BLAME = frozenset(
    {signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGPROF}
)
_NO_PARSER = (
    "The app can't check any file, as its parser does not start: that is a fault of the app, and none of this file; "
    "whoever runs this system has to mend it."
)
# All trees of a project are read, once for each of its versions; it may be hundreds of MB, with images inside.
_PROJECT_LIMITS = CheckLimits(
    max_reads=1_024,
    max_bytes=2**30,
    max_seconds=60.0,
    parser_cpu_seconds=20.0,
    parser_memory_bytes=256 * 2**20,
)
# Its trees lie close together, and its datasets are small.
_PROJECT_BLOCK_BYTES = 2**20


class _Cut(IlastikBatchError):
    """The check ends here, with this verdict."""

    def __init__(self, verdict: Refused | Unchecked) -> None:
        super().__init__(verdict.sentence)
        self.verdict = verdict


class ImageChecker:
    """Asynchronous context manager; one for the life of the function host serves any number of checks.

    `parsers` fork servers, each with a few checks at a time; they start with the first check, are replaced
    when they die, and end with the parent. `environment`: variables that the Python of the host needs to
    start (LD_LIBRARY_PATH on some), nothing else is passed on. `code`: what parses, as "module:function".
    """

    def __init__(self, *, parsers: int = 2, environment: Mapping[str, str] | None = None, code: str = PARSER) -> None:
        self._servers = [ForkServer(code, environment) for _ in range(parsers)]
        self._turn = itertools.cycle(self._servers)
        self._places = asyncio.Semaphore(parsers * CHECKS_PER_PARSER)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @property
    def pids(self) -> tuple[int, ...]:
        """The fork servers that run now; each leads a process group with its parsers."""
        return tuple(server.pid for server in self._servers if server.pid is not None)

    async def close(self) -> None:
        """End all processes; no check may be running."""
        for server in self._servers:
            await server.stop()

    async def check_image(
        self,
        name: str,
        reader: RangeReader,
        project: ProjectFacts,
        options: ImageOptions = ImageOptions(),  # noqa: B008 - a frozen value
        limits: CheckLimits = CheckLimits(),  # noqa: B008 - a frozen value
        *,
        head: bytes = b"",
    ) -> Verdict | HasCompanion:
        """Judge an image; `name` is only for the sentences.

        The first read is `read(0, 65536)` (or the whole of a smaller file), unless `head` - the first bytes,
        if the caller has them already - covers it. Errors of the reader are passed on.
        """
        blob = BudgetedReader(reader, limits, head)
        job = {
            "kind": "image",
            "internal_path": options.internal_path,
            "max_objects": limits.max_objects,
            "trained": project.trained_paths,
        }
        try:
            async with self._turn_within(name, limits):
                found = image_findings(await self._look_into(name, blob, job, limits, project_of(name)))
        except _Cut as cut:
            return cut.verdict
        except BadFindings:
            return _damaged(name)
        if options.asks_companion and not isinstance(found, NoDataset) and has_companion(found):
            return HasCompanion(found)
        if not isinstance(found, NoDataset):
            return judge(name, blob.size, found, project, options, limits)
        if found.kind == "too many":
            file = plain(name, NAME_LENGTH)
            return Unchecked(f"{file} was not checked completely: it holds too many groups and datasets.")
        return explain(name, found, options)

    async def inspect_project(
        self,
        name: str,
        source: RangeReader | bytes,
        limits: CheckLimits = _PROJECT_LIMITS,
        *,
        head: bytes = b"",
    ) -> ProjectFacts | Refused:
        """Find out what a project (.ilp) asks of its images, or why it can't be run.

        Raises `ServiceFault` where nobody can say so now: it must not be remembered as the project's fault.
        """
        blob = BudgetedReader(InMemory(source) if isinstance(source, bytes) else source, limits, head)
        try:
            async with self._turn_within(name, limits):
                job = {"kind": "project", "block_bytes": _PROJECT_BLOCK_BYTES}
                found = await self._look_into(name, blob, job, limits)
            if found.get("finding") == "project":
                return judge_project(name, found)
        except _Cut as cut:
            if isinstance(cut.verdict, Unchecked) and cut.verdict.passing:
                raise ServiceFault(cut.verdict.sentence) from cut
            return Refused(cut.verdict.sentence)
        except BadFindings:
            return _damaged(name)
        return explain(name, NoDataset("damaged", detail=str(found.get("detail", ""))), ImageOptions())

    @asynccontextmanager
    async def _turn_within(self, name: str, limits: CheckLimits) -> AsyncIterator[None]:
        """Wait for a free place among the running checks; then limit the time."""
        file = plain(name, NAME_LENGTH)
        async with self._places:
            deadline = asyncio.timeout(limits.max_seconds)
            try:
                async with deadline:
                    yield
            except BudgetSpent as spent:
                raise _Cut(Unchecked(f"{file} was not checked completely: {spent} were not enough.")) from spent
            except TimeoutError as late:
                if not deadline.expired():
                    raise
                sentence = f"{file} was not checked completely: {limits.max_seconds:g} seconds were not enough."
                raise _Cut(Unchecked(sentence, passing=True)) from late

    async def _look_into(
        self, name: str, blob: BudgetedReader, job: dict[str, Any], limits: CheckLimits, group: str | None = None
    ) -> dict[str, Any]:
        """Check signature and length here, and let a parser find everything else. Raises `_Cut`, `BudgetSpent`.

        Only files of one `group` ever share a parser: whoever may upload one of them may overwrite the others.
        """
        wanted = "the .ilp that ilastik saved" if job["kind"] == "project" else f"an image ({accepted()})"
        head = await _beginning(name, blob, wanted, MAGIC if job["kind"] == "image" else ())
        job |= {
            "size": blob.size,
            "cpu_seconds": limits.parser_cpu_seconds,
            # This ends a parser whose parent neither answers nor closes its socket.
            "wall_seconds": limits.max_seconds + 5,
            "memory_bytes": limits.parser_memory_bytes,
        }
        for _attempt in range(2):
            server = next(self._turn)
            try:
                return await server.run(job, head, blob.fetch, group)
            except ParserDied as died:
                if died.signal in _FILE_IS_TO_BLAME:
                    raise _Cut(_damaged(name)) from died
                if await server.failed_to_start():
                    raise ServiceFault(_NO_PARSER) from died
            except OutsideBlob as outside:
                raise _Cut(_damaged(name)) from outside
        sentence = f"{plain(name, NAME_LENGTH)} was not checked: the parser was stopped twice."
        raise _Cut(Unchecked(sentence, passing=True))


async def _beginning(name: str, blob: BudgetedReader, wanted: str, others: tuple[bytes, ...]) -> bytes:
    """Read the head of a complete HDF5 file, or of a file that begins with one of `others`. Raises `_Cut` for any else.

    `wanted`: what to upload instead of such a file.
    """
    file = plain(name, NAME_LENGTH)
    if blob.size == 0:
        raise _Cut(Refused(f"{file} is empty (0 bytes): nothing of it was uploaded; upload it again."))
    head = await blob.fetch(0, min(BLOCK_BYTES, blob.size))
    if head.startswith(others):
        return head
    start = await _superblock_bytes(blob, head)
    if start is None:
        seems = superblocks.looks_like(head)
        it_is_not = "is neither an HDF5 file nor a TIFF" if others else "is not an HDF5 file"
        raise _Cut(Refused(f"{file} {it_is_not}{f': it is {seems}' if seems else ''}; upload {wanted}."))
    try:
        superblock = superblocks.parse_superblock(*start)
    except superblocks.DamagedSuperblock:
        raise _Cut(_damaged(name)) from None
    if fault := superblocks.unfinished(superblock, blob.size):
        raise _Cut(Refused(f"{file} {fault}"))
    return head


async def _superblock_bytes(blob: BudgetedReader, head: bytes) -> tuple[bytes, int] | None:
    """Find the superblock's bytes and offset as the library does; None if there is none."""
    for offset in superblocks.signature_offsets(blob.size):
        end = min(offset + superblocks.MAX_SUPERBLOCK_BYTES, blob.size)
        data = head[offset:end] if end <= len(head) else await blob.fetch(offset, end - offset)
        if data.startswith(superblocks.SIGNATURE):
            return data, offset
    return None


def _damaged(name: str) -> Refused:
    return explain(name, NoDataset("damaged"), ImageOptions())
