"""What the use cases need from the two tables. Adapters and fakes pass the same contract suites.

Any call may raise `errors.ServiceFault` when the service can't answer now.
"""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from batch_ops.domain.file_index import Span
from batch_ops.domain.file_record import Entry, FileRecord, State
from batch_ops.domain.month_sums import MonthSum
from batch_ops.domain.worklist import Board, Daily, FolderContrast, Intent, JobMark, Pause, Stand, SweepMark, Turns


class Ledger(Protocol):
    """Table `files`: one row per file with its current run, and beside it a row for every run that has ended."""

    async def get(self, name: str) -> Entry | None:
        """Return the file's current run."""

    async def claim(self, new: FileRecord, previous: Entry | None) -> Entry:
        """Make `new` the file's current run, in one transaction with the end of the previous one.

        Inserts if `previous` is None, otherwise replaces exactly that version. A previous run of another number
        that is not final becomes `SUPERSEDED` in its run row. Raises `Conflict` if somebody else was first.
        """

    async def advance(self, entry: Entry, record: FileRecord) -> Entry:
        """Replace this version of the row; a final state also ends the run's own row, in one transaction.

        Raises `Conflict` if the row changed since, `IllegalTransition` if the table of transitions forbids it.
        """

    async def remove(self, entry: Entry) -> None:
        """Delete all that is known of a file: its row, if it is this version, the rows of its runs, its copies.

        The file's row goes last, with its copies. A row that is gone is success; the sums of months stay. Raises
        `Conflict` if the row changed since, `IllegalTransition` if its run has not ended.
        """

    async def runs(self, name: str) -> Sequence[FileRecord]:
        """List every run of a file, the oldest first."""

    async def stands(self, project: str, names: Sequence[str]) -> Mapping[str, Stand]:
        """Return the ledger's versions of these files of one project, with one query over their range of keys."""

    def files(
        self, project: str, prefix: str = "", states: Collection[State] = (), *, after: str = "", most: int = 0
    ) -> AsyncIterator[FileRecord]:
        """List the files of a project (in these states) in the order of their names, from one partition.

        `after`: those behind this one. `most`: how many a query is to bring at the most; 0 leaves it to the service.
        """

    async def sums(self, project: str, month: str) -> MonthSum:
        """Return what ended in a month (2026-03), with one query. Claims and advances count the runs that they end."""

    async def projects(self, month: str) -> Sequence[str]:
        """List the projects that have sums of a month, with one query; those of versions before this one may lack."""


@dataclass(frozen=True, slots=True)
class IndexPage:
    """A page of a part of the index. `following`: where the next page begins ("": this is the last).

    `is_complete`: the part began with its head, which says that it has every file; known of a first page only.
    """

    files: Sequence[FileRecord]
    following: str = ""
    is_complete: bool = False


class FileIndex(Protocol):
    """The copies of files' rows in table `files` by time of drop and by final state: see `domain/file_index.py`."""

    async def page(self, project: str, span: Span, following: str = "", *, most: int = 0) -> IndexPage:
        """Read a page of a part, with one query; of at most so many rows, its head included, if `most` is given."""

    async def confirm(self, project: str) -> bool:
        """Return whether every file of the project is in the index, and if so note that in the heads.

        Reads the files' rows up to the first that is not in it.
        """

    async def doubt(self, project: str) -> None:
        """Note in the heads that some file may not be in the index."""

    async def fill(self, project: str) -> int:
        """Put the files that are not in the index there, without what else their copies were, and count them.

        May be interrupted and repeated: what is in it stays untouched.
        """


class Worklist(Protocol):
    """Table `work`: the open files, so that nothing ever scans history. Leftover entries are harmless."""

    async def board(self) -> Board:
        """Read all open files, with one query."""

    async def add(self, intent: Intent) -> Intent:
        """Insert an intent; its nonce is new."""

    async def defer(self, intent: Intent, due: datetime) -> None:
        """Change when to look at it. Does nothing if the intent is gone, or has changed since this version was read.

        Of an intent without a version, only the time changes.
        """

    async def remove(self, name: str, nonce: str) -> None:
        """Delete the intent, if it exists."""

    async def note_job(self, job_id: str) -> None:
        """Note a job to follow. Does nothing if it is noted already."""

    async def save_job(self, mark: JobMark) -> None:
        """Replace a job's mark as read; do nothing if somebody else did so first."""

    async def drop_job(self, mark: JobMark) -> None:
        """Stop following a job; do nothing if its mark has changed meanwhile."""

    async def newest_job(self, first: str) -> int:
        """Return the generation that `note_newest_job` noted last for this first job of a month; 0 without one."""

    async def note_newest_job(self, first: str, generation: int) -> None:
        """Note which generation may take tasks: a hint, of which the last one stands."""

    async def save_sweep(self, mark: SweepMark) -> None:
        """Insert (version "") or replace a sweep's mark as read; do nothing if somebody else did so first."""

    async def pauses(self) -> Sequence[Pause]:
        """List what operators have paused."""

    async def pause(self, pause: Pause) -> None:
        """Note a pause; an existing one stays unchanged."""

    async def resume(self, project: str) -> bool:
        """Delete a pause (project "": that of everything); return whether there was one."""

    async def turns(self, of: Daily = Daily.BACKFILL) -> Turns | None:
        """Return how far the turns of back-filled files, or of something else, are given out; None if none ever was."""

    async def save_turns(self, turns: Turns, of: Daily = Daily.BACKFILL) -> Turns:
        """Insert (version "") or replace this version. Raises `Conflict` if somebody else was first."""


class ProjectNotes(Protocol):
    """Table `work` as well: what was found out about projects, and need not be found out again."""

    async def project(self, name: str, etag: str) -> Mapping[str, str] | None:
        """Return what `save_project` kept for this version of a project."""

    async def save_project(self, name: str, etag: str, values: Mapping[str, str]) -> None:
        """Save the facts of a version of a project; replaces older versions."""

    async def note_rejected(self, project: str, name: str) -> None:
        """Remember that an image was rejected under a project: another version of it may accept the image."""

    async def rejected(self, project: str) -> Sequence[str]:
        """List the images of a project that `note_rejected` remembers."""

    async def forget_rejected(self, project: str, name: str) -> None:
        """Undo `note_rejected`, if it was called."""

    async def answers(self, project: str) -> Mapping[str, str]:
        """Return what `answer` keeps for a project: the axes, by the kind of images that do not say theirs."""

    async def answer(self, project: str, kind: str, axes: str) -> None:
        """Keep which axes images of a kind have; replaces an older answer."""

    async def contrast(self, folder: str) -> FolderContrast | None:
        """Return the contrast that `keep_contrast` keeps for a folder of images."""

    async def keep_contrast(self, kept: FolderContrast) -> None:
        """Keep the contrast of a folder; an existing one stays unchanged."""

    async def forget_contrast(self, folder: str) -> bool:
        """Delete the contrast of a folder; return whether there was one."""

    async def stray(self, folder: str, suffix: str) -> str:
        """Return the file that `note_stray` noted first for a folder and suffix; "" if it noted none."""

    async def note_stray(self, folder: str, suffix: str, name: str) -> None:
        """Note which file was the first of its folder and suffix that can't be segmented; the first one stays."""
