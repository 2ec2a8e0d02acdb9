"""Admission: pauses and the daily turns of back-filled files."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from batch_ops.domain.errors import Conflict, ServiceFault
from batch_ops.domain.file_record import State
from batch_ops.domain.turns import day_of, next_turn
from batch_ops.domain.worklist import Pause, Turns
from batch_ops.runs.admission import Admission
from tests.fakes import When
from tests.world import World

NAMES = [f"fly/{letter}.h5" for letter in "abcdefg"]
TODAY = datetime(2026, 3, 1, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def world() -> World:
    """A limit of three back-filled files a day, a project, and seven files that lie there already."""
    world = World(backfill_daily_limit=3)
    for name in NAMES:
        world.drop(name)
    return world


async def backfill(world: World, *names: str) -> list[State]:
    """Ask for older files as an operator does; their states afterwards."""
    for name in names:
        await world.start(name, backfill=True)
    return [world.row(name).state for name in names]


async def pause(world: World, project: str = "") -> None:
    """An operator pauses; every instance knows when its memory is stale."""
    await world.worklist.pause(Pause(project, world.cloud.now))
    world.cloud.advance(timedelta(seconds=6))


def started(world: World) -> list[str]:
    """The files that left the states of waiting."""
    return [name for name in NAMES if (row := world.known(name)) and not row.state.is_waiting]


# Turns


@pytest.mark.parametrize(
    ("last", "following"),
    [
        (None, Turns(TODAY, 1)),
        (Turns(TODAY - DAY, 9, "v"), Turns(TODAY, 1, "v")),
        (Turns(TODAY, 1, "v"), Turns(TODAY, 2, "v")),
        (Turns(TODAY, 3, "v"), Turns(TODAY + DAY, 1, "v")),
        (Turns(TODAY + 2 * DAY, 3, "v"), Turns(TODAY + 3 * DAY, 1, "v")),
    ],
)
def test_a_turn_is_on_the_first_day_that_has_room(last, following):
    """From today on; a day's unused turns are gone with the day."""
    assert next_turn(last, TODAY, 3) == following


async def test_what_exceeds_the_limit_waits_with_a_reason(world: World):
    """State WAITING, the reason names the limit and the day, and no PROBLEM.txt claims that anything is wrong."""
    states = await backfill(world, *NAMES)
    assert states == [State.ACTIVE] * 3 + [State.WAITING] * 4
    row = world.row(NAMES[-1])
    assert "daily limit of 3" in row.reason
    assert "2026-03-03" in row.reason
    assert row.turn == TODAY + 2 * DAY
    assert world.results(NAMES[-1]) == {}


async def test_it_goes_on_after_midnight_without_anyones_help(world: World):
    """Ticks alone start three files each day, whenever in the day it began, until none is left."""
    await backfill(world, *NAMES)
    await world.tick(TODAY + DAY - world.cloud.now - timedelta(minutes=1))
    assert len(started(world)) == 3
    await world.tick(timedelta(minutes=2))
    assert len(started(world)) == 6
    await world.tick(timedelta(hours=3))
    assert len(started(world)) == 6
    await world.tick(DAY)
    assert started(world) == NAMES


async def test_a_file_that_waits_for_its_turn_costs_nothing_until_then(world: World):
    """It is due at its midnight, not every few minutes; an event for it changes nothing."""
    await backfill(world, *NAMES)
    before = world.row(NAMES[-1])
    world.cloud.reset_counters()
    for _ in range(20):
        await world.tick(timedelta(minutes=20))
    gets = world.cloud.calls["ledger.get"]
    assert gets <= 3 * 21, "Only the tasks at work are looked at."
    given = await world.worklist.turns()
    for _ in range(4):
        await world.start(NAMES[-1])
    assert world.row(NAMES[-1]) == before
    assert await world.worklist.turns() == given


async def test_a_new_upload_needs_no_turn(world: World):
    """A file that is written anew while its older version waits is new: it starts at once."""
    await backfill(world, *NAMES)
    world.drop(NAMES[-1], b"a new version")
    row = await world.start(NAMES[-1])
    assert row.state is State.ACTIVE
    assert not row.backfill


async def test_new_files_do_not_use_up_turns(world: World):
    """The limit is for back-filled files alone."""
    for name in NAMES[:4]:
        assert (await world.start(name)).state is State.ACTIVE
    assert await backfill(world, *NAMES[4:]) == [State.ACTIVE] * 3


async def test_the_same_order_twice_takes_one_turn(world: World):
    """Messages come twice."""
    await backfill(world, *NAMES[:3], *NAMES[:3])
    assert (await world.worklist.turns()).given == 3


async def test_many_at_once_get_no_more_turns_than_there_are(world: World):
    """Two instances, all files at the same time: three start today."""
    admissions = [
        Admission(worklist=world.worklist, settings=world.settings, clock=world.cloud.clock) for _ in range(2)
    ]
    turns = await asyncio.gather(*(admissions[i % 2].turn() for i in range(30)))
    assert {day: turns.count(day) for day in turns} == {TODAY + n * DAY: 3 for n in range(10)}


