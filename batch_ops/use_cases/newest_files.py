"""Lists files by the time of their drop, the newest first, from the index: at any history one call for each 1,000.

Of a project whose index is not known to be complete, files are found by their rows, all of them, or by the worklist.
"""

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from datetime import datetime

from attrs import define

from batch_ops.concurrency import answers_of, for_all, in_order
from batch_ops.domain import naming
from batch_ops.domain.file_index import ENDED, Span, order_of, spans
from batch_ops.domain.file_record import FINAL, FileRecord, State
from batch_ops.ports.tables import FileIndex, IndexPage, Ledger, Worklist


@define(kw_only=True, eq=False)
class NewestFiles:
    """`states` empty: in any state. `since`: dropped then or later."""

    _ledger: Ledger
    _index: FileIndex
    _worklist: Worklist

    async def __call__(
        self, projects: Sequence[str], states: Collection[State] = (), since: datetime | None = None
    ) -> AsyncIterator[FileRecord]:
        """List the files of these projects, whose first pages are read side by side."""

        async def begin(project: str) -> AsyncIterator[FileRecord]:
            indexed = await self.indexed(project, states, since)
            return indexed or _listed(await self._scanned(project, states, since))

        async for record in in_order(await answers_of(projects, begin), order_of):
            yield record

    async def indexed(
        self, project: str, states: Collection[State] = (), since: datetime | None = None
    ) -> AsyncIterator[FileRecord] | None:
        """Return the files of a project by its index; None if that is not known to be complete."""
        parts = spans(states, since)
        firsts = await asyncio.gather(*(self._index.page(project, part) for part in parts))
        if not all(first.is_complete for first in firsts) and not await self._index.confirm(project):
            return None
        streams = [
            stream
            for part, first in zip(parts, firsts, strict=True)
            for stream in await self._streams(project, part, first)
        ]
        return _of(in_order(streams, order_of), states, since)

    async def _streams(self, project: str, part: Span, first: IndexPage) -> list[AsyncIterator[FileRecord]]:
        """Return a part's files in ascending order; what is open and what has ended are two such rows in one part."""
        opened = [record for record in first.files if not record.state.is_final]
        ended = [record for record in first.files if record.state.is_final]
        if ended or not first.following:
            return [_listed(opened), self._rest(project, part, IndexPage(ended, first.following))]
        if part.end <= ENDED:
            return [self._rest(project, part, first)]
        # More are open than a page holds: those that have ended need not wait for all of them to be read.
        later = Span(ENDED, part.end)
        return [
            self._rest(project, part, first, open_only=True),
            self._rest(project, later, await self._index.page(project, later)),
        ]

    async def _rest(
        self, project: str, part: Span, page: IndexPage, *, open_only: bool = False
    ) -> AsyncIterator[FileRecord]:
        while True:
            for record in page.files:
                if open_only and record.state.is_final:
                    return
                yield record
            if not page.following:
                return
            page = await self._index.page(project, part, page.following)

    async def _scanned(self, project: str, states: Collection[State], since: datetime | None) -> list[FileRecord]:
        if states and FINAL.isdisjoint(states):
            records = _listed(await self._open(project))
        else:
            records = self._ledger.files(project, states=states)
        return sorted([record async for record in _of(records, states, since)], key=order_of)

    async def _open(self, project: str) -> list[FileRecord]:
        names = {intent.name for intent in (await self._worklist.board()).open}
        found: list[FileRecord] = []

        async def look(name: str) -> None:
            if entry := await self._ledger.get(name):
                found.append(entry.record)

        await for_all([name for name in names if naming.project_of(name) == project], look)
        return found


async def _listed(records: Sequence[FileRecord]) -> AsyncIterator[FileRecord]:
    for record in records:
        yield record


async def _of(
    records: AsyncIterator[FileRecord], states: Collection[State], since: datetime | None
) -> AsyncIterator[FileRecord]:
    async for record in records:
        dropped = record.times.dropped_at
        if (not states or record.state in states) and (since is None or (dropped is not None and dropped >= since)):
            yield record
