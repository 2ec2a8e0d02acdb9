"""The table of transitions, and what the rules for failures make of a run."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_ops.domain.batch_task import Task, TaskFailure, TaskState
from batch_ops.domain.blob import ImageVersion
from batch_ops.domain.errors import IllegalTransition
from batch_ops.domain.failures import Cause, cause_of, refined
from batch_ops.domain.file_record import FileRecord, Move, State
from batch_ops.domain.record_parts import Placement
from batch_ops.domain.transitions import ALLOWED, NODE_LOSSES, Then, check_move, failed, missing, observe
from batch_ops.task import contract
from batch_ops.task.failure_kinds import KIND_OF_EXIT, RULES, FailureKind
from batch_ops.task.run_plan import RunPlan, RunWarning
from tests.world import SETTINGS

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def record(state: State = State.RUNNING, **changes) -> FileRecord:
    """A file on its way."""
    base = FileRecord(
        name="fly/a.h5",
        run=3,
        state=state,
        correlation_id="c",
        history=(Move(state, NOW),),
        image=ImageVersion(etag="e1", length=10),
        placement=Placement(job_id="j", task_id="a-x-3-1", attempt=1),
        plan=RunPlan(wall_clock=timedelta(seconds=3600)),
    )
    return replace(base, **changes)


def task(state: TaskState = TaskState.COMPLETED, **changes) -> Task:
    """Its task."""
    values: dict[str, Any] = {"job_id": "j", "task_id": "a-x-3-1", "state": state, "changed": NOW} | changes
    return Task(**values)


def test_every_state_has_its_row():
    """The table names each state once, and final states lead nowhere."""
    assert set(ALLOWED) == set(State)
    for state in State:
        if state.is_final:
            assert ALLOWED[state] == {state}
            with pytest.raises(IllegalTransition):
                check_move(state, State.ACTIVE)


STATES = st.sampled_from(list(State))
TASKS = st.builds(
    task,
    state=st.sampled_from(list(TaskState)),
    exit_code=st.none() | st.sampled_from([0, 1, 81, 82, 83, 137, 139, 143]),
    succeeded=st.booleans(),
    failure=st.none()
    | st.builds(
        TaskFailure,
        category=st.sampled_from(["usererror", "UserError", "servererror"]),
        code=st.sampled_from(["BlobNotFound", "TaskEnded", "DiskFull", "FileUploadMiscError", "Strange", ""]),
        message=st.text(max_size=20),
    ),
    started=st.none() | st.just(NOW - 2 * HOUR),
    ended=st.none() | st.just(NOW),
    requeues=st.integers(0, 5),
)


@given(STATES, TASKS)
def test_whatever_is_seen_moves_along_the_table(state, seen):
    """No observation of a task ever asks for a move that the table forbids, nor wakes a finished file."""
    before = record(state)
    step = observe(before, seen, cause_of(seen, HOUR) if seen.state is TaskState.COMPLETED else None, NOW, SETTINGS)
    if step is None:
        return
    check_move(before.state, step.record.state)
    assert not before.state.is_final
    assert step.record.reason
    assert (step.record.run, step.record.name, step.record.image.etag) == (3, "fly/a.h5", "e1")


@given(st.lists(st.sampled_from(list(FailureKind)), min_size=40, max_size=40))
def test_retries_end(kinds):
    """However causes alternate, a run ends after a bounded number of attempts, each with a task id of its own."""
    current, ids = record(), set()
    for kind in kinds:
        ids.add(current.placement.task_id)
        step = failed(current, Cause(kind, "Why."), NOW, SETTINGS)
        if step.then is Then.REPORT:
            break
        assert step.record.placement.previous.task_id == current.placement.task_id
        assert step.record.state is State.SUBMITTING
        current = step.record
    assert step.then is Then.REPORT
    assert len(ids) <= sum(rule.tries - 1 for rule in RULES.values()) + 1


@pytest.mark.parametrize("kind", list(FailureKind))
def test_each_kind_is_tried_as_often_as_its_rule_says(kind):
    """Its rule decides; the reasons of all attempts stay in the row."""
    current = record()
    tries = RULES[kind].tries
    for count in range(1, tries + 1):
        step = failed(current, Cause(kind, "Why."), NOW, SETTINGS)
        assert step.record.tries.of(kind) == count
        current = replace(step.record, state=State.RUNNING)
    assert step.then is Then.REPORT
    assert step.record.state is State.FAILED
    assert step.record.kind is kind
    assert [a.kind for a in step.record.tries.attempts] == [kind] * tries


@pytest.mark.parametrize(
    ("exit_code", "then"),
    [
        (contract.EXIT_DISK_TOO_SMALL, Then.REPORT),
        (contract.EXIT_BAD_IMAGE, Then.REPORT),
        (contract.EXIT_BAD_PROJECT, Then.REPORT),
        (contract.EXIT_UNREAD, Then.SUBMIT),
    ],
)
def test_what_no_try_can_mend_is_tried_once(exit_code, then):
    """A disk without room even if it were empty; an image or a classifier that is no good, if that is certain."""
    ended = record(placement=Placement(job_id="j", task_id="a-x-3-1", attempt=1, exit_code=exit_code))
    assert failed(ended, Cause(KIND_OF_EXIT[exit_code], "Why."), NOW, SETTINGS).then is then


def test_preempted_nodes_are_free():
    """A spot node that Azure takes back costs the run nothing, however often."""
    current = record()
    for requeues in range(1, 20):
        seen = task(TaskState.ACTIVE, requeues=requeues)
        current = observe(current, seen, None, NOW, SETTINGS, excused=True).record
    assert current.state is State.ACTIVE
    assert current.placement.node_losses == 0
    for _ in range(20):
        step = failed(current, Cause(FailureKind.LOST, "Why."), NOW, SETTINGS, excused=True)
        assert (step.then, step.record.tries.of(FailureKind.LOST)) == (Then.SUBMIT, 0)
        current = replace(step.record, state=State.RUNNING)
    assert step.record.tries.attempts[-1].sentence == "Why."
    # The row remembers twelve of them; the sentence counts all.
    ended = failed(current, Cause(FailureKind.TIMEOUT, "Too slow."), NOW, SETTINGS).record
    assert ended.reason == "Too slow. (Tried 21 times.)"


@pytest.mark.parametrize("kind", [FailureKind.COMMAND, FailureKind.TIMEOUT])
def test_what_was_noticed_before_the_last_failure_stays(kind):
    """Beside the warnings of the check, each once, whoever knows best why it failed; a further attempt says its own."""
    known, new = RunWarning("memory", "It may need more."), RunWarning("one-class", "Every pixel is of class 1.")
    found = refined(Cause(kind, "Why."), Cause(FailureKind.COMMAND, "Exit 1.", (known, new)))
    current, step = record(plan=RunPlan(warnings=(known,))), None
    while step is None or step.then is Then.SUBMIT:
        step = failed(current, found, NOW, SETTINGS)
        current = replace(step.record, state=State.RUNNING)
        assert step.record.plan.warnings == ((known,) if step.then is Then.SUBMIT else (known, new))


def test_a_file_that_takes_down_its_nodes_ends():
    """The fourth node lost under a task is held to be the task's doing."""
    current = record()
    for requeues in range(1, NODE_LOSSES):
        current = observe(current, task(TaskState.ACTIVE, requeues=requeues), None, NOW, SETTINGS).record
        assert current.state is State.ACTIVE
    last = observe(current, task(TaskState.ACTIVE, requeues=NODE_LOSSES), None, NOW, SETTINGS)
    assert last.then is Then.REPORT
    assert "took down its node" in last.record.reason


