"""What the parts of a run mean for it, and what its row says of them."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from batch_ops.adapters.row_part_texts import parts_of, text_of_parts
from batch_ops.domain.batch_task import Task, TaskState
from batch_ops.domain.blob import ImageVersion
from batch_ops.domain.failures import Cause
from batch_ops.domain.file_record import FileRecord, State
from batch_ops.domain.part_runs import as_run, claimed_anew, followed, has_open_parts, of_part, with_part
from batch_ops.domain.parts import OpenParts, Parts, PartState, PartTask
from batch_ops.domain.prices import Node, NodeKind, NodePrices
from batch_ops.domain.problem_text import problem_text
from batch_ops.domain.record_parts import Placement
from batch_ops.domain.settings import Settings
from batch_ops.domain.transitions import Then, observe
from batch_ops.task import contract
from batch_ops.task.failure_kinds import FailureKind
from batch_ops.task.outputs import PlannedOutput, Role
from batch_ops.task.parts import Division
from batch_ops.task.run_plan import RunWarning

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
PRICES = NodePrices.parse('{"size": {"dedicated": 0.36}}')
SETTINGS = Settings("https://batch", "pool", "/identity", prices=PRICES)
OWN = "a-abcdefghijklmnopqrstuvwxyz-3-1"


def run(*states: PartState, **parts: object) -> FileRecord:
    """A run with parts in these states."""
    each = tuple(PartTask(state) for state in states)
    return FileRecord(
        name="fly/a.h5",
        run=3,
        state=State.RUNNING,
        image=ImageVersion("e", 1),
        correlation_id="c",
        placement=Placement("pool", "job", OWN, 1),
        parts=Parts(Division("t", 40, len(each)), each),
    )


def test_what_a_part_has_cost_is_its_runs_once_it_is_over() -> None:
    """Seconds and price of each part are summed, in whatever order they end."""
    record, node = run(*(PartState.ACTIVE,) * 3), Node("size", 1, NodeKind.DEDICATED)
    for number in (2, 1, 3):
        part = as_run(record, number)
        task = Task("job", part.placement.task_id, TaskState.RUNNING, NOW, node_id="n", started=NOW)
        for seen in (task, replace(task, state=TaskState.COMPLETED, exit_code=0, ended=NOW + number * HOUR)):
            step = observe(as_run(record, number), seen, None, NOW, SETTINGS, node=node)
            assert step is not None
            record = with_part(record, number, step.record)

    assert record.parts is not None
    assert record.parts.are_done
    assert record.node_seconds == 6 * 3600
    assert (record.spent.cost_micro, record.spent.priced_seconds) == (6 * 360_000, 6 * 3600)


def test_the_task_of_an_attempt_before_says_nothing_any_more() -> None:
    """Nor does the same part of another run, or a part that there is not."""
    parts = replace(run(PartState.RUNNING, PartState.RUNNING)).parts
    assert parts is not None
    parts = parts.with_part(2, PartTask(PartState.RUNNING, attempt=3))
    stem = OWN.removesuffix("-1")

    told = [f"{OWN}-p1", f"{stem}-3-p2", f"{OWN}-p2", f"{stem}-4-p2", f"{OWN}-p3", f"{OWN}-p0", OWN, f"x{OWN}-p1"]
    assert [parts.number_of(task, OWN) for task in told] == [1, 2, None, None, None, None, None, None]


@pytest.mark.parametrize(
    ("states", "state", "then"),
    [
        ("aa", State.ACTIVE, Then.NOTHING),
        ("sa", State.ACTIVE, Then.NOTHING),
        ("pa", State.PREPARING, Then.NOTHING),
        ("srpa", State.RUNNING, Then.NOTHING),
        ("src", State.RUNNING, Then.SUBMIT),
        ("ss", State.SUBMITTING, Then.SUBMIT),
        ("sfr", State.FAILED, Then.REPORT),
    ],
)
def test_a_run_is_where_its_parts_are(states: str, state: State, then: Then) -> None:
    """It fails with the first part that fails, and goes on to join them when all are done."""
    step = followed(run(*map(PartState, states)), NOW, SETTINGS)

    assert (step.record.state, step.then) == (state, then)
    assert has_open_parts(step.record) == (states != "ss")


def test_what_is_left_of_parts_fits_a_row() -> None:
    """Parts that have not succeeded, by number and attempt."""
    record = run(PartState.SUCCEEDED, PartState.RUNNING, PartState.FAILED)
    assert record.parts is not None
    record = replace(record, parts=record.parts.with_part(2, PartTask(PartState.RUNNING, attempt=4)))
    stem = OWN.removesuffix("-1")

    assert record.tasks.parts == "2.4 3"
    assert OpenParts(record.tasks.parts).task_ids(OWN) == (f"{stem}-4-p2", f"{OWN}-p3")
    assert OpenParts().task_ids(OWN) == ()


def test_what_a_run_ends_amid_is_work_of_nodes_too() -> None:
    """Until then nodes have worked on its parts, for a price that nobody looks up any more."""
    record = run(PartState.SUCCEEDED, PartState.RUNNING, PartState.RUNNING)
    assert record.parts is not None
    for number in (2, 3):
        working = PartTask(PartState.RUNNING, started_at=NOW + number * timedelta(minutes=1))
        record = replace(record, parts=record.parts.with_part(number, working))
    ended = record.to(State.CANCELLED, NOW + timedelta(minutes=10))

    assert (ended.node_seconds, ended.unpriced_seconds) == (15 * 60, 15 * 60)
    assert ended.to(State.CANCELLED, NOW + timedelta(minutes=20)).node_seconds == 15 * 60


def test_each_part_has_its_turn_to_be_looked_up() -> None:
    """So many at a time, and those that were missing each time; none that has no task."""
    record = run(*map(PartState, "asrrcrra"))
    assert record.parts is not None
    gone = record.parts.with_part(7, PartTask(PartState.RUNNING, missing_since=NOW))
    looked_up = [gone.to_look_up(2, looks) for looks in range(4)]

    assert looked_up == [(1, 3, 7), (4, 6, 7), (7, 8), (1, 3, 7)]
    assert gone.to_look_up(9, 5) == (1, 3, 4, 6, 7, 8)
    assert Parts(Division("t", 2, 2), (PartTask(), PartTask(PartState.SUCCEEDED))).to_look_up(2, 7) == ()


def test_a_closed_job_costs_its_parts_a_try() -> None:
    """What was not created yet keeps its id; a part that was lost three times fails, and the run with it."""
    record = claimed_anew(run(PartState.SUCCEEDED, PartState.RUNNING, PartState.CLAIMED), NOW)

    assert record.parts is not None
    assert [(part.state, part.attempt) for part in record.parts.each] == [("s", 1), ("c", 2), ("c", 1)]
    assert record.placement.previous.parts == "2 3"
    assert [attempt.task_id for attempt in record.tries.attempts] == [f"{OWN}-p2"]
    assert record.parts.each[1].tries == ((FailureKind.LOST, 1),)
    assert record.tries.counts == ()
    lost = PartTask(PartState.RUNNING, 3, ((FailureKind.LOST, 2),), started_at=NOW, slot_price_micro=360_000)
    record = replace(record, parts=record.parts.with_part(3, lost))
    step = followed(claimed_anew(record, NOW + HOUR), NOW + HOUR, SETTINGS)

    assert (step.record.state, step.record.kind, step.then) == (State.FAILED, FailureKind.LOST, Then.REPORT)
    assert step.record.reason == "Of part 3 of 3 (t 26 to 39): Its job was closed in Azure Batch."
    assert (step.record.node_seconds, step.record.spent.cost_micro) == (3600, 360_000)


@pytest.mark.parametrize(("disk", "alone"), [(0, False), (8, False), (6, True)])
def test_what_joins_parts_has_a_node_alone_where_its_share_of_the_disk_is_too_small(disk: int, alone: bool) -> None:
    """It has the file, 1 GB of the whole, and 1.5 GB of parts with their halos."""
    output = PlannedOutput(Role.SEGMENTATION, "a.tiff", "image/tiff", bytes_per_file=10**9)
    record = run(PartState.SUCCEEDED, PartState.SUCCEEDED)
    record = replace(record, image=ImageVersion("e", 10**9), plan=replace(record.plan, outputs=(output,)))
    record = replace(record, parts=Parts(Division("z", 40, 2, 10), record.parts.each if record.parts else ()))
    settings = replace(SETTINGS, node_disk_gb=disk, slots_per_node=2)

    assert followed(record, NOW, settings).record.placement.alone is alone


def test_the_part_that_failed_first_is_the_one_that_is_blamed() -> None:
    """Its sentence, kind, warnings and task, though others fail in the same look; the work of all is counted."""
    record, warning = run(*(PartState.RUNNING,) * 3), RunWarning("w", "It was dark.")
    for number, kind, warnings in ((3, FailureKind.DISK_FULL, (warning,)), (1, FailureKind.TIMEOUT, ())):
        task = Task("job", as_run(record, number).placement.task_id, TaskState.COMPLETED, NOW, 75, started=NOW - HOUR)
        cause = Cause(kind, f"{kind}.", warnings)
        exits = replace(task, exit_code=contract.EXIT_DISK_TOO_SMALL)
        step = observe(as_run(record, number), exits, cause, NOW, SETTINGS)
        assert step is not None
        record = with_part(record, number, step.record)
    ended = followed(record, NOW, SETTINGS).record

    assert (ended.state, ended.kind, ended.last_task_id) == (State.FAILED, FailureKind.DISK_FULL, f"{OWN}-p3")
    assert ended.reason.startswith("Of part 3 of 3 (t 26 to 39): ")
    assert "DISK_FULL." in ended.reason
    assert ended.plan.warnings == (warning,)
    assert ended.node_seconds == 2 * 3600
    assert f"task {OWN}-p3" in problem_text(ended).decode()


def test_a_run_that_has_ended_keeps_of_its_parts_what_is_of_use() -> None:
    """Which attempt each was, so that its task is found, and why one failed: a final row stays for ever."""
    record = run(PartState.SUCCEEDED, PartState.RUNNING, PartState.FAILED)
    tries = ((FailureKind.NODE, 2),)
    each = tuple(PartTask(s, 4, tries, True, 2, 1, NodeKind.SPOT, 9, NOW, NOW, NOW) for s in PartState if s != "c")
    ended = replace(record, parts=Parts(Division("t", 40, 5), each)).to(State.FAILED, NOW)

    assert ended.parts is not None
    assert ended.parts.each[:4] == tuple(PartTask(state, 4) for state in map(PartState, "aprs"))
    assert ended.parts.each[4] == PartTask(PartState.FAILED, 4, tries)


def test_a_part_put_back_into_the_queue_has_cost_what_its_node_costs() -> None:
    """Its row knows the price of the stretch of work that goes on."""
    record, node = run(PartState.ACTIVE, PartState.ACTIVE), Node("size", 1, NodeKind.DEDICATED)
    task = Task("job", f"{OWN}-p1", TaskState.RUNNING, NOW, node_id="n", started=NOW)
    back = replace(task, state=TaskState.ACTIVE, node_id=None, requeues=1, requeued=NOW + HOUR, changed=NOW + 2 * HOUR)
    for seen, of in ((task, node), (back, None)):
        step = observe(as_run(record, 1), seen, None, NOW, SETTINGS, node=of)
        assert step is not None
        record = with_part(record, 1, step.record)

    assert (record.node_seconds, record.spent.cost_micro, record.spent.priced_seconds) == (3600, 360_000, 3600)


def test_what_is_between_two_seconds_is_no_news_of_a_part() -> None:
    """Its row has the start to the second; a look at a part that goes on must not write it again."""
    record = run(PartState.ACTIVE, PartState.ACTIVE)
    began = NOW + timedelta(microseconds=700_001)
    task = of_part(Task("job", f"{OWN}-p1", TaskState.RUNNING, NOW, node_id="n", started=began))
    step = observe(as_run(record, 1), task, None, NOW, SETTINGS, node=Node("size", 1, NodeKind.DEDICATED))
    assert step is not None
    record = with_part(record, 1, step.record)
    stored = replace(record, parts=parts_of(text_of_parts(record.parts)))
    again = observe(as_run(stored, 1), task, None, NOW, SETTINGS, node=Node("size", 1, NodeKind.DEDICATED))

    assert stored == record
    assert again is None or with_part(stored, 1, again.record) is stored


@pytest.mark.parametrize("is_lost", [False, True])
def test_many_parts_cost_no_more_than_their_nodes_worked(is_lost: bool) -> None:
    """Of each the start is known to the second; what that adds or takes off, its end does not leave standing."""
    record, node = run(*(PartState.ACTIVE,) * 40), Node("size", 1, NodeKind.DEDICATED)
    for number in range(1, 41):
        began = NOW + timedelta(seconds=number * 0.37)
        ended = began + timedelta(seconds=61.3)
        task = Task("job", f"{OWN}-p{number}", TaskState.RUNNING, began, node_id="n", started=began)
        over = replace(task, state=TaskState.COMPLETED, exit_code=0, ended=ended, changed=ended)
        back = replace(task, state=TaskState.ACTIVE, node_id=None, requeues=1, requeued=ended, changed=ended)
        for seen, of in ((task, node), (back if is_lost else over, node)):
            step = observe(as_run(record, number), of_part(seen), None, NOW, SETTINGS, node=of)
            assert step is not None
            record = with_part(record, number, step.record)

    assert record.node_seconds == pytest.approx(40 * 61.3, abs=2)
    assert record.spent.cost_micro == record.node_seconds * 100
