"""Steering by hand: select, retry, cancel, pause, resume, backfill, poison."""

import asyncio
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import pytest

from batch_ops.domain.batch_task import TaskState
from batch_ops.domain.blob import ImageVersion
from batch_ops.domain.errors import BlobMissing, RequestRefused, ServiceFault
from batch_ops.domain.file_record import FileRecord, State
from batch_ops.domain.messages import collect_message, look_again_message
from batch_ops.domain.orders import CollectOrder, LookOrder
from batch_ops.domain.record_parts import Placement, Times
from batch_ops.domain.selection import Selection
from batch_ops.domain.worklist import Intent, fair_share
from batch_ops.use_cases.backfill import Pace, pace_of
from batch_ops.use_cases.inbox import LAST_DELIVERY
from batch_ops.use_cases.poison_queues import PoisonSelection
from batch_ops.use_cases.steering import Chosen
from tests import fakes
from tests.world import SETTINGS, World

NAME = "fly/a.h5"
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def world() -> World:
    """A cloud with two projects."""
    world = World()
    world.project("fly")
    world.project("worm")
    return world


async def begin(world: World, *names: str) -> None:
    """These files are dropped, and their tasks created."""
    for name in names:
        world.drop(name)
        await world.start(name)


async def fail(world: World, name: str) -> FileRecord:
    """The file's task runs out of disk, which ends a run at once."""
    row = world.row(name)
    world.batch.run(row.placement.task_id)
    world.tell(row.placement.task_id, "DISK_FULL", "The disk is full.", 74)
    world.batch.complete(row.placement.task_id, 74)
    await world.tick()
    failed: FileRecord = world.row(name)
    assert failed.state is State.FAILED
    return failed


async def selected(world: World, **what) -> list[str]:
    return [record.name async for record in world.steering.select(Selection(**what))]


async def retry(world: World, *, force: bool = False, **what) -> dict[str, int]:
    """As the command does it; why some were left alone."""
    plan = await world.steering.plan_retry(Selection(**what), force=force)
    await world.steering.retry(plan.chosen)
    await world.deliver()
    return dict(plan.left)


async def cancel(world: World, **what) -> dict[str, int]:
    plan = await world.steering.plan_cancel(Selection(**what))
    return dict(plan.left) | dict(await world.steering.cancel(plan.chosen))


# Select


@pytest.mark.parametrize(
    ("what", "names"),
    [
        ({}, ["root.h5", "fly/a.h5", "fly/b/c.h5", "late/x.h5", "worm/a.h5"]),
        ({"project": "fly"}, ["fly/a.h5", "fly/b/c.h5"]),
        ({"project": "default"}, ["root.h5"]),
        ({"prefix": "fly/b"}, ["fly/b/c.h5"]),
        ({"prefix": "f"}, ["fly/a.h5", "fly/b/c.h5"]),
        ({"prefix": "r"}, ["root.h5"]),
        ({"names": ("worm/a.h5", "none/at/all.h5")}, ["worm/a.h5"]),
        ({"names": ("worm/a.h5",), "project": "fly"}, []),
        ({"states": frozenset({State.WAITING_FOR_PROJECT})}, ["late/x.h5", "root.h5"]),
        ({"states": frozenset({State.SUCCEEDED})}, ["worm/a.h5"]),
        ({"states": frozenset({State.SUCCEEDED, State.ACTIVE}), "prefix": "worm/"}, ["worm/a.h5"]),
    ],
)
async def test_files_are_meant_by_name_prefix_state_and_project(world: World, what, names):
    """In the order of projects and names; files of a project without classifier are found by what is open."""
    await begin(world, "fly/a.h5", "fly/b/c.h5", "worm/a.h5", "late/x.h5", "root.h5")
    await world.finish("worm/a.h5")
    assert await selected(world, **what) == names


async def test_open_files_are_found_without_reading_the_finished_ones(world: World):
    """By what is open, not by a scan of the project."""
    await begin(world, *(f"fly/{n}.h5" for n in range(5)))
    for n in range(4):
        await world.finish(f"fly/{n}.h5")
    world.cloud.reset_counters()
    assert await selected(world, states=frozenset({State.ACTIVE}), project="fly") == ["fly/4.h5"]
    assert world.cloud.examined["files"] == 1