def test_memory_moves_to_the_larger_pool():
    """Where a larger pool is configured, the second try goes there, into a job of that pool."""
    large = replace(SETTINGS, large_pool_id="big")
    step = failed(record(placement=Placement(pool_id="small")), Cause(FailureKind.OUT_OF_MEMORY, "Why."), NOW, large)
    assert (step.record.placement.pool_id, step.record.placement.job_id) == ("big", "ilastik-big-2026-11")
    end = failed(replace(step.record, state=State.RUNNING), Cause(FailureKind.OUT_OF_MEMORY, "Why."), NOW, large)
    assert "more memory than a node has" in end.record.reason


def test_waits_between_tries_grow():
    """A storage fault is tried again after 30, 60, 120 seconds."""
    current, waits = record(), []
    for _ in range(3):
        current = failed(current, Cause(FailureKind.STAGING_IN, "Why."), NOW, SETTINGS).record
        assert current.times.not_before is not None
        waits.append((current.times.not_before - NOW).total_seconds())
        current = replace(current, state=State.RUNNING)
    assert waits == [30, 60, 120]


def test_memory_is_tried_once_more_alone():
    """Too little memory: once more alone on a node."""
    step = failed(record(), Cause(FailureKind.OUT_OF_MEMORY, "Why."), NOW, SETTINGS)
    assert step.record.placement.alone


