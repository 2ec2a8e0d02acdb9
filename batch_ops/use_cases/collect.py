"""Use case `collect`, the completion handler: moves the results of a run from staging to its results folder.

Server-side copies only: no byte of a TIFF passes through here. Repeatable at any point:

    execution   the first complete one of the task's folder
    still ours  the image's ETag is the row's; the folder's fence holds against newer runs
    copies      started for files that are missing; while one is pending, the order comes back later
    provenance  written last: from then on the run is published
    sweep       delete what provenance does not name, and staging; then write the row
"""

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from attrs import define

from batch_ops.concurrency import for_all
from batch_ops.containers.certificates import Certificates
from batch_ops.containers.problem_file import ProblemFile
from batch_ops.containers.results import PROVENANCE, Author, Copy, ResultFolder
from batch_ops.containers.staging import Execution, Staging
from batch_ops.domain.errors import BlobChanged, BlobMissing, Conflict, NewerRun, ServiceFault
from batch_ops.domain.failures import Cause
from batch_ops.domain.file_record import Entry, FileRecord, State
from batch_ops.domain.orders import CollectOrder, LookOrder
from batch_ops.domain.planning import with_choices
from batch_ops.domain.provenance import Provenance, provenance, read_provenance
from batch_ops.domain.settings import Settings
from batch_ops.log_fields import fields
from batch_ops.ports.services import BlobStore, Outbox
from batch_ops.ports.tables import Ledger
from batch_ops.runs.contrasts import Contrasts
from batch_ops.runs.ending import Ending
from batch_ops.runs.launcher import Launcher
from batch_ops.runs.steps import Steps
from batch_ops.task.contract import LOG_NAME
from batch_ops.task.failure_kinds import FailureKind
from batch_ops.task.tool_success import unkept
from batch_ops.use_cases.absent_classes import AbsentClasses
from batch_ops.use_cases.project_changed import SEEN_BY_ALL
from batch_ops.use_cases.start import Start

log = logging.getLogger("batch_ops")


