"""An announced file goes with all that came of it; what is open, changed or uploaded anew stays."""

from contextlib import suppress
from datetime import timedelta
from itertools import count

import pytest

from batch_ops.domain import naming
from batch_ops.domain.errors import NotAllowed, ServiceFault
from batch_ops.domain.file_record import State
from batch_ops.domain.purge import NOTICE
from batch_ops.domain.selection import Selection
from batch_ops.use_cases.purging import PurgePlan
from tests.fakes import When
from tests.fakes.cloud import Hook
from tests.world import MINUTE, NAME, Crash, World

DAY = timedelta(days=1)
FLY = Selection(prefix="fly/")


@pytest.fixture
async def world() -> World:
    """Two files of one project that succeeded, one of them after a failed attempt."""
    world = World()
    for name in (NAME, "fly/b.h5"):
        await world.begin(name)
        await world.finish(name)
    await world.deliver(MINUTE)
    return world


async def _plan(world: World, older_than: timedelta | None = None, of: Selection = FLY) -> PurgePlan:
    return await world.system.purging.plan(of, older_than)


async def _announce(world: World, name: str = NAME) -> None:
    assert await world.system.purging.announce([world.row(name)], NOTICE) == {}


async def _purge(world: World, name: str = NAME) -> dict[str, int]:
    return dict(await world.system.purging.purge([world.row(name)]))


def _dies_after(calls: int) -> Hook:
    """The process dies when so many calls took effect."""
    made = count(1)

    async def die(call: str, when: When) -> None:
        if when is When.AFTER and next(made) == calls:
            raise Crash

    return die


def _left_of(world: World, name: str = NAME) -> list[str]:
    """The blobs, tasks and rows that are still there of a file."""
    folder = naming.results_folder(name)
    found = [f"results/{blob}" for blob in world.blobs.names("results", folder)]
    found += [f"staging/{blob}" for blob in world.blobs.names("staging", naming.file_prefix(name))]
    found += [f"input/{blob}" for blob in world.blobs.names("input") if blob == name]
    found += [task.task_id for task, _ in world.tasks() if naming.file_of_task(task.task_id) == naming.file_hash(name)]
    rows = [key for partition in world.ledger.table.by_key().values() for key in partition]
    return found + [key for key in rows if naming.file_hash(name) in key]


async def test_nothing_is_removed_before_its_time(world):
    """A first call announces it in the row; until then it can be read there, and nothing else has changed."""
    before = _left_of(world)
    await _announce(world)
    assert world.row(NAME).times.purge_at == (world.cloud.now + NOTICE).replace(microsecond=0)
    world.cloud.advance(NOTICE - MINUTE)
    assert await _purge(world) == {"it has changed meanwhile: it is looked at first": 1}
    assert _left_of(world) == before
    assert [record.name for record in (await _plan(world)).later] == [NAME]


async def test_all_that_came_of_a_file_goes(world):
    """Image, results, staging, tasks and rows; another file keeps all of its own."""
    neighbour = _left_of(world, "fly/b.h5")
    await _announce(world)
    world.cloud.advance(NOTICE)
    assert [record.name for record in (await _plan(world)).due] == [NAME]
    assert await _purge(world) == {}
    assert _left_of(world) == []
    assert _left_of(world, "fly/b.h5") == neighbour
    await world.tick()
    assert world.known(NAME) is None


async def test_the_tasks_of_all_parts_go():
    """Of an image that was computed in parts, with those of attempts before."""
    world = World()
    world.blobs.upload("projects", "fly.json", b'{"parts": 2}')
    own = (await world.begin(NAME)).placement.task_id
    world.batch.run(f"{own}-p1")
    world.batch.complete(f"{own}-p1", 1)
    await world.tick()
    for task_id in (f"{own.removesuffix('-1')}-2-p1", f"{own}-p2"):
        world.batch.run(task_id)
        world.work(task_id)
        world.batch.complete(task_id)
    await world.tick()
    await world.finish(NAME)
    await world.deliver(MINUTE)
    assert len(world.tasks()) == 4
    await _announce(world)
    world.cloud.advance(NOTICE)

    assert await _purge(world) == {}
    assert _left_of(world) == []
    assert world.tasks() == []


async def test_an_interrupted_removal_is_completed_by_the_next(world):
    """Wherever it dies, before or after any call took effect: the row goes last, and is found again."""
    await _announce(world)
    world.cloud.advance(NOTICE)
    deaths = 0
    while world.known(NAME) is not None:
        deaths += 1
        world.cloud.hook = _dies_after(deaths)
        with suppress(Crash):
            await _purge(world)
        world.cloud.hook = None
    assert deaths > 8
    assert _left_of(world) == []


async def test_a_fault_of_a_service_leaves_the_row(world):
    """It says what is still to be removed."""
    await _announce(world)
    world.cloud.advance(NOTICE)
    world.cloud.fail("batch.delete_task", ServiceFault("busy"))
    with pytest.raises(ServiceFault):
        await _purge(world)
    assert world.row(NAME).times.purge_at is not None
    assert await _purge(world) == {}
    assert _left_of(world) == []


