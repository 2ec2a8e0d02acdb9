"""Files in `input` that can't be segmented: one row and one PROBLEM.txt for all of a folder and suffix."""

from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import replace
from datetime import datetime

from attrs import define, field

from batch_ops.domain import naming
from batch_ops.domain.blob import Blob
from batch_ops.domain.decide_start import Case
from batch_ops.domain.file_kinds import ZARR, Stray, accepted, stray_of
from batch_ops.domain.file_record import Entry
from batch_ops.domain.orders import LookOrder
from batch_ops.domain.settings import Settings
from batch_ops.ports.services import BlobStore
from batch_ops.ports.tables import Ledger, ProjectNotes
from batch_ops.runs.claims import Claims
from batch_ops.task.plain_text import plain

_REMEMBERED = 10_000


def sentence_about(stray: Stray) -> str:
    """Say why the files of this folder and suffix are not segmented, and what to do."""
    file, folder = plain(stray.name.rpartition("/")[2]), plain(stray.folder)
    where = f"the folder '{folder}'" if folder else "no folder"
    if stray.suffix == ZARR:
        return (
            f"'{file}' is a Zarr, a folder of many files, none of which says that all of them are there: it can't be "
            f"segmented. Save the image as one file; taken are {accepted()}. This is said "
            f"once for all Zarrs in {where}."
        )
    what = f"files in {stray.suffix}" if stray.suffix else "files without a usual suffix"
    return (
        f"'{file}' can't be segmented: {what} are not taken, only {accepted()}. Save the image as one of these. This "
        f"is said once for all {what} in {where}."
    )


@define(kw_only=True, eq=False)
class Strays:
    """Notes which file was the first before its row is written, so that however many come at once, one is rejected."""

    _ledger: Ledger
    _notes: ProjectNotes
    _blobs: BlobStore
    _claims: Claims
    _settings: Settings
    _clock: Callable[[], datetime]
    _first: dict[tuple[str, str], str] = field(factory=dict, init=False)

    async def __call__(self, order: LookOrder) -> Entry | None:
        """Reject the file if it is the first of its kind; return its row. Raises `ServiceFault`, `Conflict`."""
        stray = stray_of(order.name)
        if stray is None or naming.fault_of(order.name) or await self.first(stray) not in ("", stray.name):
            return None
        entry = await self._ledger.get(stray.name)
        if entry is not None:
            if entry.record.state.is_final:
                return entry
            return await self._claims.refuse(entry, entry.record, sentence_about(stray))
        blob = await self._blobs.head(self._settings.input_container, order.name)
        if blob is None or _makes_a_folder(blob, stray):
            return None
        await self._notes.note_stray(stray.folder, stray.suffix, stray.name)
        if await self.first(stray) != stray.name:
            return None
        case = Case(None, replace(order, name=stray.name), replace(blob, name=stray.name), self._clock())
        return await self._claims.refuse(None, case.record(None), sentence_about(stray))

    async def untold(self, blobs: Iterable[Blob]) -> AsyncIterator[Blob]:
        """Yield the first of each folder and suffix that nobody has heard of yet. Raises `ServiceFault`."""
        seen = set()
        for blob in blobs:
            stray = stray_of(blob.name)
            if stray is None or _makes_a_folder(blob, stray) or (stray.folder, stray.suffix) in seen:
                continue
            seen.add((stray.folder, stray.suffix))
            if not await self.first(stray):
                yield blob

    async def has_told(self, name: str) -> bool:
        """Return whether the row of this name is that of a file that can't be segmented. Raises `ServiceFault`."""
        stray = stray_of(name)
        return stray is not None and await self.first(stray) == name

    async def first(self, stray: Stray) -> str:
        """Return which file of this folder and suffix was the first; "" if there was none. Raises `ServiceFault`."""
        key = stray.folder, stray.suffix
        if key not in self._first:
            name = await self._notes.stray(*key)
            if not name:
                return ""
            if len(self._first) >= _REMEMBERED:
                self._first.clear()
            self._first[key] = name
        return self._first[key]


def _makes_a_folder(blob: Blob, stray: Stray) -> bool:
    """Return whether a blob only stands for a folder: some tools write an empty one without a suffix."""
    return blob.is_folder or not (blob.length or stray.suffix)
