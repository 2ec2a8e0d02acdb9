"""What happens to a file when something becomes known about its task: (record, observation, now) -> step. Pure.

The store refuses every move that `ALLOWED` does not have; the use cases carry out the steps.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum, auto
from types import MappingProxyType

from batch_ops.domain import naming
from batch_ops.domain.attempts import Attempt
from batch_ops.domain.batch_task import NO_TASK, Task, TaskState
from batch_ops.domain.errors import IllegalTransition
from batch_ops.domain.failures import Cause
from batch_ops.domain.file_record import FileRecord, State
from batch_ops.domain.pool_trouble import FREE_NODE
from batch_ops.domain.prices import Node
from batch_ops.domain.record_parts import Placement
from batch_ops.domain.settings import Settings
from batch_ops.domain.spending import started, stretch_ended
from batch_ops.domain.task_spec import slots_of
from batch_ops.task.failure_kinds import RULES, FailureKind, FailureRule

_BEFORE = {State.WAITING, State.WAITING_FOR_PROJECT}
_TASK = {State.ACTIVE, State.PREPARING, State.RUNNING}
_ENDS = {State.FAILED, State.SUPERSEDED, State.CANCELLED}

ALLOWED: Mapping[State, frozenset[State]] = MappingProxyType(
    {
        State.WAITING: frozenset({*_BEFORE, State.SUBMITTING, State.REJECTED, *_ENDS}),
        State.WAITING_FOR_PROJECT: frozenset({*_BEFORE, State.SUBMITTING, State.REJECTED, *_ENDS}),
        State.SUBMITTING: frozenset({State.SUBMITTING, *_TASK, State.COLLECTING, *_ENDS}),
        **{state: frozenset({*_TASK, State.COLLECTING, State.SUBMITTING, *_ENDS}) for state in _TASK},
        State.COLLECTING: frozenset({State.COLLECTING, State.SUBMITTING, State.SUCCEEDED, *_ENDS}),
        # A final row keeps its state: only the ETag of the blob may change (a metadata edit).
        **{state: frozenset({state}) for state in State if state.is_final},
    }
)


def check_move(old: State, new: State) -> None:
    """Raise `IllegalTransition` for a move that the table does not have."""
    if new not in ALLOWED[old]:
        raise IllegalTransition(f"A file can't go from {old} to {new}.")


# A task that lost this many nodes is considered to be the cause.
NODE_LOSSES = 4
# So often may Batch put a task back where the app may not ask whether its nodes were lost or taken back by Azure.
MOST_REQUEUES = 12


class Then(Enum):
    """What to do once the step's record is in the ledger."""

    NOTHING = auto()
    COLLECT = auto()
    SUBMIT = auto()
    REPORT = auto()


@dataclass(frozen=True, slots=True)
class Step:
    """The row to write, and what to do next."""

    record: FileRecord
    then: Then = Then.NOTHING


def observe(
    record: FileRecord,
    task: Task,
    cause: Cause | None,
    now: datetime,
    settings: Settings,
    *,
    excused: bool | None = False,
    node: Node | None = None,
) -> Step | None:
    """Decide what the state of a task means for its file; None if nothing is new.

    `cause` is why a completed task failed, None for success (`failures.cause_of`). `excused`: that the task lost its
    node is not the file's doing, and costs the run no try; None: unknown. `node`: the task's, where it was looked up.
    """
    here = record.placement
    if task.ref != here.task:
        return None
    if record.state is not State.SUBMITTING and not record.state.has_task:
        return None
    lost = max(0, task.requeues - here.requeues) if excused is False else 0
    over = stretch_ended(record.times, here.requeues, task)
    worked = record
    if over is not None:
        worked = replace(record, times=replace(record.times, task_ended_at=over)).between_stretches()
    seen = replace(
        worked,
        placement=replace(
            _placed(worked, task, node, settings),
            missing_since=None,
            node_losses=here.node_losses + lost,
            requeues=max(task.requeues, here.requeues),
        ),
        times=replace(worked.times, task_started_at=started(task) or worked.times.task_started_at),
    )
    if node is not None and seen.placement.slot_price_micro is not None:
        seen = replace(seen, spent=replace(seen.spent, cost_currency=settings.prices.currency))
    if task.state is TaskState.COMPLETED:
        return _completed(seen, task, cause, now, settings, excused)
    if seen.placement.node_losses >= NODE_LOSSES:
        sentence = f"It took down its node: {seen.placement.node_losses} nodes were lost while they worked on it."
        return Step(replace(seen, kind=FailureKind.NODE).to(State.FAILED, now, sentence), Then.REPORT)
    if excused is None and task.requeues >= MOST_REQUEUES:
        sentence = (
            f"Batch put it back into its queue {task.requeues} times, and it is not known what became of the nodes."
        )
        return Step(replace(seen, kind=FailureKind.NODE).to(State.FAILED, now, sentence), Then.REPORT)
    state = State(task.state.upper())
    if state is record.state and seen == record:
        return None
    return Step(
        replace(seen, placement=replace(seen.placement, previous=NO_TASK)).to(state, now, _reason(state, task, record))
    )


