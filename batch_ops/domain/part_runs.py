"""What happens to a run in parts when something becomes known about one of them. Pure.

A part is looked at as if it were a run of its own, so that the rules for runs (`transitions`) are its rules: what its
task shows, how often and when it is tried again, what its work has cost. What comes of it is put back into the run.
"""

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime

from batch_ops.domain.attempts import Attempt, Tries
from batch_ops.domain.batch_task import Task
from batch_ops.domain.file_record import FileRecord, State
from batch_ops.domain.node_disk import joins_alone
from batch_ops.domain.parts import Parts, PartState, PartTask
from batch_ops.domain.record_parts import Placement, Spent, Times
from batch_ops.domain.settings import Settings
from batch_ops.domain.spending import seconds_of
from batch_ops.domain.transitions import Step, Then
from batch_ops.task.failure_kinds import RULES, FailureKind
from batch_ops.task.parts import part_id

_STATES = {
    PartState.CLAIMED: State.SUBMITTING,
    PartState.ACTIVE: State.ACTIVE,
    PartState.PREPARING: State.PREPARING,
    PartState.RUNNING: State.RUNNING,
    PartState.SUCCEEDED: State.COLLECTING,
    PartState.FAILED: State.FAILED,
}
_CLOSED = "Its job was closed in Azure Batch."
_PART_STATES = {state: part for part, state in _STATES.items()}


def has_open_parts(record: FileRecord) -> bool:
    """Return whether its parts are at work: what joins them has not begun."""
    return record.parts is not None and not record.parts.are_done


def is_of_newer_version(record: FileRecord) -> bool:
    """Return whether only a newer version understands what its parts are at: then this one leaves it alone."""
    return record.parts is not None and record.parts.unread != ""


def as_run(record: FileRecord, number: int) -> FileRecord:
    """Return a part as a run of its own, the first being 1; its attempts before this one are the run's."""
    assert record.parts is not None
    part, here = record.parts.each[number - 1], record.placement
    return replace(
        record,
        parts=None,
        state=_STATES[part.state],
        reason="",
        kind=None,
        history=(),
        placement=Placement(
            pool_id=here.pool_id,
            job_id=here.job_id,
            task_id=part_id(here.task_id, part.attempt, number),
            attempt=part.attempt,
            alone=here.alone or part.alone,
            requeues=part.requeues,
            node_losses=part.node_losses,
            node_kind=part.node_kind,
            slot_price_micro=part.slot_price_micro,
            missing_since=part.missing_since,
        ),
        tries=Tries(part.tries),
        times=Times(task_started_at=part.started_at, not_before=part.not_before),
        spent=Spent(),
    )


def of_part(task: Task) -> Task:
    """Return the task of a part as it is compared with the row, which has its start to the second.

    So has it all its times: work that began to the second before, and ended to the microsecond, would be half a second
    too long in the mean, of each part.
    """
    at = ("changed", "started", "ended", "requeued")
    moments = {name: moment.replace(microsecond=0) for name in at if (moment := getattr(task, name)) is not None}
    return replace(task, **moments)


def with_part(record: FileRecord, number: int, seen: FileRecord) -> FileRecord:
    """Return the run with what has become of a part: its seconds and their cost are the run's as soon as they are over.

    The state of the run itself is that of before (see `followed`). Of several parts that fail only the first is FAILED:
    the run ends with it, and all tasks but those of parts that have succeeded are ended.
    """
    parts = record.parts
    assert parts is not None
    if seen.state is State.COLLECTING:
        seen = seen.between_stretches()
    here, ended = record.placement, seen.state.is_final
    # A final one has counted its last stretch.
    over = seconds_of(seen.times) if ended else seen.times.failed_seconds or 0
    is_first = seen.state is State.FAILED and parts.failed is None
    part = PartTask(
        state=PartState.ACTIVE if seen.state is State.FAILED and not is_first else _PART_STATES[seen.state],
        attempt=seen.placement.attempt,
        tries=seen.tries.counts,
        alone=seen.placement.alone and not here.alone,
        requeues=seen.placement.requeues,
        node_losses=seen.placement.node_losses,
        node_kind=seen.placement.node_kind,
        slot_price_micro=seen.placement.slot_price_micro,
        started_at=None if ended else seen.times.task_started_at,
        not_before=seen.times.not_before if seen.state is State.SUBMITTING else None,
        missing_since=seen.placement.missing_since,
    )
    if part.state is PartState.SUCCEEDED:
        part = part.at_rest()
    before = parts.each[number - 1]
    tries = record.tries
    for attempt in seen.tries.attempts:
        # Each has its own rule; of the run they are noted.
        tries = tries.excused(attempt)
    spent = record.spent
    if over or seen.spent != Spent():
        spent = Spent(
            (spent.cost_micro or 0) + (seen.spent.cost_micro or 0),
            (spent.priced_seconds or 0) + (seen.spent.priced_seconds or 0),
            seen.spent.cost_currency or spent.cost_currency,
        )
    if is_first:
        plan = replace(record.plan, warnings=seen.plan.warnings)
        reason = f"Of {parts.cut.words(number)}: {seen.reason}"
        record = replace(record, kind=seen.kind, reason=reason, plan=plan)
    elif part == before and not over:
        return record
    return replace(
        record,
        parts=parts.with_part(number, part),
        tries=tries,
        spent=spent,
        times=replace(record.times, failed_seconds=(record.times.failed_seconds or 0) + over or None),
    )


