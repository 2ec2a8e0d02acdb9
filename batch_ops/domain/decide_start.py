"""What happens to an uploaded image: (old row, order, blob, what was gathered) -> a decision. Pure.

    Keep    nothing to do: the row is right as it is
    Wait    the run can't begin yet; the reason says what it waits for
    Reject  the image does not fit its classifier; the sentence says why
    Claim   the image will be segmented: the record names its job and its task

`start` gathers it, the cheapest first, and applies the decision.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from batch_ops.domain import naming
from batch_ops.domain.batch_task import NO_TASK, TaskRef
from batch_ops.domain.blob import Blob
from batch_ops.domain.file_record import FileRecord, State
from batch_ops.domain.node_disk import disk_fault
from batch_ops.domain.node_memory import memory_fault
from batch_ops.domain.orders import LookOrder
from batch_ops.domain.planning import asking, claimed, question
from batch_ops.domain.project import NoProject, Project
from batch_ops.domain.record_parts import Placement, Times
from batch_ops.domain.run_key import NO_COMPANION, run_key
from batch_ops.domain.settings import Settings
from batch_ops.domain.turns import day_of
from batch_ops.image.facts import Accepted, Refused, Unchecked, Undecided, Verdict
from batch_ops.image.image_axes import kind_of
from batch_ops.task.pictures import Contrast
from batch_ops.task.plain_text import plain

# So long a file waits for a check that does not end; then it runs without, and the node decides by the same rules.
CHECK_PATIENCE = timedelta(hours=1)
_ARCHIVED = (
    "The file is in the archive tier; it starts by itself once somebody rehydrates it (moves it to another tier)."
)


@dataclass(frozen=True, slots=True)
class Keep:
    """The row stays as it is."""


@dataclass(frozen=True, slots=True)
class Wait:
    """The version waits in this state; `reported`: PROBLEM.txt says so too."""

    record: FileRecord
    state: State
    reason: str
    reported: bool = True


@dataclass(frozen=True, slots=True)
class Reject:
    """The version ends as `REJECTED`; `for_room`: no node here has room for it, which says nothing of other nodes."""

    record: FileRecord
    project: Project
    sentence: str
    for_room: bool = False


@dataclass(frozen=True, slots=True)
class Claim:
    """The version is claimed and its task created."""

    record: FileRecord


type Decision = Keep | Wait | Reject | Claim


@dataclass(frozen=True, slots=True)
class Case:
    """A version of an image that has no run yet: the file's row, who asks, and the blob as it is now."""

    old: FileRecord | None
    order: LookOrder
    blob: Blob
    now: datetime

    @property
    def goes_on(self) -> bool:
        """Whether the row is about this very version, and waits."""
        return self.old is not None and self.old.state.is_waiting and self.old.image.etag == self.blob.etag

    def asks(self, project: Project, settings: Settings) -> str:
        """Return the kind of image about whose axes the row asks, if it would ask the same now; else ""."""
        old = self.old
        if old is None or not self.goes_on or not old.plan.image.is_known:
            return ""
        return kind_of(old.plan.image.shape) if old.plan.run_key == run_key(old, project, settings) else ""

    @property
    def backfill(self) -> bool:
        """Whether it has to take its turn among the back-filled files."""
        if self.old and self.goes_on:
            return self.old.backfill and self.order.again != self.old.run
        return self.order.backfill

    @property
    def waited(self) -> timedelta:
        """How long the version has been in state `WAITING`."""
        if self.old is None or not self.goes_on or self.old.state is not State.WAITING or not self.old.history:
            return timedelta()
        return self.now - self.old.history[-1].at

    @property
    def turn(self) -> datetime | None:
        """The turn that it has already taken."""
        return self.old.turn if self.old and self.goes_on and self.backfill else None

    @property
    def needs_turn(self) -> bool:
        """Whether to take a turn. A turn is valid on its day only: a file that missed it takes another."""
        return self.backfill and self.turn != day_of(self.now)

    @property
    def is_archived(self) -> bool:
        """Whether the content can't be read until somebody rehydrates it."""
        return self.blob.is_archived

    def is_unsettled(self, project: Project) -> bool:
        """Whether it was written so recently that its project wants to see first whether it is written again."""
        # The clock of the storage may be ahead of ours.
        settle = project.config.settle
        return bool(settle) and self.now - self.blob.modified < settle

    @property
    def is_before_its_turn(self) -> bool:
        """Whether its turn is still to come."""
        return self.turn is not None and self.turn > self.now

    @property
    def left_behind(self) -> TaskRef:
        """The task of the older run that has to be ended, whoever gets to do it.

        The task of a cancelled or failed run may still exist: Batch was unavailable, or the process died.
        """
        old = self.old
        if old is None or old.state in {State.SUCCEEDED, State.REJECTED, State.SUPERSEDED}:
            return NO_TASK
        if self.goes_on or not old.placement.task_id:
            return old.placement.previous
        return old.tasks

    @property
    def overwrites_a_task(self) -> bool:
        """Whether the old row names a task to end that the new one has no room for: a row remembers one."""
        kept = self.left_behind
        return self.old is not None and kept != NO_TASK and self.old.placement.previous not in {NO_TASK, kept}

    def record(self, turn: datetime | None) -> FileRecord:
        """Make the row of the version, before the decision."""
        old, kept = self.old, self.old if self.goes_on else None
        record = FileRecord(
            name=self.order.name,
            source=self.order.source,
            run=kept.run if kept else (old.run + 1 if old else 1),
            state=State.WAITING,
            image=self.blob.version,
            correlation_id=kept.correlation_id if kept else self.order.correlation_id,
            sequencer=max(self.order.sequencer, old.sequencer if old else ""),
            history=kept.history if kept else (),
            intent=kept.intent if kept else "",
            backfill=self.backfill,
            turn=turn,
            times=Times(dropped_at=self.blob.modified),
            placement=Placement(previous=self.left_behind),
            steered=kept.steered if kept else (),
        )
        asked = old is not None and self.order.again == old.run
        return record.steered_by("retry", self.order.by, self.now) if asked else record


