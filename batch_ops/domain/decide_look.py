"""What looking at a blob leads to: (its row, who asks, the blob as it is now) -> a decision. Pure.

An upload, announced by an event with a newer sequencer, begins a run unless all that the last one computed from is the
same: length, Content-MD5, classifier. Edits of properties raise no event. So where none was seen, beginning and end
of the file and its length are enough to tell an edit.

Leave     nothing to do: the row is right as it is
Insert    no service can handle the blob's name: its first row says so
Cancel    the blob was deleted before its run began
Continue  the row's own version: it takes the blob's new ETag, or its claim is submitted
Begin     a version without a run: `decide_start` decides what happens to it
"""

from dataclasses import dataclass, replace
from datetime import datetime

from batch_ops.domain import naming
from batch_ops.domain.blob import Blob, ImageVersion
from batch_ops.domain.file_record import FileRecord, State
from batch_ops.domain.orders import LookOrder
from batch_ops.domain.project import NoProject, Project
from batch_ops.domain.record_parts import Times
from batch_ops.domain.run_key import no_room_key, run_key
from batch_ops.domain.settings import Settings
from batch_ops.domain.worklist import Stand


@dataclass(frozen=True, slots=True)
class Leave:
    """The row stays as it is."""


@dataclass(frozen=True, slots=True)
class Insert:
    """The first row of the blob, which is final."""

    record: FileRecord


@dataclass(frozen=True, slots=True)
class Cancel:
    """The run ends as `CANCELLED`."""

    record: FileRecord


@dataclass(frozen=True, slots=True)
class Continue:
    """The row goes on, with the record if it differs; `submit`: its task is to be created."""

    record: FileRecord
    submit: bool


@dataclass(frozen=True, slots=True)
class Begin:
    """The version of this blob has no run yet."""

    blob: Blob


type Look = Leave | Insert | Cancel | Continue | Begin


@dataclass(frozen=True, slots=True)
class Seen:
    """What was found out, in this order; the rest stays unset once the answer is clear.

    `blob`: None if there is none. `project`: read only where `may_be_judged_anew`; so is `companion`, the ETag of the
    file beside an image that may have one.
    """

    old: FileRecord | None
    order: LookOrder
    now: datetime
    blob: Blob | None = None
    project: Project | NoProject | None = None
    companion: str = ""

    @property
    def is_clear_without_the_blob(self) -> bool:
        """Whether the answer does not depend on the blob."""
        return self.is_older or bool(naming.fault_of(self.order.name))

    @property
    def is_older(self) -> bool:
        """Whether the event is older than one already handled; sequencers of unequal length can't be compared."""
        old, sequencer = self.old, self.order.sequencer
        if old is None or old.state.is_waiting or old.state is State.SUBMITTING:
            return False
        return len(sequencer) == len(old.sequencer) and sequencer < old.sequencer

    @property
    def is_upload(self) -> bool:
        """Whether this is the event of an upload, and not known to be older than the version of the row.

        A row that the sweep began knows no sequencer: to segment twice is better than to miss an upload.
        """
        old, sequencer = self.old, self.order.sequencer
        known = old.sequencer if old else ""
        return bool(sequencer) and (len(sequencer) != len(known) or sequencer > known)

    @property
    def is_same_upload(self) -> bool:
        """Whether an upload brought the row's very bytes once more, under a new ETag."""
        if self.old is None or self.blob is None or not self.is_upload:
            return False
        image = self.old.image
        return (image.etag != self.blob.etag or bool(image.begun_etag)) and is_same_content(self.old, self.blob)

    @property
    def lacks_ends(self) -> bool:
        """Whether beginning and end have to be read: nothing else tells this version from the next."""
        return self.blob is not None and self.blob.md5 is None and not self.is_rows_own

    @property
    def is_rows_own(self) -> bool:
        """Whether the row is about this version."""
        return self.old is not None and self.blob is not None and self.old.image.etag == self.blob.etag

    @property
    def is_being_removed(self) -> bool:
        """Whether this version is just being removed for good; of a rerun, whose image stays, its results."""
        old = self.old
        if old is None or old.purging is None or self.blob is None:
            return False
        return bool(old.source) or old.purging == self.blob.etag

    @property
    def is_asked_again(self) -> bool:
        """Whether an operator wants another run after this one."""
        return self.old is not None and self.old.state.is_final and self.order.again == self.old.run

    def may_be_judged_anew(self, settings: Settings) -> bool:
        """Whether a change of the project matters to the run: it has ended, or its image was uploaded again."""
        if self.old is None or self.is_asked_again:
            return False
        if self.is_same_upload:
            return True
        return self.old.state is State.REJECTED or (self.old.state is State.SUCCEEDED and settings.rerun_finished)


