"""The operators' actions: look, retry, cancel, pause, resume.

Everything is guarded by the rows' versions and may be repeated: two operators at once are harmless. What may
affect thousands of files is sent as messages for the function app.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import assert_never

from attrs import define

from batch_ops.concurrency import AT_ONCE, for_all
from batch_ops.domain import naming
from batch_ops.domain.errors import Conflict
from batch_ops.domain.file_record import FileRecord, State
from batch_ops.domain.orders import LookOrder
from batch_ops.domain.selection import Selection
from batch_ops.domain.settings import Settings
from batch_ops.domain.worklist import Intent, Pause
from batch_ops.ports.services import BlobStore, Outbox
from batch_ops.ports.tables import FileIndex, Ledger, Worklist
from batch_ops.runs.admission import FRESH
from batch_ops.runs.ending import Ending
from batch_ops.use_cases.newest_files import NewestFiles
from batch_ops.use_cases.project_changed import project_of_blob

_RACES = 8
_CANCELLED_LOOK = timedelta(minutes=1)
# Every instance knows the end of a pause by then.
_HEARD = FRESH + timedelta(seconds=1)
_OPEN = frozenset(state for state in State if not state.is_final)


@dataclass(frozen=True, slots=True)
class Chosen:
    """One file to act on."""

    name: str
    run: int
    state: State = State.FAILED


@dataclass(frozen=True, slots=True)
class Plan:
    """The files to act on, and how many of the selected files are left alone, by reason."""

    chosen: tuple[Chosen, ...] = ()
    left: Mapping[str, int] = field(default_factory=dict)


def retry_objection(record: FileRecord, *, force: bool) -> str:
    """Return why a file can't get another run; "" if it can."""
    if record.purging is not None:
        return "it is being removed for good"
    match record.state:
        case State.FAILED | State.CANCELLED | State.WAITING | State.WAITING_FOR_PROJECT:
            return ""
        case State.SUCCEEDED | State.REJECTED:
            return "" if force else f"{record.state}: only with --force"
        case State.SUBMITTING | State.ACTIVE | State.PREPARING | State.RUNNING | State.COLLECTING | State.SUPERSEDED:
            return "running already"
        case unknown:
            assert_never(unknown)


def cancel_objection(record: FileRecord) -> str:
    """Return why a file can't be cancelled; "" if it can."""
    if record.state.is_final:
        return "ended already"
    return "its results are being moved" if record.state is State.COLLECTING else ""


