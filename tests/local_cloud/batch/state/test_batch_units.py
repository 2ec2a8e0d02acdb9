"""Times, timers, the manual clock, records on disk and the choice of what runs next."""

import asyncio
import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local_cloud.batch.node.execution import Ended, StopReason
from local_cloud.batch.scheduling.outcomes import next_placement, settle
from local_cloud.batch.state.agenda import Timers
from local_cloud.batch.state.codec import decode, decode_task, encode, encode_task
from local_cloud.batch.state.model import (
    Deallocation,
    Execution,
    Failure,
    Job,
    JobState,
    NodeState,
    Pool,
    Result,
    Task,
    TaskState,
)
from local_cloud.batch.state.node_records import Node, StepInfo
from local_cloud.batch.state.task_index import TaskIndex
from local_cloud.batch.state.times import NO_LIMIT, Revisions, format_duration, iso, parse_duration, parse_moment
from tests.local_cloud.batch.clock import ManualClock

NOW = datetime(2026, 11, 22, 8, tzinfo=UTC)
MOMENTS = st.datetimes(datetime(2020, 1, 1), datetime(2090, 1, 1), timezones=st.just(UTC))


def a_task(key="t", seq=1, **fields):
    values = {
        "job": "j",
        "spec": "{}",
        "revision": 1,
        "created": NOW,
        "modified": NOW,
        "state": TaskState.ACTIVE,
        "state_since": NOW,
    }
    return Task(key=key, id=key, seq=seq, **{**values, **fields})


def a_job(key="j", seq=1, **fields):
    spec = {"poolInfo": {"poolId": "p"}, "priority": fields.pop("priority", 0), **fields.pop("spec", {})}
    return Job(key, key, seq, spec, 1, NOW, NOW, fields.pop("state", JobState.ACTIVE), NOW)


def a_node(number):
    name = f"n{number}"
    return Node("p", name, name, number, True, NodeState.IDLE, NOW, NOW, NOW)


@given(st.timedeltas(timedelta(0), timedelta(days=9999)))
def test_durations_survive_being_written(length):
    """A duration that is written and read again is the same, to the microsecond."""
    assert abs(parse_duration(format_duration(length)) - length) < timedelta(microseconds=2)


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("PT01H00M00S", timedelta(hours=1)),
        ("P1DT2H", timedelta(days=1, hours=2)),
        ("PT0.5S", timedelta(seconds=0.5)),
        ("-PT1M", timedelta(minutes=-1)),
    ],
)
def test_durations_as_clients_write_them(text, length):
    """Leading zeros, fractions and signs are understood."""
    assert parse_duration(text) == length


@pytest.mark.parametrize("text", ["", "P", "PT", "P1DT", "1H", "P1Y", "P1M", "PT1", "PT-1S", "P999999999D", "pt1h"])
def test_what_is_no_duration(text):
    """Anything else, years and months included, is no duration."""
    with pytest.raises(ValueError):
        parse_duration(text)


def test_no_limit_survives():
    """The duration that means no limit reads and writes as itself."""
    assert format_duration(parse_duration(NO_LIMIT)) == NO_LIMIT


@given(MOMENTS)
def test_moments_survive_being_written(moment):
    """A moment that is written and read again is the same."""
    assert parse_moment(iso(moment)) == moment


async def test_the_manual_clock_wakes_sleepers_in_order():
    """Advancing wakes everybody whose time has come, in order, also those who sleep again."""
    clock, woken = ManualClock(NOW), []

    async def sleeper(name, *naps):
        for nap in naps:
            await clock.sleep(nap)
            woken.append((name, (clock.now() - NOW).total_seconds()))

    sleepers = [asyncio.create_task(sleeper("a", 10, 10)), asyncio.create_task(sleeper("b", 15, 100))]
    await clock.advance(30)

    assert woken == [("a", 10), ("b", 15), ("a", 20)]
    assert clock.now() == NOW + timedelta(seconds=30)
    for task in sleepers:
        task.cancel()


