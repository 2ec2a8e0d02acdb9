"""The contrast of a folder's pictures: that of the first file collected there, until somebody resets it.

Pictures are no reason to wait: where the table can't be asked, a file is drawn with its own contrast.
"""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from attrs import define, field

from batch_ops.domain import naming
from batch_ops.domain.errors import ServiceFault
from batch_ops.domain.file_record import FileRecord
from batch_ops.domain.worklist import FolderContrast
from batch_ops.log_fields import fields
from batch_ops.ports.tables import ProjectNotes
from batch_ops.task.pictures import Contrast

log = logging.getLogger("batch_ops")

# How long a process goes by what it has read: that a folder has one, and that it has none yet.
FRESH, FRESH_WITHOUT = timedelta(minutes=1), timedelta(seconds=5)
_MOST_FOLDERS = 1000


@define(kw_only=True, eq=False)
class Contrasts:
    """Any number of files may ask at the same time; a burst of one folder asks once in a while."""

    _notes: ProjectNotes
    _clock: Callable[[], datetime]
    _seen: dict[str, tuple[datetime, Contrast | None]] = field(factory=dict, init=False)
    _kept: dict[str, datetime] = field(factory=dict, init=False)

    async def of(self, name: str) -> Contrast | None:
        """Return the contrast to draw this image with; None where its folder has none yet, or that is not known."""
        folder, now = naming.folder_of(name), self._clock()
        until, known = self._seen.get(folder, (now, None))
        if now < until:
            return known
        try:
            found = await self._notes.contrast(folder)
        except ServiceFault as fault:
            log.warning("It is drawn with a contrast of its own: %s", fault.sentence)
            return None
        contrast = found.contrast if found else None
        _remember(self._seen, folder, (now + (FRESH if found else FRESH_WITHOUT), contrast))
        return contrast

    async def keep(self, record: FileRecord, contrast: Contrast | None) -> None:
        """Keep the contrast that a published run was drawn with for its folder, if that had none."""
        if contrast is None or record.plan.pictures is None or record.plan.pictures.contrast is not None:
            return
        # Of a rerun that of its image, as it is asked for.
        folder, now = naming.folder_of(record.image_blob), self._clock()
        if now < self._kept.get(folder, now):
            return
        try:
            await self._notes.keep_contrast(FolderContrast(folder, contrast, record.image_blob))
        except ServiceFault as fault:
            log.warning("The contrast of its folder is left to the next file: %s", fault.sentence, extra=fields(record))
            return
        _remember(self._kept, folder, now + FRESH)
        self._seen.pop(folder, None)

    async def kept(self, folder: str) -> FolderContrast | None:
        """Return what is kept now. Raises `ServiceFault`."""
        return await self._notes.contrast(folder)

    async def reset(self, folder: str) -> bool:
        """Forget it: the next file collected there brings a new one; return whether there was one.

        Raises `ServiceFault`.
        """
        return await self._notes.forget_contrast(folder)


def _remember[T](notes: dict[str, T], folder: str, note: T) -> None:
    if len(notes) >= _MOST_FOLDERS:
        notes.clear()
    notes[folder] = note