@define(kw_only=True, eq=False)
class Collect:
    """Handles one order per call; any number of calls may run at the same time."""

    _ledger: Ledger
    _blobs: BlobStore
    _outbox: Outbox
    _staging: Staging
    _problem_file: ProblemFile
    _launcher: Launcher
    _ending: Ending
    _steps: Steps
    _contrasts: Contrasts
    _certificates: Certificates
    _start: Start
    _absent_classes: AbsentClasses
    _settings: Settings
    _clock: Callable[[], datetime]

    async def __call__(self, order: CollectOrder) -> None:
        """Move the results, if that is not done yet. Raises `ServiceFault`: then order again."""
        entry = await self._ledger.get(order.name)
        if entry is None or not _is_current(entry.record, order):
            await self._tidy(order, entry)
            return
        try:
            if await self._is_still_the_image(entry):
                await self._publish(entry)
        except ServiceFault as fault:
            await self._put_off(entry, fault)
        except NewerRun as exc:
            await self._overtaken(entry, exc)
        except (Conflict, BlobChanged) as exc:
            log.info("Another run or another handler was first: %s", exc, extra=fields(entry.record))
            await self._outbox.send(CollectOrder.of(entry.record), self._settings.copy_poll)

    async def _put_off(self, entry: Entry, fault: ServiceFault) -> None:
        """Note in the row why and until when; the order comes back then."""
        try:
            noted = (await self._launcher.note(entry, fault)).record
        except Conflict:
            # The run has changed meanwhile; an outdated order does nothing.
            noted = entry.record
        delay = noted.times.not_before - self._clock() if noted.times.not_before else self._settings.copy_poll
        await self._outbox.send(CollectOrder.of(noted), max(delay, timedelta()))

    async def _overtaken(self, entry: Entry, exc: NewerRun) -> None:
        """Handle a newer run in the folder: it has replaced this run, or the ledger was reset."""
        now = await self._ledger.get(entry.record.name)
        if now is not None and now.record.run == entry.record.run:
            if now.record.state.is_final:
                return
            reason = f"{exc} Delete the folder of this file in the results and upload the file again."
            await self._ending.end(
                now, replace(now.record, kind=FailureKind.STAGING_OUT).to(State.FAILED, self._clock(), reason)
            )
            return
        await self._tidy(CollectOrder.of(entry.record), now)

    async def _is_still_the_image(self, entry: Entry) -> bool:
        """Return whether the image is still the row's version; ETags never recur, so the node read that version."""
        record = entry.record
        blob = await self._blobs.head(self._settings.input_container, record.image_blob)
        if blob is None:
            reason = "The file was deleted before its results were published."
            await self._ending.end(entry, record.deleted(self._clock(), reason))
            await self._staging.clear(record.name, record.run)
            return False
        if blob.etag == record.image.etag:
            return True
        after = await self._start(LookOrder(record.name, record.correlation_id))
        if after is not None and after.record.run == record.run:
            # The same content under a new ETag: continue with the current row.
            await self._outbox.send(CollectOrder.of(after.record))
        return False

    async def _publish(self, entry: Entry) -> None:
        record = entry.record
        execution = await self._staging.execution(record.placement.task_id)
        place = (self._blobs, self._settings.results_container, _author(record, execution))
        folder = await ResultFolder.read(*place)
        found = await _published(folder)
        if found is None:
            if execution is None:
                cause = Cause(FailureKind.NO_OUTPUT, "The task succeeded, but not all of its results are in staging.")
                await self._steps.fail(entry, cause)
                return
            if fault := _fault_of(record, execution):
                await self._steps.fail(entry, fault)
                return
            # From here on the folder holds no results until it holds all results of this run.
            await folder.remove(PROVENANCE)
            try:
                if not await self._copied(folder, execution):
                    await self._outbox.send(CollectOrder.of(record), self._settings.copy_poll)
                    return
            except BlobMissing:
                # Another handler has cleared staging: it has published, and will write the row.
                await self._outbox.send(CollectOrder.of(record), self._settings.copy_poll)
                return
            # Before it is named as the reason of a result.
            revoked = await self._certificates.keep(record, execution.manifest.engines)
            has_log = LOG_NAME in execution.sources
            absent = await self._absent_classes(record, execution.manifest.class_pixels)
            more = (*absent, *revoked)
            document = provenance(record, execution.manifest, has_log=has_log, now=self._clock(), more=more)
            await folder.publish(document)
            # An overtaken handler has finished writing here, or will see that this run is published.
            folder = await ResultFolder.read(*place)
            found = await _published(folder)
        if found is None:
            raise BlobChanged(f"{PROVENANCE} of {record.name} changed while it was written.")
        # Not what staging holds: of two executions, the one that was published may be gone from there already.
        await folder.sweep({PROVENANCE, *found.paths})
        await self._finish(entry, found)

    async def _copied(self, folder: ResultFolder, execution: Execution) -> bool:
        """Start the missing copies; return whether every copy is complete."""
        staging = self._staging.container
        copies: list[Copy] = []

        async def one(file: tuple[str, tuple[str, int]]) -> None:
            leaf, (source, length) = file
            copies.append(await folder.copy(leaf, (staging, source), length))

        await for_all(execution.sources.items(), one)
        return all(copy is Copy.DONE for copy in copies)

    async def _finish(self, entry: Entry, found: Provenance) -> None:
        """Finish a published run: keep its contrast, clear staging, then write the final row."""
        record, results = entry.record, found.published
        await self._contrasts.keep(record, found.contrast)
        await self._staging.clear(record.name, record.run)
        reason = f"{results.tiffs} TIFF{'' if results.tiffs == 1 else 's'} in the results."
        if record.plan.tool.tool_profile:
            reason = f"Its results by {record.plan.tool.title} are there."
        elif not results.tiffs:
            # They are in another format.
            reason = f"Its results are there, as {record.plan.tool.result_form or 'files'}."
        times = replace(record.times, not_before=None)
        plan = replace(record.plan, warnings=found.warnings or record.plan.warnings)
        if not plan.image.is_known and found.images:
            # It was not checked: the node knows what it was.
            plan = replace(plan, image=found.images[0], more_images=found.images[1:])
        reason = with_choices(reason, plan)
        done = replace(record, kind=None, times=times, plan=plan, published=results)
        if self._settings.rerun_finished:
            # Its project may have changed while it was running and not yet a finished file.
            await self._outbox.look_again(LookOrder(record.name, record.correlation_id), SEEN_BY_ALL)
        await self._ending.end(entry, done.to(State.SUCCEEDED, self._clock(), reason))

    async def _tidy(self, order: CollectOrder, entry: Entry | None) -> None:
        """Handle an order for an ended run: remove what an overtaken handler may have left."""
        if entry is not None and entry.record.run == order.run:
            await self._problem_file.settle(entry.record)
        if entry is None or entry.record.run <= order.run:
            return
        author = Author(order.name, order.run, order.task_id, order.correlation_id)
        folder = await ResultFolder.read_overtaken(self._blobs, self._settings.results_container, author)
        if folder.published_run > order.run:
            await folder.sweep(())
        ended = {record.run: record.state for record in await self._ledger.runs(order.name)}
        # The staging of a failed run is kept for finding the reason.
        if ended.get(order.run) is not State.FAILED:
            await self._staging.clear(order.name, order.run)


def _is_current(record: FileRecord, order: CollectOrder) -> bool:
    return record.state is State.COLLECTING and (record.run, record.placement.task_id) == (order.run, order.task_id)


def _author(record: FileRecord, execution: Execution | None) -> Author:
    name = execution.id if execution else ""
    return Author(record.name, record.run, record.placement.task_id, record.correlation_id, name)


def _is_of_this_version(record: FileRecord, execution: Execution) -> bool:
    """Return whether the node read this version: by ETag, or by content if only the properties changed."""
    image, known = execution.manifest.image, record.image
    # Without a digest, no more is known of an edit than that beginning and end are the same.
    etags = {known.etag} if known.md5 else {known.etag, known.begun_etag}
    return image.etag in etags or image.md5 == known.md5


def _fault_of(record: FileRecord, execution: Execution) -> Cause | None:
    """Say what is wrong with a complete execution: another version of the image, or not the outputs of the plan."""
    if not _is_of_this_version(record, execution):
        sentence = "The node read a different version of the image than the one that is there now."
        return Cause(FailureKind.STAGING_IN, sentence)
    manifest, profile = execution.manifest, record.plan.tool.profile
    if broken := manifest.breaks(record.plan.outputs) or (unkept(profile, manifest) if profile else ""):
        sentence = f"The task succeeded, but its results are not those that were planned: {broken}."
        return Cause(FailureKind.NO_OUTPUT, sentence)
    return None


async def _published(folder: ResultFolder) -> Provenance | None:
    """Read what this run has published; None if nothing yet, or if another execution of it was copied over that."""
    found = read_provenance(await folder.content(PROVENANCE)) if folder.has_own(PROVENANCE) else None
    return None if found is None or folder.mixes(found.paths, found.execution) else found