def decide_look(seen: Seen, settings: Settings) -> Look:
    """Decide what the blob, as it is now, means to its row."""
    old, blob = seen.old, seen.blob
    if seen.is_older:
        return Leave()
    if fault := naming.fault_of(seen.order.name):
        return Leave() if old else Insert(_refused(seen.order, fault, seen.now))
    if blob is None:
        if old is None or not old.state.is_waiting:
            # A task that has begun continues.
            return Leave()
        return Cancel(old.deleted(seen.now, "The file was deleted before it was started."))
    if seen.is_being_removed:
        return Leave()
    if old is None or old.state.is_waiting or seen.is_asked_again or _is_judged_anew(seen, old, settings):
        return Begin(blob)
    if _is_new(seen, old, blob):
        return Begin(blob)
    submit = old.state is State.SUBMITTING and (old.times.not_before is None or old.times.not_before <= seen.now)
    kept = replace(old, sequencer=max(old.sequencer, seen.order.sequencer))
    if old.image.etag != blob.etag or seen.is_same_upload:
        begun = "" if seen.is_upload else old.image.begun_etag or old.image.etag
        image = replace(old.image, etag=blob.etag, begun_etag=begun)
        # Whoever uploads it once more wants to keep it.
        purge_at = None if seen.is_upload else old.times.purge_at
        kept = replace(kept, image=image, times=replace(old.times, updated_at=seen.now, purge_at=purge_at))
    return Continue(kept, submit)


def _is_new(seen: Seen, old: FileRecord, blob: Blob) -> bool:
    """Return whether the blob is another version than the one of the row's run."""
    if not seen.is_upload:
        return not seen.is_rows_own and not (is_same_content(old, blob) or _has_same_ends(old, blob))
    if seen.is_rows_own and not old.image.begun_etag:
        return False
    # The same bytes for another classifier: `_is_judged_anew`; for none, they wait for one.
    return not seen.is_same_upload or not isinstance(seen.project, Project)


def _is_judged_anew(seen: Seen, old: FileRecord, settings: Settings) -> bool:
    project, companion = seen.project, seen.companion or old.plan.companion
    if not isinstance(project, Project):
        return False
    key = run_key(old, project, settings, old.plan.image, companion)
    same = {key, no_room_key(key, project, settings)} if old.state is State.REJECTED else {key}
    return old.plan.run_key not in same


def _refused(order: LookOrder, reason: str, now: datetime) -> FileRecord:
    record = FileRecord(
        order.name, 1, State.WAITING, ImageVersion("", 0), order.correlation_id, times=Times(dropped_at=now)
    )
    return record.to(State.REJECTED, now, reason)


def is_same_content(known: FileRecord | Stand, blob: Blob) -> bool:
    """Return whether only the properties changed: same length and Content-MD5 (without one, it may differ).

    Somebody who uploads a failed or deleted file again wants it segmented.
    """
    if known.state in {State.FAILED, State.CANCELLED}:
        return False
    return blob.md5 is not None and (known.image.length, known.image.md5) == (blob.length, blob.md5)


def _has_same_ends(known: FileRecord, blob: Blob) -> bool:
    if known.state in {State.FAILED, State.CANCELLED} or (blob.md5 and known.image.md5):
        return False
    return blob.ends is not None and (known.image.length, known.image.ends) == (blob.length, blob.ends)


def is_missed(blob: Blob, stand: Stand | None) -> bool:
    """Return whether the ledger has no row of this version of an image."""
    if stand is None:
        return True
    return blob.etag != stand.image.etag and not is_same_content(stand, blob)