# Retry


async def test_a_failed_file_gets_a_new_run(world: World):
    """Run 2 of the same version, claimed like any other, and it can succeed."""
    await begin(world, NAME)
    first = await fail(world, NAME)
    assert await retry(world, names=(NAME,)) == {}
    row = world.row(NAME)
    assert (row.run, row.state, row.image.etag, row.placement.attempt) == (2, State.ACTIVE, first.image.etag, 1)
    done = await world.finish(NAME)
    assert done.state is State.SUCCEEDED
    assert "PROBLEM.txt" not in world.results(NAME)


async def test_what_is_over_well_is_run_again_only_by_force(world: World):
    """SUCCEEDED and REJECTED are left alone, and it is said why."""
    await begin(world, NAME)
    await world.finish(NAME)
    assert await retry(world, names=(NAME,)) == {"SUCCEEDED: only with --force": 1}
    assert world.row(NAME).run == 1
    assert await retry(world, names=(NAME,), force=True) == {}
    assert (await world.finish(NAME)).run == 2
    assert world.provenance(NAME)["run"]["number"] == 2


async def test_what_is_at_work_is_left_alone(world: World):
    """A second task of one version is never created."""
    await begin(world, NAME)
    assert await retry(world, names=(NAME,), force=True) == {"at work": 1}
    assert len(world.tasks()) == 1


async def test_two_operators_retry_the_same_files(world: World):
    """However often and late the messages come, a run is repeated once."""
    await begin(world, NAME)
    await fail(world, NAME)
    plan = await world.steering.plan_retry(Selection(names=(NAME,)))
    await world.steering.retry(plan.chosen)
    await world.steering.retry(plan.chosen)
    await world.deliver()
    assert world.row(NAME).run == 2
    await fail(world, NAME)
    await world.steering.retry(plan.chosen)
    await world.deliver()
    assert (world.row(NAME).run, world.row(NAME).state) == (2, State.FAILED)


async def test_thousands_are_retried_by_one_command(world: World):
    """One message for each; the plan reads whole pages of the project."""
    records = [
        FileRecord(
            f"fly/{n:04}.h5", 1, State.FAILED, ImageVersion("0x1", 5), "c", placement=Placement(task_id=f"t{n}")
        ).to(State.FAILED, NOW, "It failed.")
        for n in range(3000)
    ]
    for record in records:
        await world.ledger.claim(record, None)
    world.cloud.reset_counters()
    plan = await world.steering.plan_retry(Selection(project="fly", states=frozenset({State.FAILED})))
    assert len(plan.chosen) == 3000
    assert sum(world.cloud.requests.values()) == 3
    await world.steering.retry(plan.chosen)
    assert world.cloud.calls["outbox.look_again"] == len(world.outbox) == 3000


async def test_a_back_filled_file_need_not_wait_for_its_turn(world: World):
    """Retry of what waits for its day starts it now."""
    world.settings = replace(SETTINGS, backfill_daily_limit=1)
    world.new_process()
    for name in ("fly/a.h5", "fly/b.h5"):
        world.drop(name)
        await world.start(name, backfill=True)
    assert world.row("fly/b.h5").state is State.WAITING
    await retry(world, names=("fly/b.h5",))
    row = world.row("fly/b.h5")
    assert (row.state, row.run) == (State.ACTIVE, 1)


# Cancel


async def test_an_open_file_is_cancelled_with_its_task(world: World):
    """Row CANCELLED with the reason, task ended, nothing open."""
    await begin(world, NAME)
    world.batch.run(world.row(NAME).placement.task_id)
    assert await cancel(world, names=(NAME,)) == {}
    row = world.row(NAME)
    assert (row.state, row.reason) == (State.CANCELLED, "Cancelled by an operator.")
    assert [task.state for task, _ in world.tasks()] == [TaskState.COMPLETED]
    assert await world.open() == []