async def test_a_missed_turn_is_taken_anew(world: World):
    """After a pause of days not everything starts at once: the limit holds on each day."""
    await backfill(world, *NAMES)
    await pause(world)
    await world.tick(5 * DAY)
    await world.worklist.resume("")
    world.cloud.advance(timedelta(seconds=6))
    for name in NAMES:
        await world.start(name)
    assert len(started(world)) == 6
    assert world.row(NAMES[-1]).turn == day_of(world.cloud.now) + DAY


async def test_without_a_limit_all_start(world: World):
    """0 is no limit, and costs no call."""
    world.new_process(backfill_daily_limit=0)
    assert set(await backfill(world, *NAMES)) == {State.ACTIVE}
    assert world.cloud.calls["worklist.save_turns"] == 0


async def test_turns_that_can_not_be_given_out_are_a_fault_that_passes(world: World):
    """The file waits, with the reason, and is looked at again."""
    world.cloud.fail("worklist.save_turns", Conflict("first"), times=20)
    assert await backfill(world, NAMES[0]) == [State.WAITING]
    await world.tick(timedelta(minutes=2))
    assert world.row(NAMES[0]).state is State.ACTIVE


async def test_an_outage_of_the_worklist_loses_no_turn_for_good(world: World):
    """What failed half-way is read again before the next turn is given."""
    admission = Admission(worklist=world.worklist, settings=world.settings, clock=world.cloud.clock)
    await admission.turn()
    world.cloud.fail("worklist.save_turns", ServiceFault("busy"), when=When.AFTER)
    with pytest.raises(ServiceFault):
        await admission.turn()
    assert await admission.turn() == TODAY


# Pauses


@pytest.mark.parametrize("project", ["", "fly"])
async def test_new_files_wait_while_paused(world: World, project):
    """Of everything or of their project; the reason says who, and nothing is submitted."""
    await pause(world, project)
    row = await world.start(NAMES[0])
    assert row.state is State.WAITING
    assert "an operator paused" in row.reason
    assert world.tasks() == []


@pytest.mark.parametrize(("paused", "folder"), [("\u00e9", "e\u0301"), ("e\u0301", "\u00e9")])
async def test_a_pause_holds_a_project_however_its_letters_are_composed(world: World, paused, folder):
    """One classifier serves both spellings, and so do one pause and its end."""
    world.project(folder)
    await world.steering.pause(paused)
    assert (await world.begin(f"{folder}/a.h5")).state is State.WAITING
    assert await world.steering.resume(folder) == 1
    await world.deliver(timedelta(seconds=6))
    assert world.row(f"{folder}/a.h5").state is State.ACTIVE


async def test_a_pause_holds_reruns_of_its_project(world: World):
    """They compute with its classifier, and start at once when it ends."""
    await world.begin(NAMES[0])
    await world.finish(NAMES[0])
    await pause(world, "fly")
    await world.system.rerunning.begin(await world.system.rerunning.plan("fly", "second"))
    await world.deliver()
    name = NAMES[0].replace("fly/", "fly@second/", 1)
    await world.tick(timedelta(minutes=11))
    assert world.row(name).state is State.WAITING
    assert await world.steering.resume("fly") == 1
    await world.deliver(timedelta(seconds=6))
    assert world.row(name).state is State.ACTIVE


async def test_other_projects_go_on(world: World):
    """A pause of a project is its own matter."""
    await pause(world, "worm")
    assert (await world.start(NAMES[0])).state is State.ACTIVE


async def test_tasks_at_work_go_on(world: World):
    """What has begun is finished, its results are moved."""
    await world.start(NAMES[0])
    await pause(world)
    assert (await world.finish(NAMES[0])).state is State.SUCCEEDED


async def test_ticks_do_not_begin_what_is_paused(world: World):
    """Nor do they forget it: it begins by itself once the pause is over."""
    await pause(world)
    await world.start(NAMES[0])
    world.cloud.reset_counters()
    for _ in range(3):
        await world.tick(timedelta(minutes=15))
    assert world.tasks() == []
    assert world.cloud.calls["blobs.read"] == 0
    await world.worklist.resume("")
    await world.tick(timedelta(minutes=15))
    assert world.row(NAMES[0]).state is State.ACTIVE


async def test_pauses_are_looked_up_once_for_many(world: World):
    """A burst of files costs one look."""
    world.cloud.reset_counters()
    await asyncio.gather(*(world.start(name) for name in NAMES))
    assert world.cloud.calls["worklist.pauses"] == 1


async def test_a_pause_takes_effect_within_five_seconds(world: World):
    """For a process that has just looked."""
    await world.start(NAMES[0])
    await world.worklist.pause(Pause("", world.cloud.now))
    world.cloud.advance(timedelta(seconds=5))
    assert (await world.start(NAMES[1])).state is State.WAITING


async def test_when_pauses_can_not_be_read_files_wait(world: World):
    """Nothing begins on a guess."""
    world.cloud.fail("worklist.pauses", ServiceFault("Table storage is busy."))
    row = await world.start(NAMES[0])
    assert (row.state, row.reason) == (State.WAITING, "Table storage is busy.")
    await world.tick(timedelta(minutes=2))
    assert world.row(NAMES[0]).state is State.ACTIVE
