"""What the use cases need of the two tables. Adapters and fakes pass the same contract suites.

Any call may raise `errors.ServiceFault` when the service can't answer now.
"""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from batch_ops.domain.file_record import Entry, FileRecord, State
from batch_ops.domain.worklist import Board, Intent, JobMark, Pause, Stand, SweepMark, Turns


class Ledger(Protocol):
    """Table `files`: a row a file with its current run, and beside it a row for every run that has ended."""

    async def get(self, name: str) -> Entry | None:
        """The file's current run."""

    async def claim(self, new: FileRecord, previous: Entry | None) -> Entry:
        """Make `new` the file's current run, in one transaction with the end of the previous one.

        Inserts where `previous` is None, replaces that very version otherwise. A previous run of another number
        that is not final becomes `SUPERSEDED` in its run row. Raises `Conflict` if somebody else was first.
        """

    async def advance(self, entry: Entry, record: FileRecord) -> Entry:
        """Replace this version of the row; a final state also ends the run's own row, in one transaction.

        Raises `Conflict` if the row changed since, `IllegalTransition` if the table of transitions forbids it.
        """

    async def runs(self, name: str) -> Sequence[FileRecord]:
        """Every run of a file, the oldest first."""

    async def stands(self, project: str, names: Sequence[str]) -> Mapping[str, Stand]:
        """The versions that the ledger has of these files of one project, by one query over their range of keys."""

    def files(self, project: str, prefix: str = "", states: Collection[State] = ()) -> AsyncIterator[FileRecord]:
        """The files of a project (in these states) in the order of their names, from one partition."""


class Worklist(Protocol):
    """Table `work`: what is open, so that nothing ever scans history. Its leftovers are harmless."""

    async def board(self) -> Board:
        """Everything open, by one query."""

    async def add(self, intent: Intent) -> Intent:
        """Insert an intent; its nonce is new."""

    async def defer(self, intent: Intent, due: datetime) -> None:
        """Look at it at another time. Silent if the intent is gone, or was changed since this version was read.

        An intent without a version only gets its new time.
        """

    async def remove(self, name: str, nonce: str) -> None:
        """Take the intent off. Silent if it is gone."""

    async def note_job(self, job_id: str) -> None:
        """Have a job followed. Silent if it already is."""

    async def save_job(self, mark: JobMark) -> None:
        """Replace a job's mark as read; silent if somebody else did so first."""

    async def drop_job(self, mark: JobMark) -> None:
        """Follow a job no more; silent if its mark changed meanwhile."""

    async def save_sweep(self, mark: SweepMark) -> None:
        """Insert (version "") or replace a sweep's mark as read; silent if somebody else did so first."""

    async def note_rejected(self, project: str, name: str) -> None:
        """Remember that an image was rejected under a project: another version of it may take the image."""

    async def rejected(self, project: str) -> Sequence[str]:
        """The images of a project that `note_rejected` remembers."""

    async def forget_rejected(self, project: str, name: str) -> None:
        """Undo `note_rejected`; silent if there is nothing."""

    async def pauses(self) -> Sequence[Pause]:
        """What operators have paused."""

    async def pause(self, pause: Pause) -> None:
        """Note a pause; one that stands already stays as it is."""

    async def resume(self, project: str) -> bool:
        """Take a pause (project "": that of everything) away; False if there was none."""

    async def turns(self) -> Turns | None:
        """How far the turns of back-filled files are given out; None if never any was."""

    async def save_turns(self, turns: Turns) -> Turns:
        """Insert (version "") or replace this version. Raises `Conflict` if somebody else was first."""

    async def project(self, name: str, etag: str) -> Mapping[str, str] | None:
        """What `save_project` kept for this version of a project."""

    async def save_project(self, name: str, etag: str, values: Mapping[str, str]) -> None:
        """Keep what was learnt of a version of a project; replaces older versions."""
