"""What the parts of a run mean for it, and what its row says of them."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from batch_ops.domain.batch_task import Task, TaskState
from batch_ops.domain.blob import ImageVersion
from batch_ops.domain.file_record import FileRecord, State
from batch_ops.domain.part_runs import as_run, claimed_anew, followed, has_open_parts, with_part
from batch_ops.domain.parts import OpenParts, Parts, PartState, PartTask
from batch_ops.domain.prices import Node, NodeKind, NodePrices
from batch_ops.domain.record_parts import Placement
from batch_ops.domain.settings import Settings
from batch_ops.domain.transitions import Then, observe
from batch_ops.task.parts import Division

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
    step = followed(run(*map(PartState, states)), NOW)

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


def test_a_closed_job_costs_its_parts_an_attempt_but_no_try() -> None:
    """What was not created yet keeps its id."""
    record = claimed_anew(run(PartState.SUCCEEDED, PartState.RUNNING, PartState.CLAIMED), NOW)

    assert record.parts is not None
    assert [(part.state, part.attempt) for part in record.parts.each] == [("s", 1), ("c", 2), ("c", 1)]
    assert record.placement.previous.parts == "2 3"
    assert [attempt.task_id for attempt in record.tries.attempts] == [f"{OWN}-p2"]
    assert record.tries.counts == ()