async def test_what_is_over_or_as_good_as_over_is_not_cancelled(world: World):
    """Finished files stay finished; results that are being moved are moved to the end."""
    await begin(world, "fly/a.h5", "fly/b.h5")
    await world.finish("fly/a.h5")
    row = world.row("fly/b.h5")
    world.batch.run(row.placement.task_id)
    world.work(row.placement.task_id)
    world.batch.complete(row.placement.task_id)
    await world.tick()
    assert await cancel(world, project="fly") == {"over already": 1, "its results are being moved": 1}
    await world.deliver()
    assert world.row("fly/b.h5").state is State.SUCCEEDED


async def test_what_waits_is_cancelled(world: World):
    """With its PROBLEM.txt; it does not begin when what it waited for comes."""
    await begin(world, "late/x.h5")
    await cancel(world, project="late")
    world.project("late")
    await world.tick(timedelta(hours=1))
    await world.start("late/x.h5")
    assert world.row("late/x.h5").state is State.CANCELLED
    assert world.results("late/x.h5") == {}


async def test_a_new_upload_of_a_cancelled_file_runs(world: World):
    """What was cancelled was a version."""
    await begin(world, NAME)
    await cancel(world, names=(NAME,))
    world.drop(NAME, b"another version")
    row = await world.start(NAME)
    assert (row.state, row.run) == (State.ACTIVE, 2)


async def test_a_newer_version_is_not_cancelled_by_mistake(world: World):
    """The run that the operator saw is cancelled, or none."""
    await begin(world, NAME)
    plan = await world.steering.plan_cancel(Selection(names=(NAME,)))
    world.drop(NAME, b"another version")
    await world.start(NAME)
    assert await world.steering.cancel(plan.chosen) == {"another version took its place": 1}
    assert world.row(NAME).state is State.ACTIVE


async def test_a_task_that_was_just_being_created_is_ended_too(world: World):
    """Cancelled between claim and create: the task that appears afterwards does not run on."""
    world.drop(NAME)
    reached, go_on = asyncio.Event(), asyncio.Event()

    async def hold(call: str, when: fakes.When) -> None:
        if call == "batch.create_task" and when is fakes.When.BEFORE:
            reached.set()
            await go_on.wait()

    world.cloud.hook = hold
    starting = asyncio.create_task(world.start(NAME))
    await reached.wait()
    await cancel(world, names=(NAME,))
    go_on.set()
    await starting
    assert world.row(NAME).state is State.CANCELLED
    for _ in range(8):
        await world.tick(timedelta(minutes=4))
    assert [task.state for task, _ in world.tasks()] == [TaskState.COMPLETED]
    assert not [i for i in (await world.worklist.board()).intents if i.nonce.startswith("cancel-")]


async def test_two_operators_cancel_at_once(world: World):
    """Harmless, and both are told the truth."""
    await begin(world, *(f"fly/{n}.h5" for n in range(5)))
    plan = await world.steering.plan_cancel(Selection(project="fly"))
    answers = await asyncio.gather(*(world.steering.cancel(plan.chosen) for _ in range(2)))
    assert all(set(answer) <= {"over already"} for answer in answers)
    assert {world.row(one.name).state for one in plan.chosen} == {State.CANCELLED}


async def test_a_crash_in_the_middle_of_a_cancel_leaves_nothing_behind(world: World):
    """The row is written, then the operator's machine dies: reconcile ends the task."""
    await begin(world, NAME)
    world.batch.run(world.row(NAME).placement.task_id)
    world.cloud.fail("batch.terminate_task", ServiceFault("Batch could not be reached."))
    with pytest.raises(ServiceFault):
        await world.steering.cancel([Chosen(NAME, 1)])
    assert world.row(NAME).state is State.CANCELLED
    await world.tick(timedelta(minutes=2))
    assert world.tasks(TaskState.RUNNING) == []