@define(kw_only=True, eq=False)
class Steering:
    """Uses only ports, so it works in Azure and on one machine."""

    _ledger: Ledger
    _index: FileIndex
    _newest: NewestFiles
    _worklist: Worklist
    _blobs: BlobStore
    _outbox: Outbox
    _ending: Ending
    _settings: Settings
    _clock: Callable[[], datetime]

    # Look

    async def projects(self) -> Sequence[str]:
        """List the projects that have a classifier or open files, and `default`."""
        found = {naming.DEFAULT_PROJECT}
        async for blob in self._blobs.list(self._settings.projects_container, ""):
            if (project := project_of_blob(blob.name)) is not None:
                found.add(project)
        found.update(naming.project_of(intent.name) for intent in (await self._worklist.board()).open)
        return sorted(found)

    async def select(self, selection: Selection) -> AsyncIterator[FileRecord]:
        """List the selected files: by state or time the newest drop first, else project by project by their names.

        Names cost a call each; states and times a call for each 1,000 files found and at least one for each project;
        anything else reads the rows of whole projects, a call for each 1,000.
        """
        if selection.names:
            async for record in self._by_name(selection.names, selection):
                yield record
            return
        known = () if selection.project or "/" in selection.prefix else await self.projects()
        projects = selection.projects(known)
        if selection.by_time:
            async for record in self._newest(projects, selection.states, selection.since):
                if selection.names_it(record.name) and selection.is_warned(record):
                    yield record
            return
        for project in projects:
            async for record in self._ledger.files(project, selection.prefix, selection.states):
                if selection.is_warned(record):
                    yield record

    async def _by_name(self, names: Sequence[str], selection: Selection) -> AsyncIterator[FileRecord]:
        for start in range(0, len(names), AT_ONCE):
            entries = await asyncio.gather(*(self._ledger.get(name) for name in names[start : start + AT_ONCE]))
            for entry in entries:
                if entry is not None and selection.matches(entry.record):
                    yield entry.record

    async def show(self, name: str) -> Sequence[FileRecord]:
        """List every run of a file, the current one last; empty if there is no such file."""
        return await self._ledger.runs(name)

    async def fill_index(self, project: str = "") -> AsyncIterator[tuple[str, int]]:
        """Put into the index what versions before it have written; list each project, and how many files of it.

        Of one project, or (project "") of all that are known. May be interrupted and repeated.
        """
        for one in [project] if project else await self.projects():
            yield one, await self._index.fill(one)

    # Retry and cancel

    async def plan_retry(self, selection: Selection, *, force: bool = False) -> Plan:
        """Choose the files that get another run, and the waiting ones to look at now."""
        return await self._plan(selection, lambda record: retry_objection(record, force=force))

    async def plan_cancel(self, selection: Selection) -> Plan:
        """Choose the open files to cancel."""
        return await self._plan(selection, cancel_objection)

    async def _plan(self, selection: Selection, objection: Callable[[FileRecord], str]) -> Plan:
        chosen: list[Chosen] = []
        left: Counter[str] = Counter()
        async for record in self.select(selection):
            if why := objection(record):
                left[why] += 1
            else:
                chosen.append(Chosen(record.name, record.run, record.state))
        return Plan(tuple(chosen), left)

    async def retry(self, chosen: Sequence[Chosen], by: str = "") -> None:
        """Order another run of each, by message; a run that is no longer the file's last is not repeated.

        `by`: who wants it, if known; the row says so.
        """

        async def ask(one: Chosen) -> None:
            correlation_id = f"retry-{naming.file_hash(one.name)}-{one.run}"
            await self._outbox.look_again(LookOrder(one.name, correlation_id, again=one.run, by=by))

        await for_all(chosen, ask)

    async def cancel(
        self, chosen: Sequence[Chosen], reason: str = "Cancelled by an operator.", by: str = ""
    ) -> Mapping[str, int]:
        """End these runs and their tasks; return how many were left alone, by reason. `by`: as of `retry`."""
        left: Counter[str] = Counter()

        async def end(one: Chosen) -> None:
            if why := await self._cancel(one, reason, by):
                left[why] += 1

        await for_all(chosen, end)
        return left

    async def _cancel(self, chosen: Chosen, reason: str, by: str) -> str:
        for _ in range(_RACES):
            entry = await self._ledger.get(chosen.name)
            if entry is None or entry.record.run != chosen.run:
                return "another version took its place"
            if why := cancel_objection(entry.record):
                return why
            record = entry.record
            try:
                if record.placement.task_id:
                    await self._see_to_its_end(record)
                elif record.state.is_waiting:
                    await self._ending.tidy_later(record)
                # The row, then its tasks: nobody creates another task of an ended run.
                now = self._clock()
                await self._ending.end(entry, record.to(State.CANCELLED, now, reason).steered_by("cancel", by, now))
            except Conflict:
                continue
            return ""
        return "it kept changing"

    async def _see_to_its_end(self, record: FileRecord) -> None:
        """Let reconcile end the task too, as somebody may be about to create it, and clear its staging."""
        now = self._clock()
        intent = Intent(record.name, f"cancel-{record.placement.task_id}", now + _CANCELLED_LOOK, now, cleaning=True)
        with suppress(Conflict):
            await self._worklist.add(intent)

    # Pause and resume

    async def pauses(self) -> Sequence[Pause]:
        """List the pauses."""
        return await self._worklist.pauses()

    async def pause(self, project: str = "", by: str = "") -> None:
        """Start no new runs, of a project or (project "") at all; what has begun continues. `by`: as of `retry`."""
        await self._worklist.pause(Pause(project, self._clock(), by))

    async def resume(self, project: str = "") -> int:
        """End a pause; return the number of files that are looked at now."""
        for spelling in naming.spellings(project):
            await self._worklist.resume(spelling)
        # A file that is due much later waits for its turn among the back-filled files.
        latest = self._clock() + max(self._settings.recheck, self._settings.project_poll)
        paused = naming.composed(project)
        names = {
            intent.name
            for intent in (await self._worklist.board()).open
            if intent.waiting and intent.due <= latest and paused in {"", *naming.projects_of(intent.name)}
        }

        async def look(name: str) -> None:
            await self._outbox.look_again(LookOrder(name, f"resume-{naming.file_hash(name)}"), _HEARD)

        await for_all(sorted(names), look)
        return len(names)
