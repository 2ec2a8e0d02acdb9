"""Removes files for good, with all that came of them: image, results, staging, tasks, rows. An operator's act.

No code of the app deletes images. A first call announces the removal in the rows, a later one carries it out:

    row      claims the file, by its version: it names the ETag to delete and knows no version from then on, so that it
             can neither be kept nor retried, and an upload of the same bytes is segmented anew
    image    the version that the row names; if another one is there, or a rerun of it is open, nothing is removed
    results  provenance first, then what the file's runs have written; what people put into the folder stays
    staging  with the logs of its tasks, and the tasks that Batch still knows
    rows     last: the file's, those of its runs, the copies in the index; until then the next call goes on

A call that was broken off is taken up by the next. A rerun's image is that of another file, and stays. The sums of
months stay; they name no file.
"""

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from attrs import define

from batch_ops.concurrency import for_all
from batch_ops.containers.results import Author, ResultFolder
from batch_ops.containers.staging import Staging
from batch_ops.domain import naming
from batch_ops.domain.errors import BlobChanged, Conflict, NewerRun, NotAllowed
from batch_ops.domain.file_record import Entry, FileRecord
from batch_ops.domain.purge import (
    Announced,
    Stage,
    announced,
    begun,
    kept,
    may_be_rerun_of,
    purge_objection,
    stage_of,
    tasks_of,
)
from batch_ops.domain.run_key import NO_COMPANION
from batch_ops.domain.selection import Selection
from batch_ops.domain.settings import Settings
from batch_ops.ports.services import BatchService, BlobStore
from batch_ops.ports.tables import FileIndex, Ledger, ProjectNotes, Worklist

_UNINDEXED = "it changed while the index was completed"
_CHANGED = "it has changed meanwhile: it is looked at first"
_RERUN_OPEN = "a rerun of it is open"
_BEGUN = "its removal has begun"


@dataclass(frozen=True, slots=True)
class PurgePlan:
    """The selected files by how far their removal has come, and how many are left alone, by reason."""

    due: tuple[FileRecord, ...] = ()
    new: tuple[FileRecord, ...] = ()
    later: tuple[FileRecord, ...] = ()
    left: Mapping[str, int] = field(default_factory=dict)


