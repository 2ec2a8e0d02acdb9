"""A page of the files, for people who look: the newest first, or by name where the beginning of a name is asked for.

With a project chosen this takes two calls of the table at any history: one for what is open, one for what has ended.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass

from attrs import define

from batch_ops.concurrency import answers_of
from batch_ops.domain import naming
from batch_ops.domain.file_index import Span, order_of, spans_after
from batch_ops.domain.file_record import FINAL, FileRecord, State
from batch_ops.ports.tables import FileIndex, Ledger
from batch_ops.use_cases.newest_files import NewestFiles

_BY_INDEX, _BY_SCAN, _BY_NAME = "i", "s", "n"
_PLACE = re.compile(r"[is]\d{18}![a-z2-7]{26}")


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which files: of one project ("": of all that are allowed), whose names begin so, in these states (none: in any).

    `place`: what an earlier page gave as `following`; anything else begins at the beginning.
    """

    project: str = ""
    prefix: str = ""
    states: frozenset[State] = frozenset()
    place: str = ""
    most: int = 50


@dataclass(frozen=True, slots=True)
class FilePage:
    """`following`: the place of the next page, "" if there is none."""

    files: Sequence[FileRecord]
    following: str = ""


@define(kw_only=True, eq=False)
class FilePages:
    """`projects` names those that are known."""

    _ledger: Ledger
    _index: FileIndex
    _newest: NewestFiles
    _projects: Callable[[], Awaitable[Sequence[str]]]

    async def __call__(self, wanted: Wanted, allows: Callable[[str], bool] = lambda project: True) -> FilePage:
        """Return a page of the files of those projects that are allowed."""
        projects = [wanted.project] if wanted.project else await self._known(wanted.prefix)
        projects = [project for project in projects if allows(project)]
        if wanted.prefix:
            return await self._by_name(projects, wanted)
        place = wanted.place if _PLACE.fullmatch(wanted.place) else ""
        if place.startswith(_BY_SCAN):
            return await self._by_scan(projects, wanted, place[1:])

        async def page(project: str) -> list[FileRecord] | None:
            return await self._by_index(project, wanted, place[1:])

        pages = await answers_of(projects, page)
        if not place and any(found is None for found in pages):
            return await self._by_scan(projects, wanted, "")
        found = sorted((record for found in pages for record in found or ()), key=order_of)
        return _cut(found, wanted.most, lambda last: f"{_BY_INDEX}{order_of(last)}")

    async def _known(self, prefix: str) -> Sequence[str]:
        if "/" in prefix:
            return [naming.project_of(prefix)]
        return await self._projects()

    async def _by_index(self, project: str, wanted: Wanted, place: str) -> list[FileRecord] | None:
        """Return a project's next files by its index; None if that is not known to be complete."""
        parts = await asyncio.gather(
            *(self._part(project, part, wanted.most) for part in spans_after(wanted.states, place))
        )
        if not place and not all(complete for _, complete in parts) and not await self._index.confirm(project):
            return None
        return [record for found, _ in parts for record in found if _is_in(record, wanted.states)]

    async def _part(self, project: str, part: Span, most: int) -> tuple[list[FileRecord], bool]:
        """Return the first files of a part, one more than wanted, and that nothing says that others are missing."""
        page = await self._index.page(project, part, most=most + 2)
        complete, found = page.is_complete or not part.head, [*page.files]
        while page.following and len(found) <= most:
            page = await self._index.page(project, part, page.following, most=most + 2)
            found += page.files
        return found, complete

    async def _by_scan(self, projects: Sequence[str], wanted: Wanted, place: str) -> FilePage:
        found: list[FileRecord] = []
        async for record in self._newest(projects, wanted.states):
            if order_of(record) > place:
                found.append(record)
            if len(found) > wanted.most:
                break
        return _cut(found, wanted.most, lambda last: f"{_BY_SCAN}{order_of(last)}")

    async def _by_name(self, projects: Sequence[str], wanted: Wanted) -> FilePage:
        after = wanted.place[1:] if wanted.place.startswith(_BY_NAME) else ""
        first = naming.project_of(after) if after else ""
        found: list[FileRecord] = []
        for project in sorted(projects):
            if project >= first:
                files = self._named(project, wanted, after if project == first else "")
                found += [record async for record in files]
            if len(found) > wanted.most:
                break
        return _cut(found, wanted.most, lambda last: f"{_BY_NAME}{last.name}")

    async def _named(self, project: str, wanted: Wanted, after: str) -> AsyncIterator[FileRecord]:
        number = 0
        files = self._ledger.files(project, wanted.prefix, wanted.states, after=after, most=wanted.most + 1)
        async for record in files:
            yield record
            number += 1
            if number > wanted.most:
                return


def _is_in(record: FileRecord, states: frozenset[State]) -> bool:
    # A part holds all that is open.
    return not states or states >= FINAL or record.state in states


def _cut(found: Sequence[FileRecord], most: int, place: Callable[[FileRecord], str]) -> FilePage:
    files = found[:most]
    return FilePage(files, place(files[-1]) if len(found) > most else "")