async def test_a_retry_ends_the_task_that_a_cancel_could_not(world: World):
    """Batch was out, and the file runs again before anybody came back to its old task: two never run at once."""
    await begin(world, NAME)
    old = world.row(NAME)
    world.batch.run(old.placement.task_id)
    world.cloud.fail("batch.terminate_task", ServiceFault("Batch could not be reached."))
    with pytest.raises(ServiceFault):
        await world.steering.cancel([Chosen(NAME, 1)])
    await world.steering.retry([Chosen(NAME, 1)])
    await world.deliver()
    assert (world.row(NAME).state, world.row(NAME).run) == (State.ACTIVE, 2)
    assert [task.task_id for task, _ in world.tasks(TaskState.COMPLETED)] == [old.placement.task_id]


class Crash(BaseException):
    """The operator's machine goes down."""


@pytest.mark.parametrize("when", [fakes.When.BEFORE, fakes.When.AFTER])
async def test_a_cancel_may_end_anywhere_and_be_typed_again(when):
    """After any of its calls, in any order of events: no task goes on, nothing stays open, one answer."""
    for crash_at in count(1):
        world = World()
        world.project("fly")
        await begin(world, "fly/a.h5", "late/x.h5")
        world.batch.run(world.row("fly/a.h5").placement.task_id)
        calls = count(1)

        async def hook(call: str, now: fakes.When, calls=calls, crash_at=crash_at) -> None:
            if now is when and next(calls) == crash_at:
                raise Crash

        world.cloud.hook = hook
        plan = [Chosen("fly/a.h5", 1), Chosen("late/x.h5", 1)]
        try:
            for one in plan:
                await world.steering.cancel([one])
        except Crash:
            world.cloud.hook = None
        else:
            break
        world.new_process()
        await world.steering.cancel(plan)
        for _ in range(8):
            await world.tick(timedelta(minutes=4))
            await world.deliver()
        assert {world.row(one.name).state for one in plan} == {State.CANCELLED}, crash_at
        assert world.tasks(TaskState.RUNNING) == [], crash_at
        assert await world.open() == [], crash_at
    assert crash_at > 10, "Every call was tried."


# Pause and resume


async def test_resume_takes_up_at_once_what_waited(world: World):
    """All of the project, by message, without waiting for a tick; other projects' files are left alone."""
    await world.steering.pause("fly")
    await begin(world, "fly/a.h5", "fly/b.h5", "late/x.h5")
    assert {world.row(n).state for n in ("fly/a.h5", "fly/b.h5")} == {State.WAITING}
    assert await world.steering.resume("fly") == 2
    world.cloud.advance(timedelta(seconds=6))
    await world.deliver()
    assert {world.row(n).state for n in ("fly/a.h5", "fly/b.h5")} == {State.ACTIVE}
    assert await world.steering.pauses() == []


async def test_the_pause_of_everything_and_that_of_a_project_are_two(world: World):
    """Both must be over."""
    await world.steering.pause()
    await world.steering.pause("fly")
    await begin(world, NAME)
    await world.steering.resume()
    world.cloud.advance(timedelta(seconds=6))
    await world.deliver()
    assert "project 'fly' was paused" in world.row(NAME).reason
    await world.steering.resume("fly")
    world.cloud.advance(timedelta(seconds=6))
    await world.deliver()
    assert world.row(NAME).state is State.ACTIVE


async def test_resume_leaves_alone_what_waits_for_its_turn(world: World):
    """A hundred thousand back-filled files cost it nothing."""
    world.settings = replace(SETTINGS, backfill_daily_limit=1)
    world.new_process()
    for name in ("fly/a.h5", "fly/b.h5", "fly/c.h5"):
        world.drop(name)
        await world.start(name, backfill=True)
    assert await world.steering.resume() == 0


def test_waiting_files_leave_room_for_those_at_work():
    """Of what is due, half a tick at least is for files with tasks; what nobody needs the others get."""
    waiting = [Intent(f"w{n}", "n", NOW, NOW, waiting=True) for n in range(10)]
    at_work = [Intent(f"t{n}", "n", NOW + timedelta(seconds=1), NOW) for n in range(10)]
    chosen = fair_share(waiting + at_work, 6)
    assert [sum(i.waiting is kind for i in chosen) for kind in (True, False)] == [3, 3]
    assert len(fair_share(waiting + at_work[:1], 6)) == 6
    assert fair_share(waiting, 6) == waiting[:6]
    assert fair_share(at_work, 6) == at_work[:6]


