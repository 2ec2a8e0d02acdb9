"""PROBLEM.txt in the results folder of a file: tells the person who uploaded it why there are no results."""

import logging
from collections.abc import Sequence

from attrs import define

from batch_ops.containers.results import PROBLEM, PROVENANCE, Author, ResultFolder
from batch_ops.containers.staging import Staging
from batch_ops.domain.errors import BlobChanged, NewerRun
from batch_ops.domain.file_record import FileRecord, State
from batch_ops.domain.problem_text import problem_text
from batch_ops.log_fields import fields
from batch_ops.ports.services import BlobStore

log = logging.getLogger("batch_ops")


@define(eq=False)
class ProblemFile:
    """Writes and removes it on behalf of one run, which never touches what a newer run wrote there."""

    _blobs: BlobStore
    _container: str
    _staging: Staging

    async def tell(self, record: FileRecord) -> None:
        """Make PROBLEM.txt say how this run ended; do nothing in other states."""
        if record.state in {State.REJECTED, State.FAILED}:
            tail = await self._staging.last_lines(record.last_task_id) if record.last_task_id else ()
            await self.report(record, tail)
        elif record.state is State.CANCELLED:
            await self.retract(record)

    async def settle(self, record: FileRecord) -> None:
        """Make PROBLEM.txt agree with the row of a run that has ended: a late handler may have written here."""
        if record.state is State.SUCCEEDED:
            await self.retract(record)
        else:
            await self.tell(record)

    async def report(self, record: FileRecord, tail: Sequence[str] = ()) -> None:
        """Put PROBLEM.txt where the results would be; at the end of a run it replaces the whole folder."""
        place = self._place(record)
        try:
            folder = await ResultFolder.read(*place)
            if folder.has_own(PROVENANCE):
                return
            await folder.put(PROBLEM, problem_text(record, tail), "text/plain; charset=utf-8")
            if record.state.is_final:
                await folder.sweep({PROBLEM})
            # A publisher writes, then looks at the folder, and so do we: one of us sees the other.
            folder = await ResultFolder.read_overtaken(*place)
            if folder.has_own(PROBLEM) and (folder.published_run > record.run or folder.has_own(PROVENANCE)):
                await folder.remove(PROBLEM)
        except (NewerRun, BlobChanged) as exc:
            log.info("PROBLEM.txt is left to the newer run: %s", exc, extra=fields(record))

    async def retract(self, record: FileRecord) -> None:
        """Remove the PROBLEM.txt of this run or an older one; results of earlier versions stay."""
        try:
            folder = await ResultFolder.read(*self._place(record))
            await folder.remove(PROBLEM)
        except (NewerRun, BlobChanged) as exc:
            log.info("PROBLEM.txt is left to the newer run: %s", exc, extra=fields(record))

    def _place(self, record: FileRecord) -> tuple[BlobStore, str, Author]:
        author = Author(record.name, record.run, record.placement.task_id, record.correlation_id)
        return self._blobs, self._container, author