async def test_timers_call_at_their_time_and_survive_a_failing_one(caplog):
    """Timers fire in the order of their times, whenever they were set, and one that fails stops no other."""
    clock = ManualClock(NOW)
    fired: list[str] = []
    timers = Timers(clock)
    timers.start()
    timers.at(NOW + timedelta(seconds=20), lambda: fired.append("late"))
    await clock.advance(1)
    timers.at(NOW + timedelta(seconds=10), lambda: fired.append(str(1 // 0)))
    timers.at(NOW + timedelta(seconds=11), lambda: fired.append("early"))
    await clock.advance(12)
    assert fired == ["early"]
    assert "has failed" in caplog.text
    await clock.advance(10)
    assert fired == ["early", "late"]
    await timers.stop()


def test_revisions_never_recur():
    """Revisions grow also while the clock stands still or has been turned back."""
    clock = ManualClock(NOW)
    revisions = Revisions(clock)
    seen = [revisions.next() for _ in range(3)]
    revisions.seen(seen[-1] + 10**9)

    assert seen == sorted(set(seen))
    assert revisions.next() > seen[-1] + 10**9


EXECUTIONS = st.builds(
    Execution,
    start=st.none() | MOMENTS,
    end=st.none() | MOMENTS,
    exit_code=st.none() | st.integers(0, 255),
    failure=st.none()
    | st.builds(
        Failure,
        st.just("usererror"),
        st.text(),
        st.text(),
        st.lists(st.tuples(st.text(), st.text()), max_size=2).map(tuple),
    ),
    result=st.none() | st.sampled_from(Result),
    retries=st.integers(0, 5),
    last_retry=st.none() | MOMENTS,
    requeues=st.integers(0, 5),
    last_requeue=st.none() | MOMENTS,
)


@given(EXECUTIONS, st.sampled_from(TaskState), st.none() | st.sampled_from(TaskState))
def test_tasks_survive_being_written(execution, state, previous):
    """A task that is written and read again is the same."""
    task = a_task(execution=execution, state=state, previous_state=previous, pool="p", node="n", slots=3)

    assert decode_task(task.job, task.key, task.seq, task.spec, encode_task(task)) == task


@given(st.none() | st.sampled_from(Deallocation), st.none() | MOMENTS)
def test_nodes_survive_being_written(leaving, moment):
    """A node that is written and read again is the same."""
    info = None if moment is None else StepInfo(True, moment, failure=Failure("a", "b", "c", (("d", "e"),)))
    node = Node(
        "p", "n", "N", 1, True, NodeState.IDLE, NOW, NOW, NOW, leaving=leaving, start_task=info, recent=(("j", "t"),)
    )

    assert decode(Node, encode(node)) == node


def test_what_an_earlier_version_wrote_is_read():
    """Durations were seconds, moments had an offset: a data folder outlives the version that made it."""
    moment = "2026-11-22T08:00:00+00:00"
    moments = dict.fromkeys(("created", "modified", "state_since", "allocation_since"), moment)
    pool = {"key": "p", "id": "P", "spec": {}, "revision": 1, "state": "active", "allocation": "steady", **moments}
    task = ["t", 1, moment, moment, "active", moment, 1, None, None, None, None, None]

    assert decode(Pool, json.dumps({**pool, "resize_timeout": 600.0})).resize_timeout == timedelta(minutes=10)
    assert decode_task("j", "t", 1, "{}", json.dumps(task)) == a_task()


@pytest.mark.parametrize(
    ("ended", "retries", "state", "result", "counted"),
    [
        (Ended(exit_code=0), 0, "completed", "success", (0, 0)),
        (Ended(exit_code=1), 0, "completed", "failure", (0, 0)),
        (Ended(exit_code=1), 1, "running", None, (1, 0)),
        (Ended(exit_code=1), -1, "running", None, (1, 0)),
        (
            Ended(exit_code=0, failure=Failure("usererror", "FileUploadMiscError", "")),
            5,
            "completed",
            "failure",
            (0, 0),
        ),
        (Ended(failure=Failure("usererror", "BlobNotFound", "")), 5, "completed", "failure", (0, 0)),
        (Ended(exit_code=143, timed_out=True), 5, "completed", "failure", (0, 0)),
        (Ended(exit_code=143, stopped=StopReason.TERMINATED), 5, "completed", "failure", (0, 0)),
        (Ended(exit_code=0, stopped=StopReason.TERMINATED), 5, "completed", "failure", (0, 0)),
        (Ended(exit_code=143, stopped=StopReason.REQUEUED), 0, "active", None, (0, 1)),
        (Ended(exit_code=1, stopped=StopReason.NODE_GONE), 0, "active", None, (0, 1)),
        (Ended(stopped=StopReason.NODE_RECOVERED), 0, "running", None, (0, 0)),
    ],
)
def test_what_becomes_of_a_task(ended, retries, state, result, counted):
    """Each way of ending has its state, its result and its count; only failing exits are retried."""
    settlement = settle(a_task(state=TaskState.RUNNING), ended, retries, NOW)

    assert settlement is not None
    execution = settlement.task.execution
    assert (settlement.task.state, execution.result) == (state, result)
    assert (execution.retries, execution.requeues) == counted
    assert settlement.again == (state == "running")


def test_a_service_that_stops_changes_no_task():
    """A run that ends because the service stops leaves the record as it is, to be queued again."""
    assert settle(a_task(), Ended(exit_code=143, stopped=StopReason.SHUTDOWN), 3, NOW) is None


@given(
    tasks=st.lists(st.tuples(st.sampled_from("ab"), st.integers(1, 3)), max_size=12),
    free=st.lists(st.integers(0, 4), min_size=1, max_size=3),
    pack=st.booleans(),
    ordered=st.booleans(),
)
def test_a_placement_fits_and_nothing_that_fits_is_left(tasks, free, pack, ordered):
    """Placing until nothing is chosen: every choice fits, and then no waiting task fits anywhere."""
    jobs = [a_job("a", 1), a_job("b", 2, priority=5)]
    indexes = {"a": TaskIndex(), "b": TaskIndex()}
    for seq, (job, slots) in enumerate(tasks):
        indexes[job].put(a_task(f"t{seq}", seq, job=job, slots=slots))
    left = dict(enumerate(free))
    placed = []
    while True:
        offered = [(a_node(number), slots) for number, slots in left.items() if slots > 0]
        choice = next_placement(jobs, indexes, offered, pack=pack, in_creation_order=ordered)
        if choice is None:
            break
        assert left[choice.node.number] >= choice.task.slots
        left[choice.node.number] -= choice.task.slots
        indexes[choice.task.job].put(choice.task.to(TaskState.RUNNING, NOW))
        placed.append(choice.task)

    waiting = [task for index in indexes.values() for task in index.in_state(TaskState.ACTIVE)]
    assert all(task.slots > max(left.values()) for task in waiting)
    ones = [task for task in placed if task.slots == 1]
    assert [task.job for task in ones] == sorted((task.job for task in ones), reverse=True)


@given(st.lists(st.tuples(st.integers(0, 9), st.sampled_from(["put", "run", "end", "requeue", "remove"])), max_size=60))
def test_an_index_counts_what_it_holds(steps):
    """Whatever happens to tasks, counts, order and the head of the queue are those of the tasks there are."""
    index, seq = TaskIndex(), 0
    for number, step in steps:
        key = f"t{number}"
        task = index.tasks.get(key)
        if step == "put" and task is None:
            seq += 1
            index.put(a_task(key, seq))
        elif step == "remove":
            index.remove(key)
        elif task is not None and step == "run":
            index.put(task.to(TaskState.RUNNING, NOW))
        elif task is not None and step == "requeue":
            index.put(task.to(TaskState.ACTIVE, NOW))
        elif task is not None and step == "end":
            index.put(task.to(TaskState.COMPLETED, NOW, execution=Execution(result=Result.SUCCESS)))
        held = sorted(index.tasks.values(), key=lambda entry: entry.seq)
        waiting = [entry for entry in held if entry.state is TaskState.ACTIVE]
        assert list(index.after(-1)) == held
        assert index.first_waiting(1) == (waiting[0] if waiting else None)
        assert index.counts.active == len(waiting)
        assert sum(index.counts.wire()[name] for name in ("active", "running", "completed")) == len(held)