@define(kw_only=True, eq=False)
class Purging:
    """May be repeated and interrupted; two operators at once are harmless."""

    _ledger: Ledger
    _index: FileIndex
    _worklist: Worklist
    _notes: ProjectNotes
    _blobs: BlobStore
    _batch: BatchService
    _staging: Staging
    _select: Callable[[Selection], AsyncIterator[FileRecord]]
    _settings: Settings
    _clock: Callable[[], datetime]

    async def plan(self, selection: Selection, older_than: timedelta | None = None) -> PurgePlan:
        """Look at the rows of the selected files."""
        now = self._clock()
        by_stage: dict[Stage, list[FileRecord]] = {stage: [] for stage in Stage}
        left: Counter[str] = Counter()
        async for record in self._select(selection):
            if why := purge_objection(record, before=now - older_than if older_than is not None else None):
                left[why] += 1
            else:
                by_stage[stage_of(record, now)].append(record)
        due, new, later = (tuple(by_stage[stage]) for stage in (Stage.DUE, Stage.KEPT, Stage.ANNOUNCED))
        return PurgePlan(due, new, later, left)

    async def announce(self, records: Sequence[FileRecord], notice: timedelta) -> Mapping[str, int]:
        """Note in the rows that these files may be removed after the notice; return what is left alone, by reason."""
        at = (self._clock() + notice).replace(microsecond=0)

        async def one(record: FileRecord) -> str:
            entry = await self._ledger.get(record.name)
            if entry is None or entry.record != record:
                return _CHANGED
            blob = None if record.source else await self._blobs.head(self._settings.input_container, record.image_blob)
            noted = announced(record, blob, at)
            if not isinstance(noted, Announced):
                return noted
            await self._ledger.advance(entry, noted.record)
            return ""

        return await self._each(records, one)

    async def keep(self, records: Sequence[FileRecord]) -> Mapping[str, int]:
        """Take back what was announced of these files; return what is left alone, by reason."""

        async def one(record: FileRecord) -> str:
            entry = await self._ledger.get(record.name)
            if entry is None or entry.record.times.purge_at is None:
                return ""
            if (staying := kept(entry.record)) is None:
                return _BEGUN
            await self._ledger.advance(entry, staying)
            return ""

        return await self._each(records, one)

    async def purge(self, records: Sequence[FileRecord]) -> Mapping[str, int]:
        """Remove these files, whose time has come; return what is left alone, by reason. Raises `ServiceFault`."""

        async def one(record: FileRecord) -> str:
            entry = await self._indexed(record)
            if isinstance(entry, str):
                return entry
            if stage_of(entry.record, self._clock()) is not Stage.DUE or purge_objection(entry.record):
                return _CHANGED
            return await self._remove(entry)

        return await self._each(records, one)

    async def kept_after_deletion(self) -> timedelta | None:
        """Return for how long the account can bring back what was removed; None where that may not be asked."""
        try:
            return await self._blobs.kept_after_deletion()
        except NotAllowed:
            return None

    async def _each(
        self, records: Sequence[FileRecord], work: Callable[[FileRecord], Awaitable[str]]
    ) -> Mapping[str, int]:
        left: Counter[str] = Counter()

        async def one(record: FileRecord) -> None:
            try:
                why = await work(record)
            except (Conflict, BlobChanged, NewerRun):
                why = _CHANGED
            if why:
                left[why] += 1

        await for_all(records, one)
        return left

    async def _indexed(self, record: FileRecord) -> Entry | str:
        """Read the row again; one that is not in the index may have copies that nobody knows."""
        entry = await self._ledger.get(record.name)
        if entry is not None and not entry.indexed:
            await self._index.fill(naming.project_of(record.name))
            entry = await self._ledger.get(record.name)
            if entry is not None and not entry.indexed:
                return _UNINDEXED
        return entry if entry is not None and entry.record.run == record.run else _CHANGED

    async def _remove(self, entry: Entry) -> str:
        claimed = await self._claimed(entry)
        if isinstance(claimed, str):
            return claimed
        record = claimed.record
        # Also of a rerun that was ordered while this file was claimed.
        if await self._has_open_rerun(record):
            return _RERUN_OPEN
        if not await self._without_image(record):
            return _CHANGED
        author = Author(record.name, record.run, record.placement.task_id, record.correlation_id)
        await (await ResultFolder.read(self._blobs, self._settings.results_container, author)).sweep(())
        if not await self._is_still(claimed):
            return _CHANGED
        await self._staging.clear(record.name, record.run)
        for run in await self._ledger.runs(record.name):
            # A newer upload has tasks of its own, or, once the rows are gone, tasks of the same names.
            if run.run > record.run or not await self._is_still(claimed):
                return _CHANGED
            for task in tasks_of(run, self._settings):
                await self._batch.delete_task(task.job_id, task.task_id)
        await self._ledger.remove(claimed)
        await self._forget_rejected(record)
        return ""

    async def _claimed(self, entry: Entry) -> Entry | str:
        """Note in the row that the removal begins, unless it has begun already; half a sentence says why not."""
        record = entry.record
        if record.purging is not None:
            return entry
        if await self._has_open_rerun(record):
            return _RERUN_OPEN
        blob = None if record.source else await self._blobs.head(self._settings.input_container, record.image_blob)
        going = begun(record, blob)
        return await self._ledger.advance(entry, going) if going is not None else _CHANGED

    async def _has_open_rerun(self, record: FileRecord) -> bool:
        """Return whether nodes are still to read this file's image for another one."""
        if record.source:
            return False
        for name in {intent.name for intent in (await self._worklist.board()).open}:
            if may_be_rerun_of(name, record):
                rerun = await self._ledger.get(name)
                if rerun is not None and rerun.record.source == record.name and not rerun.record.state.is_final:
                    return True
        return False

    async def _is_still(self, entry: Entry) -> bool:
        """Return whether the row is this version: nobody else has removed it, or begun a newer one."""
        now = await self._ledger.get(entry.record.name)
        return now is not None and now.version == entry.version

    async def _forget_rejected(self, record: FileRecord) -> None:
        """Forget that an older version was rejected; not that of a file which has taken its name meanwhile."""
        project = naming.classifier_of(record.image_blob)
        await self._notes.forget_rejected(project, record.name)
        # Its row comes before its note.
        if await self._ledger.get(record.name) is not None:
            await self._notes.note_rejected(project, record.name)

    async def _without_image(self, record: FileRecord) -> bool:
        """Delete the image that the row names; return False where another is there: it stays, and all else with it."""
        if record.source:
            return True
        container = self._settings.input_container
        blob = await self._blobs.head(container, record.image_blob)
        if blob is not None:
            if blob.etag != record.purging:
                return False
            await self._blobs.delete(container, record.image_blob, etag=blob.etag)
        if record.plan.companion not in ("", NO_COMPANION):
            # A newer one is of an image that is still to come.
            with suppress(BlobChanged):
                await self._blobs.delete(container, naming.companion_of(record.name), etag=record.plan.companion)
        return True