def followed(record: FileRecord, now: datetime, settings: Settings) -> Step:
    """Decide what the parts of a run mean for it, once their own changes are in the record.

    It fails with the first of its parts that fails for good, and its task, which joins them, is claimed when all have
    succeeded.
    """
    parts = record.parts
    assert parts is not None
    if parts.failed is not None:
        return Step(record.to(State.FAILED, now, record.reason), Then.REPORT)
    if parts.are_done:
        reason = f"All {len(parts.each)} parts are done; the task that joins them is being created."
        if joins_alone(record.image.length, record.plan.planned_bytes, parts.cut, settings):
            record = replace(record, placement=replace(record.placement, alone=True))
        return Step(record.to(State.SUBMITTING, now, reason), Then.SUBMIT)
    moved = record.to(_state_of(parts), now, parts.progress)
    return Step(moved, Then.SUBMIT if parts.to_create(now) or parts.next_due else Then.NOTHING)


def _state_of(parts: Parts) -> State:
    states = {part.state for part in parts.each}
    if PartState.RUNNING in states:
        return State.RUNNING
    return State.PREPARING if PartState.PREPARING in states else State.ACTIVE


def created(record: FileRecord, numbers: tuple[int, ...], now: datetime) -> FileRecord:
    """Return the run once the tasks of these parts exist."""
    assert record.parts is not None
    parts = record.parts
    for number in numbers:
        part = parts.each[number - 1]
        parts = parts.with_part(number, replace(part, state=PartState.ACTIVE, not_before=None, started_at=None))
    return replace(record, parts=parts).to(_state_of(parts), now, parts.progress)


def claimed_anew(record: FileRecord, now: datetime) -> FileRecord:
    """Claim another attempt of every part that has a task and has not succeeded, as their job was closed.

    Their tasks of before are the run's previous ones, which are to be ended. A part that was lost as often as the rule
    allows fails, and the run with it (see `followed`).
    """
    rule, previous = RULES[FailureKind.LOST], record.tasks
    record = record.without_parts_at_work(now)
    assert record.parts is not None
    for number, part in enumerate(record.parts.each, start=1):
        if part.is_open and part.state is not PartState.CLAIMED:
            run = as_run(record, number)
            attempt = Attempt(part.attempt, run.placement.task_id, FailureKind.LOST, _CLOSED, "", now)
            tries = run.tries.plus(attempt)
            run = replace(run, tries=tries, times=Times(), kind=FailureKind.LOST, reason=f"{rule.last_words}{_CLOSED}")
            if tries.of(FailureKind.LOST) >= rule.tries:
                seen = replace(run, state=State.FAILED)
            else:
                here = Placement(attempt=part.attempt + 1, alone=run.placement.alone, node_losses=part.node_losses)
                seen = replace(run, state=State.SUBMITTING, placement=here)
            record = with_part(record, number, seen)
    return replace(record, placement=replace(record.placement, previous=previous))


def computed_again(record: FileRecord, numbers: Collection[int]) -> FileRecord:
    """Claim another attempt of parts that had succeeded, as what joins them could not use their results.

    How often that may happen is a matter of the run's tries: what joins them has failed.
    """
    parts = record.parts
    assert parts is not None
    for number in numbers:
        parts = parts.with_part(number, PartTask(attempt=parts.each[number - 1].attempt + 1))
    return replace(record, parts=parts)