# Backfill


async def test_a_backfill_counts_first(world: World):
    """Images that the ledger has no version of, their bytes, what is archived, what needs nothing."""
    await begin(world, "fly/known.h5")
    world.drop("fly/old.h5", b"x" * 1000)
    world.drop("fly/older/deep.h5", b"x" * 500)
    world.drop("fly/notes.txt")
    world.drop("worm/other.h5")
    world.blobs.set_tier("input", "fly/older/deep.h5", "Archive")
    plan = await world.backfiller.plan("fly/")
    assert plan.names == ("fly/old.h5", "fly/older/deep.h5")
    assert (plan.total_bytes, plan.archived, plan.known) == (1500, 1, 1)
    assert world.known("fly/old.h5") is None


async def test_a_backfill_asks_for_each_and_starts_what_the_limit_allows(world: World):
    """The rest waits; the same back-fill again has nothing to do."""
    world.settings = replace(SETTINGS, backfill_daily_limit=2)
    world.new_process()
    for n in range(5):
        world.drop(f"fly/{n}.h5")
    await world.backfiller.ask(await world.backfiller.plan("fly/"))
    await world.deliver()
    states = [world.row(f"fly/{n}.h5").state for n in range(5)]
    assert sorted(states) == [State.ACTIVE] * 2 + [State.WAITING] * 3
    assert (await world.backfiller.plan("fly/")).names == ()


async def test_a_backfill_of_many_lists_and_compares_in_pages(world: World):
    """Of 2,500 files: one listing call, three queries."""
    for n in range(2500):
        world.drop(f"fly/{n:05}.h5")
    world.cloud.reset_counters()
    plan = await world.backfiller.plan("")
    assert len(plan.names) == 2500
    assert sum(world.cloud.requests.values()) <= 1 + 3 + 1


async def test_the_sweep_does_not_backfill_by_itself(world: World):
    """What lay there before the system went live stays until somebody asks."""
    world.drop("fly/old.h5")
    world.cloud.advance(timedelta(hours=1))
    for _ in range(4):
        await world.tick(timedelta(days=1))
        await world.deliver()
    assert world.known("fly/old.h5") is None


def finished(seconds: float, length: int) -> FileRecord:
    record = FileRecord(
        "fly/x.h5", 1, State.SUCCEEDED, ImageVersion("0x1", length), "c", times=Times(task_started_at=NOW)
    )
    return replace(record, times=replace(record.times, task_ended_at=NOW + timedelta(seconds=seconds)))


def test_the_estimate_learns_from_finished_files():
    """A line through the quickest file: so much for each, so much for each GB."""
    pace = pace_of([finished(100, 10**9), finished(100, 10**9), finished(300, 2 * 10**9)])
    assert pace == Pace(100.0, 50.0, 3)
    assert pace_of([]) == pace_of([finished(0, 10**9)]) == Pace()


async def test_the_estimate_counts_slots_and_days(world: World):
    """Never sooner than the daily limit lets the last file start."""
    for n in range(10):
        world.drop(f"fly/{n}.h5")
    plan = await world.backfiller.plan("fly/")
    plan = replace(plan, total_bytes=36 * 10**9, pace=Pace(0.0, 1000.0, 5))
    assert plan.slot_hours == pytest.approx(10.0)
    assert (plan.hours(1), plan.hours(5), plan.days) == (10.0, 2.0, 1)
    limited = replace(plan, daily_limit=3)
    assert (limited.hours(1), limited.days) == (72.0, 4)
    assert replace(plan, daily_limit=0).days == 1


# Poison