@dataclass(frozen=True, slots=True)
class Gathered:
    """What was found out about a case, in this order; the rest stays unset once it is clear that it must wait.

    `hold`: why no run may begin, "" if it may; `over_budget`: the same of the month's budget. `turn`: the case's turn,
    the one just taken included. `unanswered`: the row asks which axes the image has, and nobody has said so yet.
    `contrast`: that of its folder, if it has one. `fault`: a service could not answer; the sentence says which.
    """

    hold: str = ""
    over_budget: str = ""
    project: Project | NoProject | None = None
    turn: datetime | None = None
    turn_sentence: str = ""
    verdict: Verdict | None = None
    companion: str = ""
    unanswered: bool = False
    contrast: Contrast | None = None
    fault: str = ""


def _waits_for_companion(name: str) -> str:
    beside = plain(naming.companion_of(name).rpartition("/")[2])
    return f"It waits a while for its XML, '{beside}'; if that does not come, it runs without."


def _waits_until_settled(project: Project) -> str:
    return (
        f"It starts once nobody has written it anew for {project.config.settle.total_seconds():g} seconds, as its "
        "project's configuration says (settle_seconds)."
    )


def decide(case: Case, found: Gathered, settings: Settings) -> Decision:
    """Decide what happens to the case."""
    if case.is_before_its_turn:
        return Keep()
    if case.is_archived:
        return Wait(case.record(case.turn), State.WAITING, _ARCHIVED)
    record = case.record(found.turn)
    if found.fault or found.hold:
        return Wait(record, State.WAITING, found.fault or found.hold, reported=False)
    if found.over_budget:
        return Wait(record, State.WAITING, found.over_budget)
    project, verdict = found.project, found.verdict
    if isinstance(project, NoProject):
        return Wait(record, State.WAITING_FOR_PROJECT, project.sentence)
    if project is not None and case.is_unsettled(project):
        return Wait(record, State.WAITING, _waits_until_settled(project), reported=False)
    if found.turn and found.turn > case.now:
        return Wait(record, State.WAITING, found.turn_sentence, reported=False)
    assert project is not None
    if found.unanswered:
        return Keep()
    assert verdict is not None
    if found.companion == NO_COMPANION and case.now - case.blob.modified < settings.companion_wait:
        return Wait(record, State.WAITING, _waits_for_companion(record.name), reported=False)
    record = replace(record, plan=replace(record.plan, companion=found.companion))
    if isinstance(verdict, Undecided):
        return Wait(asking(record, project, verdict, settings), State.WAITING, question(record.name, verdict))
    if isinstance(verdict, Refused):
        return Reject(record, project, verdict.sentence)
    if isinstance(verdict, Unchecked) and verdict.passing and case.waited - project.config.settle < CHECK_PATIENCE:
        return Wait(record, State.WAITING, f"{verdict.sentence} It will be looked at again.", reported=False)
    if not isinstance(verdict, Accepted):
        return Claim(claimed(record, project, verdict, settings, case.now, found.contrast))
    fault = disk_fault(case.blob, verdict.images, project, settings)
    if fault := fault or memory_fault(record.name, verdict.images, project, settings):
        return Reject(record, project, fault, for_room=True)
    return Claim(claimed(record, project, verdict, settings, case.now, found.contrast))
