"""Use case `start`: an image was dropped, or may have been. Acts on the blob as it is now; an event is a hint.

look -> check -> claim -> create. A crash anywhere in between is finished by the next event or by reconcile: the
intent is there before the claim, and the claim names job and task before the task is created.
"""

import hashlib
import json
import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from batch_ops import naming
from batch_ops.errors import BlobChanged, BlobMissing, Conflict, ServiceFault
from batch_ops.executor import Executor, fields
from batch_ops.export_plan import EXPORT_SOURCES, export_plan
from batch_ops.facts import Accepted, CheckLimits, ImageFacts, ImageOptions, Refused, Verdict
from batch_ops.gate import Gate, day_of
from batch_ops.model import Blob, Entry, FileRecord, Intent, Stand, State
from batch_ops.ports import ImageCheck
from batch_ops.projects import NoProject, Project, Projects
from batch_ops.ranges import BlobRanges

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
        self._projects, self._check, self._new_id = projects, check, new_id
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
        return isinstance(project, Project) and self._run_key(record.name, record.etag, project) != record.run_key

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
            return await self._wait(entry, fresh, State.WAITING, reason)
        try:
            if reason := await self.gate.hold(naming.project_of(hint.name)):
                return await self._wait(entry, fresh, State.WAITING, reason, reported=False)
            project = await self._projects.get(naming.project_of(hint.name))
            if isinstance(project, NoProject):
                return await self._wait(entry, fresh, State.WAITING_FOR_PROJECT, project.sentence)
            # A turn is good for its day only: what missed it, in a pause for example, takes another.
            if backfill and fresh.turn != day_of(now):
                turn = await self.gate.turn()
                fresh = fresh.evolve(turn=turn)
                if turn > now:
                    return await self._wait(entry, fresh, State.WAITING, self.gate.wait_sentence(turn), reported=False)
            verdict = await self._verdict(blob, head, project)
        except ServiceFault as fault:
            # Kept as data: reconcile looks again; the message need not come back.
            return await self._wait(entry, fresh, State.WAITING, fault.sentence, reported=False)
        if isinstance(verdict, Refused):
            return await self._reject(entry, fresh, project, verdict.sentence)
        if isinstance(verdict, Accepted) and (sentence := self._disk_fault(blob, verdict.facts, project)):
            return await self._reject(entry, fresh, project, sentence)
        reason = "Is handed to Azure Batch." if isinstance(verdict, Accepted) else verdict.sentence
        facts = verdict.facts if isinstance(verdict, Accepted) else None
        return await self._claim(entry, self._claimed(fresh, project, facts, reason, now))

    async def _left_behind(self, old: FileRecord | None, goes_on: bool) -> tuple[str, str]:
        """Job and task of the older version that have to be ended, whoever gets to do it; "" for none."""
        if old is None or old.state.is_final:
            return "", ""
        if goes_on or not old.task_id:
            return old.previous_job_id, old.previous_task_id
        # A row remembers one task: what the older version had to end itself is ended now.
        await self._do.end_previous(old)
        return old.job_id, old.task_id

    def _disk_fault(self, blob: Blob, facts: ImageFacts, project: Project) -> str:
        """A sentence if image and TIFFs do not fit the node's disk together (0: the size is not known)."""
        if not self._settings.node_disk_gb:
            return ""
        per_class, bytes_per_value = EXPORT_SOURCES[self._export_source(project)]
        channels = len(project.facts.classes) if per_class else 1
        plan = export_plan(facts.axes, facts.shape, channels=channels, bytes_per_value=bytes_per_value)
        # An untagged image is copied once more to be tagged.
        need = (blob.length * (1 if facts.tagged else 2) + plan.files * plan.bytes_per_file) / 1e9
        if need <= self._settings.node_disk_gb:
            return ""
        return (
            f"'{naming.plain(blob.name)}' and its TIFFs need {need:.1f} GB, but a node's disk has "
            f"{self._settings.node_disk_gb} GB; split the image, or ask for nodes with larger disks."
        )

    async def _verdict(self, blob: Blob, head: bytes, project: Project) -> Verdict:
        per_class, bytes_per_value = EXPORT_SOURCES[self._export_source(project)]
        options = ImageOptions(
            internal_path=project.config.internal_path,
            axes=project.config.axes,
            output_channels=len(project.facts.classes) if per_class else 1,
            bytes_per_value=bytes_per_value,
        )
        ranges = BlobRanges(self._blobs, self._settings.input_container, blob)
        return await self._check.check_image(blob.name, ranges, project.facts, options, self._limits, head=head)

    def _export_source(self, project: Project) -> str:
        return project.config.export_source or self._settings.export_source

    def _run_key(self, name: str, etag: str, project: Project) -> str:
        """What makes a run what it is: image, classifier, effective settings, ilastik."""
        effective = (project.config.internal_path, project.config.axes, self._export_source(project))
        key = [name, etag, project.digest, effective, self._settings.ilastik_version]
        return hashlib.sha256(json.dumps(key).encode()).hexdigest()

    def _claimed(
        self, fresh: FileRecord, project: Project, facts: ImageFacts | None, reason: str, now: datetime
    ) -> FileRecord:
        """All that the task needs, with the ids of job and task: recovery never derives them again."""
        settings = self._settings
        wall_clock = project.config.wall_clock or settings.wall_clock
        return fresh.to(
            State.SUBMITTING,
            now,
            reason,
            run_key=self._run_key(fresh.name, fresh.etag, project),
            project_etag=project.etag,
            project_digest=project.digest,
            ilastik_version=settings.ilastik_version,
            internal_path=facts.internal_path if facts else project.config.internal_path or "",
            axes=facts.axes if facts else project.config.axes or "",
            tagged=facts.tagged if facts else not project.config.axes,
            shape="x".join(map(str, facts.shape)) if facts else "",
            export_source=self._export_source(project),
            wall_clock_seconds=max(1, round(wall_clock.total_seconds())),
            pool_id=settings.pool_id,
            job_id=naming.job_id(settings.job_prefix, settings.pool_id, now),
            task_id=naming.task_id(fresh.name, fresh.run, 1),
            attempt=1,
        )

    async def _claim(self, entry: Entry | None, record: FileRecord) -> Entry:
        """Claim the run, ending the one before it, and create its task."""
        claimed = await self._insert(entry, record, self._settings.grace)
        if entry and entry.record.state is State.REJECTED:
            await self._worklist.forget_rejected(naming.project_of(record.name), record.name)
        log.info("Claimed.", extra=fields(record))
        return await self._do.submit(claimed)

    async def _wait(
        self, entry: Entry | None, record: FileRecord, state: State, reason: str, *, reported: bool = True
    ) -> Entry:
        now, old = self._clock(), entry.record if entry else None
        if entry and old and (old.state, old.reason, old.etag, old.turn) == (state, reason, record.etag, record.turn):
            return entry
        until_turn = record.turn - now if record.turn else timedelta()
        patience = max(self._settings.project_poll, until_turn)
        if reported:
            held = await self._hold(entry, record, patience)
            waiting = held.record.to(state, now, reason)
            await self._do.report(waiting)
            claimed = await self._ledger.advance(held, waiting)
        else:
            claimed = await self._insert(entry, record.to(state, now, reason), patience)
        log.info("%s", reason, extra=fields(claimed.record))
        return claimed

    async def _reject(self, entry: Entry | None, record: FileRecord, project: Project, sentence: str) -> Entry:
        held = await self._hold(entry, record, self._settings.grace)
        await self._worklist.note_rejected(naming.project_of(record.name), record.name)
        key = self._run_key(record.name, record.etag, project)
        rejected = held.record.to(State.REJECTED, self._clock(), sentence, run_key=key, project_etag=project.etag)
        return await self._do.end(held, rejected)

    async def _hold(self, entry: Entry | None, record: FileRecord, due_in: timedelta) -> Entry:
        """Claim the run before PROBLEM.txt tells of it: who is overtaken must not clear away another's results."""
        if entry is not None and entry.record.run == record.run:
            return Entry(record, entry.version)
        return await self._insert(entry, record.to(State.WAITING, self._clock(), "Is being looked at."), due_in)

    async def _insert(self, entry: Entry | None, record: FileRecord, due_in: timedelta) -> Entry:
        """Intent first, then the claim; the older run's intent goes once the claim stands."""
        now = self._clock()
        nonce = self._new_id()
        waiting = record.state.is_waiting
        old = entry.record if entry else None
        await self._worklist.add(Intent(record.name, nonce, due=now + due_in, added=now, waiting=waiting))
        if old and old.task_id and not old.state.is_final:
            await self._do.clean_later(old)
        if old and old.run != record.run and old.state not in {State.SUCCEEDED, State.CANCELLED}:
            # Somebody may be about to write its PROBLEM.txt, and die before it is seen that the run is overtaken.
            await self._do.tidy_later(old)
        try:
            claimed = await self._ledger.claim(record.evolve(intent=nonce), entry)
        except Conflict:
            await self._do.withdraw(record.name, nonce)
            raise
        if old and old.intent and old.intent != nonce:
            await self._worklist.remove(old.name, old.intent)
        if waiting and record.previous_task_id:
            # Once more when this version is submitted or over.
            with suppress(ServiceFault):
                await self._do.end_previous(record)
        return claimed


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