async def test_what_is_given_up_has_a_row_with_the_reason(world: World):
    """At the last delivery, not before; the file waits and is taken up once the fault is mended."""
    world.drop(NAME)
    body = look_again_message(LookOrder(NAME, "c")).encode()
    for delivery in range(1, LAST_DELIVERY + 1):
        assert world.known(NAME) is None
        world.cloud.fail("blobs.read", RequestRefused("Blob storage refused to read it."))
        with pytest.raises(RequestRefused):
            await world.inbox.blob_created(body, delivery)
    row = world.row(NAME)
    assert row.state is State.WAITING
    assert "Blob storage refused to read it" in row.reason
    assert "blob-created-poison" in row.reason
    await world.tick(timedelta(minutes=11))
    assert world.row(NAME).state is State.ACTIVE


async def test_a_finished_file_is_not_held_up_by_a_message_that_is_given_up(world: World):
    """A late copy of an event fails: the row of that very version stays as it is; one of a newer version waits."""
    await begin(world, NAME)
    done = await world.finish(NAME)
    body = look_again_message(LookOrder(NAME, "c")).encode()
    for state, content in ((done, None), (None, b"a newer version")):
        if content:
            world.drop(NAME, content)
        world.cloud.fail("blobs.read", RequestRefused("Blob storage refused to read it."))
        with pytest.raises(RequestRefused):
            await world.inbox.blob_created(body, LAST_DELIVERY)
        if state:
            assert world.row(NAME) == state
    assert (world.row(NAME).run, world.row(NAME).state) == (2, State.WAITING)


async def test_one_file_that_can_not_be_handled_does_not_stall_a_tick(world: World):
    """The others go on, and it is not tried at every tick."""
    await begin(world, "late/bad.h5", "late/good.h5")
    world.project("late")
    tried = 0

    async def hook(call: str, when: fakes.When) -> None:
        nonlocal tried
        if call == "check.check_image" and when is fakes.When.BEFORE:
            tried += 1
            if world.row("late/bad.h5").state is not State.ACTIVE and tried == 1:
                raise KeyError("a fault in the code")

    world.cloud.hook = hook
    await world.tick(timedelta(minutes=2))
    states = {world.row(n).state for n in ("late/bad.h5", "late/good.h5")}
    assert states == {State.ACTIVE, State.WAITING_FOR_PROJECT}
    await world.tick(timedelta(seconds=30))
    assert tried == 2
    await world.tick(timedelta(minutes=11))
    assert {world.row(n).state for n in ("late/bad.h5", "late/good.h5")} == {State.ACTIVE}


async def test_results_that_can_not_be_moved_say_so_in_the_row(world: World):
    """It stays COLLECTING with the reason, orders itself again only after hours, and poison retry moves them."""
    await begin(world, NAME)
    row = world.row(NAME)
    world.batch.run(row.placement.task_id)
    world.work(row.placement.task_id)
    world.batch.complete(row.placement.task_id)
    await world.tick()
    [order] = world.outbox.orders()
    world.cloud.fail("blobs.head", BlobMissing("a fault"))
    with pytest.raises(BlobMissing):
        await world.inbox.collect(collect_message(order).encode(), LAST_DELIVERY)
    row = world.row(NAME)
    assert row.state is State.COLLECTING
    assert "collect-poison" in row.reason
    for _ in range(12):
        await world.tick(timedelta(minutes=20))
    assert len(world.outbox) == 0
    world.poison.add("collect", collect_message(order))
    assert await world.poison_care.retry(PoisonSelection()) == 1
    await world.deliver()
    assert world.row(NAME).state is State.SUCCEEDED


async def test_results_are_ordered_again_after_hours_without_anyones_help(world: World):
    """A mended app finishes what it gave up."""
    await begin(world, NAME)
    row = world.row(NAME)
    world.batch.run(row.placement.task_id)
    world.work(row.placement.task_id)
    world.batch.complete(row.placement.task_id)
    await world.tick()
    [order] = world.outbox.orders()
    world.cloud.fail("blobs.head", BlobMissing("a fault"))
    with pytest.raises(BlobMissing):
        await world.inbox.collect(collect_message(order).encode(), LAST_DELIVERY)
    await world.tick(timedelta(hours=7))
    await world.tick(timedelta(hours=7))
    await world.deliver()
    assert world.row(NAME).state is State.SUCCEEDED


