"""Use case `start`: starts an image that was, or may have been, uploaded. Acts on the current blob; an order is a hint.

Gather -> decide -> apply, twice: is the blob news (`decide_look`), may its run begin
(`decide_start`)? After a crash in between, the next event or reconcile continues: the
intent is stored before the claim, and the claim names job and task before the task is created.
"""

import hashlib
import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime

from attrs import define

from batch_ops.containers.blob_ranges import BlobRanges
from batch_ops.containers.classifiers import Classifiers
from batch_ops.containers.reruns import Reruns
from batch_ops.domain import naming
from batch_ops.domain.blob import Blob
from batch_ops.domain.decide_look import Begin, Cancel, Continue, Insert, Leave, Seen, decide_look
from batch_ops.domain.decide_start import Case, Claim, Gathered, Keep, Reject, Wait, decide
from batch_ops.domain.errors import BlobChanged, BlobMissing, Conflict, ServiceFault
from batch_ops.domain.file_record import Entry, FileRecord, State
from batch_ops.domain.orders import LookOrder
from batch_ops.domain.project import NoProject
from batch_ops.domain.settings import Settings
from batch_ops.image.facts import Accepted, Unchecked
from batch_ops.log_fields import fields
from batch_ops.ports.services import BlobStore
from batch_ops.ports.tables import Ledger, ProjectNotes
from batch_ops.runs.admission import Admission
from batch_ops.runs.budget_gate import BudgetGate
from batch_ops.runs.claims import Claims
from batch_ops.runs.contrasts import Contrasts
from batch_ops.runs.ending import Ending
from batch_ops.runs.image_look import ImageLook
from batch_ops.runs.launcher import Launcher
from batch_ops.runs.strays import Strays
from batch_ops.task.plain_text import plain

log = logging.getLogger("batch_ops")

HEAD_BYTES = 64 * 1024
_RACES = 8


