"""Use case `start`: an image was dropped, or may have been. Acts on the blob as it is now; an event is a hint.

look -> check -> claim -> create. A crash anywhere in between is finished by the next event or by reconcile: the
intent is there before the claim, and the claim names job and task before the task is created.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass

from batch_ops.containers.blob_ranges import BlobRanges
from batch_ops.containers.classifiers import Projects
from batch_ops.domain import naming
from batch_ops.domain.checks import Accepted, CheckLimits, Refused, Verdict
from batch_ops.domain.errors import BlobChanged, BlobMissing, Conflict, ServiceFault
from batch_ops.domain.file_record import Blob, Entry, FileRecord, State
from batch_ops.domain.project import NoProject, Project
from batch_ops.domain.run_plan import claimed, disk_fault, image_options, run_key
from batch_ops.domain.worklist import Stand
from batch_ops.log_fields import fields
from batch_ops.ports.services import ImageCheck
from batch_ops.runs.admission import Gate, day_of
from batch_ops.runs.claims import Claims
from batch_ops.runs.executor import Executor

log = logging.getLogger("batch_ops")

HEAD_BYTES = 64 * 1024
_RACES = 8


@dataclass(frozen=True, slots=True)
class Hint:
    """Somebody says that this blob may be new. The sequencer orders the events of one blob.

    `backfill`: an operator asks for an older file, which takes its turn. `again`: an operator wants this run, if it
    is still the file's and over, to be followed by another; a run that waits is not to wait for its turn.
    """

    name: str
    correlation_id: str
    sequencer: str = ""
    backfill: bool = False
    again: int = 0


class Start:
    """Looks at one image and does what is due for it."""

    def __init__(self, executor: Executor, projects: Projects, check: ImageCheck, new_id: Callable[[], str]) -> None:
        self._do = executor
        self._ledger, self._worklist, self._blobs = executor.ledger, executor.worklist, executor.blobs
        self._settings, self._clock = executor.settings, executor.clock
        self._projects, self._check = projects, check
        self._claims = Claims(executor, new_id)
        self.gate = Gate(executor.worklist, executor.settings, executor.clock)
        self._limits = CheckLimits(max_declared_bytes=executor.settings.max_image_bytes)

    async def __call__(self, hint: Hint) -> Entry | None:
        """The file's row afterwards; None where there is nothing to remember. Raises `ServiceFault`, `Conflict`."""
        if not naming.is_image(hint.name):
            return None
        for _ in range(_RACES):
            try:
                return await self._look(hint)
            except (Conflict, BlobChanged):
                # Somebody else was first, or the file is being written right now: look again.
                continue
        raise Conflict(f"{naming.plain(hint.name)} kept changing while it was looked at.")

    async def _look(self, hint: Hint) -> Entry | None:
        entry = await self._ledger.get(hint.name)
        if entry and _is_older(hint.sequencer, entry.record):
            return entry
        if not naming.is_reachable(hint.name):
            return entry or await self._unreachable(hint)
        try:
            blob, head = await self._blobs.read(self._settings.input_container, hint.name, 0, HEAD_BYTES)
        except BlobMissing:
            return await self._gone(entry)
        if entry is None:
            return await self._begin(hint, blob, head, None)
        record = entry.record
        asked_again = record.state.is_final and hint.again == record.run
        if record.state.is_waiting or asked_again or await self._is_judged_anew(record):
            return await self._begin(hint, blob, head, entry)
        if record.etag != blob.etag:
            if not is_same_content(record, blob):
                return await self._begin(hint, blob, head, entry)
            log.info("Only the properties of the file changed; nothing runs again.", extra=fields(record))
            entry = await self._ledger.advance(entry, record.evolve(etag=blob.etag, updated_at=self._clock()))
        if record.state is State.SUBMITTING and (record.not_before is None or record.not_before <= self._clock()):
            return await self._do.submit(entry)
        return entry

    async def _is_judged_anew(self, record: FileRecord) -> bool:
        """Whether the project changed in a way that matters to a run that is over."""
        again = record.state is State.SUCCEEDED and self._settings.rerun_finished
        if record.state is not State.REJECTED and not again:
            return False
        project = await self._projects.get(naming.project_of(record.name))
        return isinstance(project, Project) and run_key(record, project, self._settings) != record.run_key

    async def _unreachable(self, hint: Hint) -> Entry:
        """No address leads to such a blob: neither its content nor a PROBLEM.txt; the row alone can say so."""
        reason = "A folder in its name is '.' or '..', which no program can address; upload it under another name."
        now = self._clock()
        record = FileRecord(hint.name, 1, State.WAITING, "", 0, hint.correlation_id, dropped_at=now)
        return await self._ledger.claim(record.to(State.REJECTED, now, reason), None)

    async def _gone(self, entry: Entry | None) -> Entry | None:
        """The blob was deleted: what waited for it is cancelled, a task at work is let be."""
        if entry is None or not entry.record.state.is_waiting:
            return entry
        reason = "The file was deleted before it was started."
        await self._do.tidy_later(entry.record)
        return await self._do.end(entry, entry.record.to(State.CANCELLED, self._clock(), reason))

    async def _begin(self, hint: Hint, blob: Blob, head: bytes, entry: Entry | None) -> Entry:
        """A version that has no run yet: reject it, let it wait, or claim and submit it."""
        now = self._clock()
        old = entry.record if entry else None
        goes_on = old is not None and old.state.is_waiting and old.etag == blob.etag
        previous_job_id, previous_task_id = await self._left_behind(old, goes_on)
        backfill = hint.backfill
        if entry and goes_on:
            backfill = entry.record.backfill and hint.again != entry.record.run
            if backfill and entry.record.turn and entry.record.turn > now:
                return entry
        fresh = FileRecord(
            name=hint.name,
            run=old.run if goes_on and old else (old.run + 1 if old else 1),
            state=State.WAITING,
            etag=blob.etag,
            length=blob.length,
            md5=blob.md5,
            correlation_id=old.correlation_id if goes_on and old else hint.correlation_id,
            sequencer=max(hint.sequencer, old.sequencer if old else ""),
            dropped_at=blob.modified,
            history=old.history if goes_on and old else "",
            intent=old.intent if goes_on and old else "",
            previous_job_id=previous_job_id,
            previous_task_id=previous_task_id,
            backfill=backfill,
            turn=old.turn if goes_on and backfill and old else None,
        )
        if (blob.tier or "").lower() == "archive":
            reason = "The file lies in the archive tier; it starts once it is brought back (rehydrated)."
            return await self._claims.wait(entry, fresh, State.WAITING, reason)
        try:
            if reason := await self.gate.hold(naming.project_of(hint.name)):
                return await self._claims.wait(entry, fresh, State.WAITING, reason, reported=False)
            project = await self._projects.get(naming.project_of(hint.name))
            if isinstance(project, NoProject):
                return await self._claims.wait(entry, fresh, State.WAITING_FOR_PROJECT, project.sentence)
            # A turn is good for its day only: what missed it, in a pause for example, takes another.
            if backfill and fresh.turn != day_of(now):
                turn = await self.gate.turn()
                fresh = fresh.evolve(turn=turn)
                if turn > now:
                    return await self._claims.wait(
                        entry, fresh, State.WAITING, self.gate.wait_sentence(turn), reported=False
                    )
            verdict = await self._verdict(blob, head, project)
        except ServiceFault as fault:
            # Kept as data: reconcile looks again; the message need not come back.
            return await self._claims.wait(entry, fresh, State.WAITING, fault.sentence, reported=False)
        if isinstance(verdict, Refused):
            return await self._claims.reject(entry, fresh, project, verdict.sentence)
        if isinstance(verdict, Accepted) and (sentence := disk_fault(blob, verdict.facts, project, self._settings)):
            return await self._claims.reject(entry, fresh, project, sentence)
        reason = "Is handed to Azure Batch." if isinstance(verdict, Accepted) else verdict.sentence
        facts = verdict.facts if isinstance(verdict, Accepted) else None
        return await self._claims.claim(entry, claimed(fresh, project, facts, self._settings, now, reason))

    async def _verdict(self, blob: Blob, head: bytes, project: Project) -> Verdict:
        options = image_options(project, self._settings)
        ranges = BlobRanges(self._blobs, self._settings.input_container, blob)
        return await self._check.check_image(blob.name, ranges, project.facts, options, self._limits, head=head)

    async def _left_behind(self, old: FileRecord | None, goes_on: bool) -> tuple[str, str]:
        """Job and task of the older run that have to be ended, whoever gets to do it; "" for none.

        Of a run that was cancelled or given up, the task may still be there: Batch was out, or the process died.
        """
        if old is None or old.state in {State.SUCCEEDED, State.REJECTED, State.SUPERSEDED}:
            return "", ""
        if goes_on or not old.task_id:
            return old.previous_job_id, old.previous_task_id
        # A row remembers one task: what the older version had to end itself is ended now.
        await self._do.end_previous(old)
        return old.job_id, old.task_id


def _is_older(sequencer: str, record: FileRecord) -> bool:
    """Whether an event is older than one that was acted on; sequencers of unlike length can't be compared."""
    if record.state.is_waiting or record.state is State.SUBMITTING:
        return False
    return len(sequencer) == len(record.sequencer) and sequencer < record.sequencer


def is_same_content(known: FileRecord | Stand, blob: Blob) -> bool:
    """Whether only the properties changed: same length and same Content-MD5 (a blob without one may differ).

    Who uploads a file again that failed, or that was deleted in between, wants it segmented.
    """
    if known.state in {State.FAILED, State.CANCELLED}:
        return False
    return blob.md5 is not None and (known.length, known.md5) == (blob.length, blob.md5)