def _placed(record: FileRecord, task: Task, node: Node | None, settings: Settings) -> Placement:
    """Return where the task is, with the price of its part of the node, as far as it is known."""
    here = record.placement
    if node is None:
        if not task.node_id or task.node_id == here.node_id:
            return here
        node = Node()
    price = settings.prices.of_part(node, slots_of(record, settings))
    return replace(
        here,
        node_id=task.node_id or here.node_id,
        node_size=node.size,
        node_kind=node.kind,
        slot_price_micro=price,
    )


def _reason(state: State, task: Task, record: FileRecord) -> str:
    match state:
        case State.ACTIVE if task.requeues:
            return f"Batch put the task back into its queue ({task.requeues} times so far); it waits for a node."
        case State.ACTIVE:
            return FREE_NODE
        case State.PREPARING:
            return "The node is fetching the image and the project."
        case _ if record.parts is not None:
            return f"What its {len(record.parts.each)} parts became is being joined."
        case _:
            return f"{record.plan.tool.title} is running."


def _completed(
    record: FileRecord, task: Task, cause: Cause | None, now: datetime, settings: Settings, excused: bool | None
) -> Step:
    ended = replace(
        record,
        placement=replace(record.placement, exit_code=task.exit_code, previous=NO_TASK),
        times=replace(record.times, task_ended_at=task.ended or now),
    )
    if cause is None:
        return Step(
            ended.to(State.COLLECTING, now, f"{record.plan.tool.title} has finished; its results are being moved."),
            Then.COLLECT,
        )
    return failed(ended, cause, now, settings, excused=excused)


def missing(record: FileRecord, now: datetime, settings: Settings) -> Step | None:
    """Decide what it means that Batch lacks the row's task (but has its job): twice, some time apart, is LOST."""
    if not record.state.has_task:
        return None
    if record.placement.missing_since is None:
        noted = replace(record.placement, missing_since=now)
        return Step(replace(record, placement=noted, times=replace(record.times, updated_at=now)))
    if now - record.placement.missing_since < settings.lost_after:
        return None
    sentence = f"Batch no longer knows the task {record.placement.task_id}."
    # Since then at the latest nobody works on it.
    ended = record.times.task_ended_at or record.placement.missing_since
    record = replace(
        record,
        placement=replace(record.placement, missing_since=None),
        times=replace(record.times, task_ended_at=ended if record.times.task_started_at else None),
    )
    return failed(record, Cause(FailureKind.LOST, sentence), now, settings)


def failed(
    record: FileRecord, cause: Cause, now: datetime, settings: Settings, *, excused: bool | None = False
) -> Step:
    """Decide on another attempt or the end, by the rule for this kind of failure; what is excused does not count.

    Where nobody knows whether it is excused, the number of attempts ends the run.
    """
    rule = RULES[cause.kind]
    here = record.placement
    attempt = Attempt(here.attempt, here.task_id, cause.kind, cause.sentence, here.node_id, now)
    tries = record.tries.plus(attempt) if excused is False else record.tries.excused(attempt)
    done = max(1, tries.of(cause.kind))
    record = replace(record, tries=tries)
    is_last = done >= rule.tries if excused is False else excused is None and here.attempt >= MOST_REQUEUES
    if is_last or here.exit_code in rule.hopeless_exits:
        total = here.attempt
        sentence = rule.last_words + cause.sentence
        sentence = sentence if total == 1 else f"{sentence} (Tried {total} times.)"
        noticed = (*record.plan.warnings, *(one for one in cause.warnings if one not in record.plan.warnings))
        ended = replace(record, kind=cause.kind, plan=replace(record.plan, warnings=noticed))
        return Step(ended.to(State.FAILED, now, sentence), Then.REPORT)
    step = _next_attempt(record, now, rule, done, f"{cause.sentence} It will be tried again.")
    if rule.alone and settings.large_pool_id:
        job_id = naming.job_id(settings.job_prefix, settings.large_pool_id, now)
        step = replace(step, placement=replace(step.placement, pool_id=settings.large_pool_id, job_id=job_id))
    return Step(step, Then.SUBMIT)


def _next_attempt(record: FileRecord, now: datetime, rule: FailureRule, done: int, reason: str) -> FileRecord:
    """Claim another attempt: stored before its task is created, after the old task has ended."""
    here, attempt = record.placement, record.placement.attempt + 1
    wait = rule.delay * 2 ** (done - 1)
    worked = record.between_stretches()
    return replace(
        worked,
        placement=Placement(
            pool_id=here.pool_id,
            job_id=here.job_id,
            task_id=naming.task_id(record.name, record.run, attempt),
            attempt=attempt,
            alone=here.alone or rule.alone,
            previous=here.task,
            node_losses=here.node_losses,
        ),
        times=replace(worked.times, not_before=now + wait if wait else None),
    ).to(State.SUBMITTING, now, reason)