@define(kw_only=True, eq=False)
class Start:
    """Looks at one image and does what is necessary."""

    _ledger: Ledger
    _notes: ProjectNotes
    _blobs: BlobStore
    _image_look: ImageLook
    _classifiers: Classifiers
    _admission: Admission
    _contrasts: Contrasts
    _budget: BudgetGate
    _claims: Claims
    _reruns: Reruns
    _launcher: Launcher
    _ending: Ending
    _strays: Strays
    _settings: Settings
    _clock: Callable[[], datetime]

    async def __call__(self, order: LookOrder) -> Entry | None:
        """Start the image if necessary; return the file's row afterwards, None if there is none.

        Raises `ServiceFault`, `Conflict`.
        """
        if not naming.is_possible(order.name):
            return None
        look = self._look if naming.is_image(order.name) or await self._was_image(order) else self._strays
        for _ in range(_RACES):
            try:
                return await look(order)
            except (Conflict, BlobChanged):
                # Somebody else was first, or the file is being written: look again.
                continue
        raise Conflict(f"{plain(order.name)} kept changing while it was looked at.")

    async def _was_image(self, order: LookOrder) -> bool:
        """Return whether a run is open of a file that versions before this one took for an image."""
        entry = None if order.container else await self._ledger.get(order.name)
        return entry is not None and not entry.record.state.is_final and not await self._strays.has_told(order.name)

    async def _look(self, order: LookOrder) -> Entry | None:
        entry = await self._ledger.get(order.name)
        order = replace(order, source=entry.record.source if entry and entry.record.source else order.source)
        if (order.container or not order.source) and await self._reruns.has(order.name):
            return await self._dropped_into_rerun(order, entry)
        seen, head = await self._see(Seen(entry.record if entry else None, order, self._clock()))
        decision = decide_look(seen, self._settings)
        match decision:
            case Leave():
                return entry
            case Insert(record):
                return await self._ledger.claim(record, None)
            case Begin(blob):
                return await self._begin(order, blob, head, entry)
        assert entry is not None
        match decision:
            case Cancel(record):
                await self._ending.tidy_later(entry.record)
                return await self._ending.end(entry, record)
            case Continue(record, submit):
                if record != entry.record:
                    log.info("Nothing that it computes from has changed; it is not run again.", extra=fields(record))
                    entry = await self._ledger.advance(entry, record)
                return await self._launcher.submit(entry) if submit else entry

    async def _dropped_into_rerun(self, order: LookOrder, entry: Entry | None) -> Entry | None:
        """Reject what was dropped where results of another folder's images are; what has a run there goes on."""
        blob = await self._blobs.head(self._settings.input_container, order.name)
        if blob is None or (entry and (entry.record.source or not entry.record.state.is_waiting)):
            return entry
        folder = plain(naming.project_of(order.name))
        sentence = (
            f"The folder '{folder}' holds a project that was segmented again (files rerun), so that nothing can be "
            "dropped into it: upload the file to another folder."
        )
        record = Case(entry.record if entry else None, replace(order, source=""), blob, self._clock()).record(None)
        return await self._claims.refuse(entry, record, sentence)

    async def _see(self, seen: Seen) -> tuple[Seen, bytes]:
        """Find out what the decision needs, the cheapest first, until it is clear; and read the blob's beginning."""
        if seen.is_clear_without_the_blob:
            return seen, b""
        try:
            blob, head = await self._blobs.read(
                self._settings.input_container, seen.order.source or seen.order.name, 0, HEAD_BYTES
            )
        except BlobMissing:
            return seen, b""
        if blob.is_folder:
            return seen, b""
        seen = replace(seen, blob=blob)
        if seen.lacks_ends:
            seen = replace(seen, blob=replace(blob, ends=await self._ends(blob, head)))
        elif seen.old and seen.is_rows_own:
            seen = replace(seen, blob=replace(blob, ends=seen.old.image.ends))
        if seen.may_be_judged_anew(self._settings):
            seen = replace(seen, project=await self._classifiers.get(naming.classifier_of(blob.name)))
            if seen.old and seen.old.plan.companion:
                seen = replace(seen, companion=await self._image_look.companion(blob.name))
        return seen, head

    async def _ends(self, blob: Blob, head: bytes) -> str | None:
        """Return a digest of the blob's beginning and its end; None where they can't be read."""
        beginning = min(HEAD_BYTES, blob.length)
        if len(head) != beginning:
            return None
        end = b""
        if blob.length > beginning:
            first = max(beginning, blob.length - HEAD_BYTES)
            ranges = BlobRanges(self._blobs, self._settings.input_container, blob)
            try:
                end = await ranges.read(first, blob.length - first)
            except BlobMissing as exc:
                raise BlobChanged(f"{plain(blob.name)} was deleted while it was looked at.") from exc
        return hashlib.sha256(head + end).hexdigest()

    async def _begin(self, order: LookOrder, blob: Blob, head: bytes, entry: Entry | None) -> Entry:
        """Handle a version without a run: reject it, make it wait, or claim and submit it."""
        looked = Case(entry.record if entry else None, order, blob, self._clock())
        if looked.old and looked.overwrites_a_task:
            await self._ending.end_previous(looked.old)
        decision = decide(looked, await self._gather(looked, head), self._settings)
        match decision:
            case Wait(record, state, reason, reported):
                return await self._claims.wait(entry, record, state, reason, reported=reported)
            case Reject(record, project, sentence, for_room):
                return await self._claims.reject(entry, record, project, sentence, for_room=for_room)
            case Claim(record):
                return await self._claim(entry, looked, record)
            case Keep():
                assert entry is not None
                return entry

    async def _claim(self, entry: Entry | None, case: Case, record: FileRecord) -> Entry:
        """Claim the run, unless others have used up the month's budget while it was being checked."""
        kept = await self._budget.to_keep(record)
        if over := await self._budget.hold(case.blob.name):
            return await self._claims.wait(entry, case.record(record.turn), State.WAITING, over)
        with self._budget.beginning(record, kept):
            return await self._claims.claim(entry, record, kept)

    async def _gather(self, case: Case, head: bytes) -> Gathered:
        """Find out what the decision needs, the cheapest first, until it is clear that the file must wait."""
        found = Gathered(turn=case.turn)
        if case.is_before_its_turn or case.is_archived:
            return found
        name = naming.classifier_of(case.blob.name)
        try:
            if hold := await self._admission.hold(case.blob.name, case.order.name):
                return replace(found, hold=hold)
            if over := await self._budget.hold(case.blob.name):
                return replace(found, over_budget=over)
            project = await self._classifiers.get(name)
            found = replace(found, project=project)
            if isinstance(project, NoProject) or case.is_unsettled(project):
                return found
            if case.needs_turn:
                turn = await self._admission.turn()
                found = replace(found, turn=turn, turn_sentence=self._admission.wait_sentence(turn))
                if turn > case.now:
                    return found
            answers: Mapping[str, str] = {}
            if kind := case.asks(project, self._settings):
                answers = await self._notes.answers(naming.composed(name))
                if kind not in answers:
                    return replace(found, unanswered=True)
            looked = await self._image_look(case.blob, head, project, answers)
            found = replace(found, verdict=looked.verdict, companion=looked.companion)
        except ServiceFault as fault:
            # Stored as data: reconcile looks again; the message need not come back.
            return replace(found, fault=fault.sentence)
        if project.config.pictures and isinstance(found.verdict, Accepted | Unchecked):
            found = replace(found, contrast=await self._contrasts.of(case.blob.name))
        return found