def test_success_needs_exit_code_zero_and_no_failure():
    """Exit code 0 with an upload failure is no success."""
    assert cause_of(task(exit_code=0), HOUR) is None
    upload = TaskFailure("usererror", "FileUploadMiscError", "no")
    assert cause_of(task(exit_code=0, failure=upload), HOUR).kind is FailureKind.STAGING_OUT


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"exit_code": 137}, FailureKind.OUT_OF_MEMORY),
        ({"exit_code": 1}, FailureKind.COMMAND),
        ({"exit_code": contract.EXIT_NO_OUTPUT}, FailureKind.NO_OUTPUT),
        ({"exit_code": contract.EXIT_DISK_FULL}, FailureKind.DISK_FULL),
        ({"failure": TaskFailure("UserError", "BlobNotFound", "gone")}, FailureKind.STAGING_IN),
        ({"failure": TaskFailure("usererror", "DiskFull", "")}, FailureKind.DISK_FULL),
        ({"failure": TaskFailure("servererror", "Unknown", "")}, FailureKind.NODE),
        ({"exit_code": None}, FailureKind.NODE),
        ({"exit_code": 143, "failure": TaskFailure("usererror", "TaskEnded", "")}, FailureKind.ENDED),
        ({"exit_code": None, "failure": TaskFailure("usererror", "TaskEnded", "")}, FailureKind.ENDED),
        ({"exit_code": 143}, FailureKind.LOST),
        ({"exit_code": -1, "failure": TaskFailure("usererror", "FailureExitCode", "")}, FailureKind.LOST),
        ({"exit_code": 143, "started": NOW - HOUR, "ended": NOW}, FailureKind.TIMEOUT),
    ],
)
def test_causes_are_read_from_codes(changes, kind):
    """Batch's codes and the task script's exit codes tell the kind of failure."""
    assert cause_of(task(**changes), HOUR).kind is kind


def test_the_task_script_knows_better_than_batch():
    """What the script found replaces the bare exit code, except where Batch ended the task."""
    found = Cause(FailureKind.DISK_FULL, "7 GB are missing.")
    assert refined(Cause(FailureKind.COMMAND, "exit 1"), found) == found
    assert refined(Cause(FailureKind.TIMEOUT, "too long"), found).kind is FailureKind.TIMEOUT
    ended = Cause(FailureKind.ENDED, "It was ended from outside.")
    assert refined(Cause(FailureKind.LOST, "shut down"), ended).kind is FailureKind.LOST


def test_lost_needs_two_looks_some_time_apart():
    """A task that is absent once is not lost."""
    first = missing(record(), NOW, SETTINGS)
    assert first.then is Then.NOTHING
    assert missing(first.record, NOW + timedelta(minutes=1), SETTINGS) is None
    lost = missing(first.record, NOW + timedelta(minutes=2), SETTINGS)
    assert lost.then is Then.SUBMIT
    assert lost.record.tries.attempts[0].kind is FailureKind.LOST


def test_a_task_that_is_not_the_rows_tells_nothing():
    """An older attempt's task has no say."""
    assert observe(record(), task(task_id="a-x-3-0"), None, NOW, SETTINGS) is None


def test_an_unchanged_state_is_no_step():
    """Seeing the same again writes nothing."""
    assert observe(record(), task(TaskState.RUNNING), None, NOW, SETTINGS) is None


def test_a_task_that_waits_again_works_no_more():
    """Whether Batch still tells when its last node began, or not; the time of it is counted once."""
    begun = NOW - HOUR
    running = observe(record(), task(TaskState.RUNNING, started=begun, node_id="n"), None, NOW, SETTINGS).record
    for started in (None, begun):
        waits = task(TaskState.ACTIVE, started=started, requeues=1)
        again = observe(running, waits, None, NOW, SETTINGS, excused=True).record
        assert (again.times.task_started_at, again.node_seconds) == (None, 3600)
        last = observe(again, replace(waits, changed=NOW + HOUR), None, NOW + HOUR, SETTINGS, excused=True)
        assert last is None
