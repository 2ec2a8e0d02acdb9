"""How a version of an image becomes its file's run: an intent first, then the claim, then what follows from it.

A crash in between leaves an intent, so reconcile looks again; the claim names everything that is created after it.
"""

import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta

from attrs import define

from batch_ops.containers.problem_file import ProblemFile
from batch_ops.domain import naming
from batch_ops.domain.errors import Conflict, ServiceFault
from batch_ops.domain.file_record import Entry, FileRecord, State
from batch_ops.domain.project import Project
from batch_ops.domain.run_key import no_room_key, run_key
from batch_ops.domain.settings import Settings
from batch_ops.domain.worklist import Intent
from batch_ops.log_fields import fields
from batch_ops.ports.tables import Ledger, ProjectNotes, Worklist
from batch_ops.runs.ending import Ending
from batch_ops.runs.launcher import Launcher
from batch_ops.task.run_plan import RunPlan, ToolChoice

log = logging.getLogger("batch_ops")


@define(kw_only=True, eq=False)
class Claims:
    """`entry` is the file's row as read, `record` the row of the new version. Every method may raise `Conflict`."""

    _ledger: Ledger
    _worklist: Worklist
    _notes: ProjectNotes
    _launcher: Launcher
    _ending: Ending
    _problem_file: ProblemFile
    _settings: Settings
    _clock: Callable[[], datetime]
    _new_id: Callable[[], str]

    async def claim(self, entry: Entry | None, record: FileRecord, kept: int | None = None) -> Entry:
        """Claim the run, ending the one before it, and create its task. `kept`: for it, of the month's budget."""
        claimed = await self._insert(entry, record, self._settings.grace, kept)
        if entry and entry.record.state is State.REJECTED:
            # Versions before this one noted an image with a slash before its name for `default`.
            for project in {naming.classifier_of(record.image_blob), naming.project_of(record.image_blob)}:
                await self._notes.forget_rejected(project, record.name)
        log.info("Claimed.", extra=fields(record))
        return await self._launcher.submit(claimed)

    async def wait(
        self, entry: Entry | None, record: FileRecord, state: State, reason: str, *, reported: bool = True
    ) -> Entry:
        """Make the version wait in this state; `reported`: PROBLEM.txt gives the reason to the uploader."""
        now, old = self._clock(), entry.record if entry else None
        wanted = (state, reason, record.image.etag, record.turn)
        if entry and old and (old.state, old.reason, old.image.etag, old.turn) == wanted:
            return entry
        until_turn = record.turn - now if record.turn else timedelta()
        patience = max(self._settings.project_poll, until_turn)
        if reported:
            held = await self._hold(entry, record, patience)
            waiting = held.record.to(state, now, reason)
            await self._problem_file.report(waiting)
            claimed = await self._ending.advance_reported(held, waiting)
        else:
            claimed = await self._insert(entry, record.to(state, now, reason), patience)
        log.info("%s", reason, extra=fields(claimed.record))
        return claimed

    async def reject(
        self, entry: Entry | None, record: FileRecord, project: Project, sentence: str, *, for_room: bool = False
    ) -> Entry:
        """End the version as `REJECTED`, remembered under its project: another classifier may accept it.

        `for_room`: so may another choice of the program that computes, or other nodes.
        """
        if entry and entry.record.run == record.run:
            await self._ending.tidy_later(entry.record)
        held = await self._hold(entry, record, self._settings.grace)
        await self._notes.note_rejected(naming.classifier_of(record.image_blob), record.name)
        companion = record.plan.companion
        key = run_key(record, project, self._settings, companion=companion)
        key = no_room_key(key, project, self._settings) if for_room else key
        plan = RunPlan(run_key=key, tool=ToolChoice(project_etag=project.etag), companion=companion)
        judged = replace(held.record, plan=plan)
        return await self._ending.end(held, judged.to(State.REJECTED, self._clock(), sentence))

    async def refuse(self, entry: Entry | None, record: FileRecord, sentence: str) -> Entry:
        """End the version as `REJECTED`, whatever its project is."""
        held = await self._hold(entry, record, self._settings.grace)
        return await self._ending.end(held, held.record.to(State.REJECTED, self._clock(), sentence))

    async def _hold(self, entry: Entry | None, record: FileRecord, due_in: timedelta) -> Entry:
        """Claim the run before PROBLEM.txt is written: an overtaken run must not delete another's results."""
        if entry is not None and entry.record.run == record.run:
            return replace(entry, record=record)
        return await self._insert(entry, record.to(State.WAITING, self._clock(), "It is being checked."), due_in)

    async def _insert(
        self, entry: Entry | None, record: FileRecord, due_in: timedelta, kept: int | None = None
    ) -> Entry:
        """Add the intent, then claim, then remove the older run's intent."""
        now = self._clock()
        nonce = self._new_id()
        waiting = record.state.is_waiting
        old = entry.record if entry else None
        intent = Intent(record.name, nonce, due=now + due_in, added=now, waiting=waiting, kept_micro=kept)
        await self._worklist.add(intent)
        if old and old.placement.task_id and not old.state.is_final:
            await self._ending.clean_later(old)
        moves_on = old is not None and (old.run != record.run or not waiting)
        if old and moves_on and old.state not in {State.SUCCEEDED, State.CANCELLED}:
            # Somebody may be writing its PROBLEM.txt, and die before noticing that this is out of date.
            await self._ending.tidy_later(old)
        try:
            claimed = await self._ledger.claim(replace(record, intent=nonce), entry)
        except Conflict:
            await self.withdraw(record.name, nonce)
            raise
        if old and old.intent and old.intent != nonce:
            await self._worklist.remove(old.name, old.intent)
        if waiting and record.placement.previous.task_id:
            # Once more when this version is submitted or over.
            with suppress(ServiceFault):
                await self._ending.end_previous(record)
        return claimed

    async def withdraw(self, name: str, nonce: str) -> None:
        """Remove the intent of a claim that met a conflict, unless the claim was stored.

        Either somebody else was first, or we were, and the client repeated a call whose answer was lost.
        """
        found = await self._ledger.get(name)
        if found is None or found.record.intent != nonce:
            await self._worklist.remove(name, nonce)