async def test_a_newer_upload_is_not_removed(world):
    """Neither before its event has come nor once it has its own run."""
    await _announce(world)
    world.cloud.advance(NOTICE)
    world.drop(NAME, b"another image")
    assert await _purge(world) == {"it has changed meanwhile: it is looked at first": 1}
    assert world.blobs.content("input", NAME) == b"another image"
    assert world.results(NAME)
    await world.start(NAME, sequencer="2")
    assert (world.row(NAME).run, world.row(NAME).times.purge_at) == (2, None)
    await world.finish(NAME)
    assert (await _plan(world)).due == ()


async def test_the_same_image_uploaded_once_more_is_kept(world):
    """Whoever uploads it wants it: the announcement is void, though it needs no new run."""
    await world.start(NAME, sequencer="1")
    await _announce(world)
    world.drop(NAME)
    row = await world.start(NAME, sequencer="2")
    assert (row.run, row.times.purge_at) == (1, None)


async def test_edited_properties_do_not_keep_a_file_for_ever(world):
    """They raise no event: the row takes over the new ETag when its removal is announced."""
    edited = world.blobs.edit("input", NAME, {"sample": "7"})
    await _announce(world)
    assert world.row(NAME).image.etag == edited.etag
    world.cloud.advance(NOTICE)
    assert await _purge(world) == {}
    assert _left_of(world) == []


async def test_what_people_put_into_the_folder_stays(world):
    """Only what the runs of the file have written goes."""
    world.blobs.upload("results", f"{NAME}/notes.txt", b"mine")
    await _announce(world)
    world.cloud.advance(NOTICE)
    assert await _purge(world) == {}
    assert _left_of(world) == [f"results/{NAME}/notes.txt"]


async def test_a_rerun_keeps_the_image_that_it_is_of(world):
    """Its own results and rows go."""
    await world.system.rerunning.begin(await world.system.rerunning.plan("fly", "new"))
    await world.deliver(MINUTE)
    again = "fly@new/a.h5"
    await world.finish(again)
    await _announce(world, again)
    world.cloud.advance(NOTICE)
    assert await _purge(world, again) == {}
    assert _left_of(world, again) == []
    assert world.results(NAME)
    assert world.blobs.names("input", NAME)


async def test_open_and_young_files_are_left_alone(world):
    """With the reason; what is old enough is told by its drop and its end."""
    await world.begin("fly/open.h5")
    world.cloud.advance(30 * DAY)
    await world.begin("fly/young.h5")
    await world.finish("fly/young.h5")
    plan = await _plan(world, 10 * DAY)
    assert [record.name for record in plan.new] == [NAME, "fly/b.h5"]
    assert plan.left == {"it is ACTIVE, not over": 1, "it is younger": 1}


async def test_an_announcement_can_be_taken_back(world):
    """Then nothing is due."""
    await _announce(world)
    await world.system.purging.keep([world.row(NAME)])
    world.cloud.advance(NOTICE)
    assert await _purge(world) == {"it has changed meanwhile: it is looked at first": 1}
    assert world.results(NAME)


async def test_a_file_of_an_older_version_leaves_no_copies(world):
    """Its row does not say where they are: the index is completed first."""
    await _announce(world)
    world.ledger.forget_index(NAME)
    world.cloud.advance(NOTICE)
    assert await _purge(world) == {}
    assert _left_of(world) == []
    assert world.ledger.misindexed() == []


async def test_a_name_that_comes_back_is_segmented_anew(world):
    """Its first run takes no task of the removed one for its own."""
    await _announce(world)
    world.cloud.advance(NOTICE)
    await _purge(world)
    row = await world.begin(NAME)
    assert (row.run, row.state) == (1, State.ACTIVE)
    assert (await world.finish(NAME)).state is State.SUCCEEDED


async def test_what_soft_delete_keeps_is_asked_if_that_is_allowed(world):
    """None where it is not."""
    assert await world.system.purging.kept_after_deletion() == 7 * DAY
    world.cloud.fail("blobs.kept_after_deletion", NotAllowed("no"))
    assert await world.system.purging.kept_after_deletion() is None


async def test_the_same_image_uploaded_amid_an_interrupted_removal_gets_results(world):
    """What was there is going: its bytes are segmented anew, wherever the removal had got to."""
    await _announce(world)
    world.cloud.advance(NOTICE)
    world.cloud.fail("blobs.list", ServiceFault("busy"))
    with pytest.raises(ServiceFault):
        await _purge(world)
    assert not world.blobs.find("input", NAME)
    world.drop(NAME)
    assert (await world.start(NAME, sequencer="2")).run == 2
    await world.finish(NAME)
    assert world.provenance(NAME)["run"]["number"] == 2
