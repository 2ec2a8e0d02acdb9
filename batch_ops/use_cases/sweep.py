"""The rolling sweep: finds files without events, one page of a listing per tick, by default a full cycle per day.

A file is missed if it was written since the system went live and the ledger has no row of it, or a row of another
version. It is looked at by message, as if its event had come. An open file that is missing from the worklist (which
should not happen) is put back there. Cost of a cycle: one listing call for 5,000 blobs, and for each project on a page
one range query (one call for 1,000 rows). Between cycles it costs nothing. The container of undeliverable events has
a cycle of its own, of one listing call where there is none.
"""

import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

from attrs import define

from batch_ops.concurrency import for_all
from batch_ops.domain import naming
from batch_ops.domain.blob import Blob
from batch_ops.domain.decide_look import is_missed
from batch_ops.domain.errors import Conflict, ServiceFault
from batch_ops.domain.orders import LookOrder
from batch_ops.domain.settings import Settings
from batch_ops.domain.worklist import Board, Intent, SweepMark
from batch_ops.log_fields import fields
from batch_ops.ports.services import LARGEST_PAGE, BlobStore, Outbox
from batch_ops.ports.tables import FileIndex, Ledger, Worklist
from batch_ops.runs.strays import Strays
from batch_ops.use_cases.project_changed import ProjectChanged, project_of_blob
from batch_ops.use_cases.undelivered_events import UndeliveredEvents

log = logging.getLogger("batch_ops")

# The event of a younger file may still come.
_SETTLED = timedelta(minutes=2)
# Each blob of undeliverable events is read, so a tick handles fewer of them.
_LETTERS_A_TICK = 100


@define(kw_only=True, eq=False)
class Sweep:
    """Sweeps the containers `input` and `projects`, and that of undeliverable events."""

    _ledger: Ledger
    _index: FileIndex
    _worklist: Worklist
    _blobs: BlobStore
    _outbox: Outbox
    _project_changed: ProjectChanged
    _strays: Strays
    _undelivered_events: UndeliveredEvents
    _settings: Settings
    _clock: Callable[[], datetime]

    async def __call__(self, board: Board) -> None:
        """Continue the cycles that are due, by a page each; the first `ServiceFault` is raised when all are done."""
        fault: ServiceFault | None = None
        known = {mark.container: mark for mark in board.sweeps}
        open_names = {intent.name for intent in board.open}
        for container, look, most in (
            (self._settings.input_container, partial(self._images, open_names), LARGEST_PAGE),
            (self._settings.projects_container, self._projects, LARGEST_PAGE),
            (self._settings.dead_letter_container, self._undelivered, _LETTERS_A_TICK),
        ):
            try:
                await self._go_on(known.get(container), container, look, most)
            except ServiceFault as exc:
                fault = fault or exc
        if fault:
            raise fault

    async def _go_on(
        self, mark: SweepMark | None, container: str, look: Callable[..., Awaitable[int]], most: int
    ) -> None:
        """Begin the cycles of a container, or look at a page of it if that is due."""
        now = self._clock()
        if mark is None:
            # The system goes live: files that are there already are left to a backfill.
            await self._worklist.save_sweep(SweepMark(container, now, now + self._settings.sweep_every))
        elif mark.marker or mark.next_cycle <= now:
            blobs, marker = await self._blobs.page(container, mark.marker, most)
            found = await look(blobs, mark)
            following = mark.next_cycle if marker else now + self._settings.sweep_every
            await self._worklist.save_sweep(
                replace(mark, marker=marker, next_cycle=following, found=mark.found + found)
            )

    async def _images(self, in_sight: Collection[str], blobs: Sequence[Blob], mark: SweepMark) -> int:
        settled = self._clock() - _SETTLED
        by_project: dict[str, list[Blob]] = defaultdict(list)
        for blob in blobs:
            if naming.is_image(blob.name) and blob.modified <= settled:
                by_project[naming.project_of(blob.name)].append(blob)
        recent = [blob for blob in blobs if mark.live_since <= blob.modified <= settled]
        missed = [blob async for blob in self._strays.untold(recent)]
        for project, images in by_project.items():
            stands = await self._ledger.stands(project, [blob.name for blob in images])
            if not all(stand.indexed for stand in stands.values()):
                # Written by a version that knows of no index: lists must not rely on it.
                await self._index.doubt(project)
            fresh = [blob for blob in images if mark.live_since <= blob.modified]
            missed += [blob for blob in fresh if is_missed(blob, stands.get(blob.name))]
            for stand in stands.values():
                if not stand.state.is_final and stand.name not in in_sight:
                    await self._bring_back(stand.name)

        async def look(blob: Blob) -> None:
            await self._outbox.look_again(LookOrder(blob.name, f"sweep-{blob.etag}"))

        await for_all(missed, look)
        if missed:
            log.warning("The sweep found %d files that no event had announced.", len(missed))
        return len(missed)

    async def _bring_back(self, name: str) -> None:
        """Follow an open file again, unless it was claimed or ended after the worklist was read."""
        entry = await self._ledger.get(name)
        if entry is None or entry.record.state.is_final or not entry.record.intent:
            return
        now, record = self._clock(), entry.record
        with suppress(Conflict):
            await self._worklist.add(Intent(name, record.intent, now, now, waiting=record.state.is_waiting))
            log.warning("It was open, but was missing from the worklist.", extra=fields(record))

    async def _projects(self, blobs: Sequence[Blob], mark: SweepMark) -> int:
        """Handle recently written projects: images may wait for them, or have been rejected by an older version.

        A version may have been read for another image only. So two cycles handle each project, the second one for
        images that were checked with a remembered older version during the first.
        """
        since = mark.next_cycle - 2 * self._settings.sweep_every
        written = {project_of_blob(blob.name) for blob in blobs if blob.modified >= since}
        return sum([await self._project_changed(project) for project in sorted(filter(None, written))])

    async def _undelivered(self, blobs: Sequence[Blob], mark: SweepMark) -> int:
        return await self._undelivered_events(blobs)