async def test_an_outage_uses_up_no_delivery(world: World):
    """The order is sent again with all that it asks for, and no message is given up."""
    world.drop(NAME)
    wish = look_again_message(LookOrder(NAME, "c", backfill=True)).encode()
    world.cloud.fail("ledger.get", ServiceFault("Table storage is busy."))
    await world.inbox.blob_created(wish, LAST_DELIVERY)
    world.cloud.fail("ledger.get", ServiceFault("Table storage is busy."))
    await world.inbox.collect(collect_message(CollectOrder(NAME, 1, "t", "c")).encode(), LAST_DELIVERY)
    world.cloud.advance(timedelta(minutes=1))
    [look] = world.outbox.looks()
    assert (look.name, look.backfill) == (NAME, True)
    assert len(world.outbox.orders()) == 1


async def test_a_long_outage_is_asked_ever_more_seldom(world: World):
    """Half a minute, then twice as long each time, up to eight minutes: thousands of messages may be waiting."""
    world.drop(NAME)
    body, pauses = look_again_message(LookOrder(NAME, "c")).encode(), []
    for _ in range(6):
        world.cloud.fail("ledger.get", ServiceFault("Table storage is busy."))
        await world.inbox.blob_created(body, 1)
        began = world.cloud.now
        while not (looks := world.outbox.looks()):
            world.cloud.advance(timedelta(seconds=30))
        pauses.append((world.cloud.now - began) / timedelta(minutes=1))
        body = look_again_message(looks[0]).encode()
    assert pauses == [0.5, 1, 2, 4, 8, 8]


async def test_a_change_of_a_project_survives_an_outage(world: World):
    """It is not mistaken for an image when it comes again."""
    await begin(world, "late/x.h5")
    world.project("late")
    body = look_again_message(LookOrder("late.ilp", "c", "projects")).encode()
    world.cloud.fail("worklist.board", ServiceFault("Table storage is busy."))
    await world.inbox.blob_created(body, 1)
    world.cloud.advance(timedelta(minutes=1))
    [look] = world.outbox.looks()
    assert (look.name, look.container) == ("late.ilp", "projects")
    again = look_again_message(look).encode()
    await world.inbox.blob_created(again, 1)
    world.cloud.advance(timedelta(minutes=1))
    await world.deliver()
    assert world.row("late/x.h5").state is State.ACTIVE


async def test_poison_is_put_back_or_dropped_by_choice(world: World):
    """By queue, by id, by the file that it is about; what is not meant stays and can be seen at once."""
    kept = world.poison.add("blob-created", look_again_message(LookOrder("worm/a.h5", "c")))
    world.poison.add("blob-created", look_again_message(LookOrder("fly/a.h5", "c")))
    strange = world.poison.add("collect", "no JSON at all")
    care = world.poison_care
    assert await care.retry(PoisonSelection(prefix="fly/")) == 1
    assert [look.name for look in world.outbox.looks()] == ["fly/a.h5"]
    assert await care.drop(PoisonSelection(ids=frozenset({strange}))) == 1
    assert [message.id for message in await care.oldest(PoisonSelection())] == [kept]
    assert await care.retry(PoisonSelection(queue="collect")) == 0
    assert await care.counts() == {"blob-created": 1}


async def test_every_kind_of_message_tells_its_file(world: World):
    """Events, orders to look and to collect; what says nothing has no name."""
    event = {"subject": "/blobServices/default/containers/input/blobs/fly/event.h5"}
    world.poison.add("blob-created", json.dumps(event))
    world.poison.add("collect", collect_message(CollectOrder("fly/done.h5", 1, "t", "c")))
    for prefix, found in (("fly/event", 1), ("fly/done", 1), ("fly/", 2), ("", 2)):
        assert len(await world.poison_care.oldest(PoisonSelection(prefix=prefix))) == found


def test_the_last_delivery_is_the_hosts():
    """After as many deliveries as host.json says the host gives a message up: not one later."""
    host = json.loads((Path(__file__).parents[3] / "host.json").read_text())
    assert host["extensions"]["queues"]["maxDequeueCount"] == LAST_DELIVERY
