"""A project is segmented again beside its results: each image once, whatever happens meanwhile."""

from dataclasses import replace
from datetime import timedelta

import pytest

from batch_ops.domain.file_record import State
from batch_ops.domain.orders import LookOrder
from batch_ops.task import contract
from batch_ops.use_cases.rerunning import CannotRerun
from tests import fakes
from tests.fakes.check import PROJECT, FakeCheck
from tests.world import Crash, World

OLD, NEW = "fly/day 1/a.h5", "fly@second/day 1/a.h5"


async def rerun(world: World, project: str = "fly", name: str = "second") -> None:
    """The command, and its messages."""
    await world.system.rerunning.begin(await world.system.rerunning.plan(project, name))
    await world.deliver()


@pytest.fixture
async def world() -> World:
    """A file that was segmented; its classifier has changed since."""
    made = World()
    await made.begin(OLD)
    await made.finish(OLD)
    made.project("fly", b"a newer classifier")
    made.new_process()
    return made


async def test_a_rerun_keeps_what_is_there(world):
    """The same image, the classifier of today, results and row of their own."""
    before = world.results(OLD)
    await rerun(world)
    row = await world.finish(NEW)
    assert (row.state, row.source, row.image) == (State.SUCCEEDED, OLD, world.row(OLD).image)
    assert row.plan.tool.project_digest != world.row(OLD).plan.tool.project_digest
    assert row.plan.run_key != world.row(OLD).plan.run_key
    assert world.provenance(NEW)["input"]["name"] == OLD
    assert set(world.results(NEW)) == set(before)
    assert world.results(OLD) == before
    assert world.row(OLD).run == 1


async def test_a_rerun_may_be_repeated(world):
    """Every file is segmented once under a name; another name is another rerun."""
    for _ in range(2):
        await rerun(world)
    await world.finish(NEW)
    await rerun(world)
    assert world.row(NEW).run == 1
    await rerun(world, name="third")
    assert world.row("fly@third/day 1/a.h5").source == OLD


async def test_two_operators_may_begin_a_rerun_at_once(world):
    """Who finds it noted in between goes on, as does one whose own note was answered by nobody."""
    plan = await world.system.rerunning.plan("fly", "second")
    async with world.meanwhile("blobs.put", world.system.rerunning.begin(plan)):
        await world.system.rerunning.begin(plan)
    await world.deliver()
    assert (await world.finish(NEW)).run == 1


@pytest.mark.parametrize("when", fakes.When)
async def test_a_rerun_that_is_interrupted_at_any_call_is_completed_once(when):
    """The command and its messages come again: one run, one task, one set of results."""
    for number in range(100):
        world = World()
        await world.begin(OLD)
        await world.finish(OLD)
        left = number

        async def crash(_: str, now: fakes.When) -> None:
            nonlocal left
            left -= now is when
            if left < 0:
                raise Crash

        world.cloud.hook = crash
        interrupted = False
        try:
            await rerun(world)
        except Crash:
            interrupted = True
        world.cloud.hook = None
        world.new_process()
        await rerun(world)
        row = await world.finish(NEW)
        assert (row.state, row.run, row.source) == (State.SUCCEEDED, 1, OLD)
        assert len(world.tasks()) == 2
        if not interrupted:
            assert number > 5
            return
    raise AssertionError("It took more calls than anything should.")


async def test_a_rerun_is_retried_and_superseded_like_any_run(world):
    """Of the image as it is then; one that is gone ends it."""
    await rerun(world)
    await world.fill_disk(NEW)
    assert world.row(NEW).state is State.FAILED
    await world.look(LookOrder(NEW, "again", again=1))
    await world.compute(NEW)
    world.drop(OLD, b"another version")
    await world.deliver()
    assert (world.row(NEW).run, world.row(NEW).state) == (3, State.ACTIVE)
    await world.compute(NEW)
    world.blobs.remove("input", OLD)
    await world.deliver()
    assert world.row(NEW).state is State.CANCELLED


async def test_an_image_that_is_replaced_before_its_task_can_fetch_it_is_segmented_as_it_is_now(world):
    """No event says so of a rerun: the task that misses its version does, and the run of that is tried no further."""
    await rerun(world)
    world.drop(OLD, b"another version")
    row = await world.fail(NEW, contract.EXIT_STAGING_IN)
    assert (row.run, row.state) == (1, State.SUBMITTING)
    await world.deliver()
    row = await world.finish(NEW)
    assert (row.run, row.state, row.source) == (2, State.SUCCEEDED, OLD)
    assert row.image.etag == world.blobs.find("input", OLD).blob.etag


async def test_files_at_the_root_have_a_rerun_too():
    """They are those of the project `default`."""
    world = World()
    world.project()
    await world.begin("a.h5")
    await world.finish("a.h5")
    await rerun(world, "default")
    assert world.row("default@second/a.h5").source == "a.h5"


async def test_a_name_that_is_taken_is_refused(world):
    """Where files were dropped under it, where it is none, and of a rerun itself."""
    world.drop("fly@taken/x.h5")
    for project, name in (("fly", "taken"), ("fly", "a/b"), ("fly", "")):
        with pytest.raises(CannotRerun):
            await world.system.rerunning.plan(project, name)
    await rerun(world)
    with pytest.raises(CannotRerun):
        await world.system.rerunning.plan("fly@second", "third")


@pytest.mark.parametrize("how", [{"container": "input", "sequencer": "1"}, {}], ids=["event", "sweep"])
async def test_what_is_dropped_into_a_rerun_is_rejected(world, how):
    """With the reason, beside what is there; a row that has a run goes on."""
    await rerun(world)
    for name in ("fly@second/late.h5", NEW):
        world.drop(name)
        await world.look(LookOrder(name, "event", **how))
    late = world.row("fly@second/late.h5")
    assert (late.state, late.source) == (State.REJECTED, "")
    assert "files rerun" in late.reason
    assert "files rerun" in world.results("fly@second/late.h5")["PROBLEM.txt"].decode()
    assert (await world.finish(NEW)).state is State.SUCCEEDED


async def test_an_at_sign_alone_is_no_rerun():
    """Folders with one are projects like others."""
    world = World()
    world.project("fly@home")
    await world.begin("fly@home/a.h5")
    assert (await world.finish("fly@home/a.h5")).state is State.SUCCEEDED


async def test_two_files_never_share_a_name_in_a_rerun():
    """At the root and in its folder the project `default` may have two of one name: the second is left, and counted."""
    world = World()
    world.project("default")
    for name in ("a.h5", "default/a.h5"):
        await world.begin(name)
        await world.finish(name)
    plan = await world.system.rerunning.plan("default", "second")
    assert (len(plan.images), sum(plan.left.values())) == (1, 1)


async def test_a_name_of_rows_without_files_is_taken(world):
    """Somebody's results lie there, though the images are gone; a rerun with a file dropped into it is no such name."""
    world.project("fly@old")
    await world.begin("fly@old/x.h5")
    await world.finish("fly@old/x.h5")
    world.blobs.remove("input", "fly@old/x.h5")
    with pytest.raises(CannotRerun, match="another name"):
        await world.system.rerunning.plan("fly", "old")
    await rerun(world)
    world.drop("fly@second/late.h5")
    await world.start("fly@second/late.h5")
    assert set((await world.system.rerunning.plan("fly", "second")).images) == {NEW}


async def test_a_repeated_rerun_takes_up_new_versions_only(world):
    """A newer classifier alone begins nothing anew under the same name."""
    await rerun(world)
    await world.finish(NEW)
    world.project("fly", b"the newest classifier")
    world.new_process()
    await rerun(world)
    assert world.row(NEW).run == 1
    world.drop(OLD, b"another version")
    await rerun(world)
    assert (world.row(NEW).run, world.row(NEW).state) == (2, State.ACTIVE)


@pytest.mark.parametrize("paused", ["fly", "fly@second"])
async def test_a_pause_holds_reruns_too(world, paused):
    """Of the project, or of the rerun alone; ticks begin nothing, and its end wakes them at once."""
    await world.steering.pause(paused)
    await rerun(world)
    await world.tick(timedelta(minutes=30))
    assert (world.row(NEW).state, paused in world.row(NEW).reason) == (State.WAITING, True)
    assert await world.steering.resume(paused) == 1
    await world.deliver(timedelta(seconds=6))
    assert world.row(NEW).state is State.ACTIVE


async def test_a_classifier_that_comes_back_wakes_reruns_at_once(world):
    """They wait for that of their images."""
    await world.blobs.delete("projects", "fly.ilp")
    world.new_process()
    await rerun(world)
    assert world.row(NEW).state is State.WAITING_FOR_PROJECT
    world.project("fly", b"a newer classifier")
    await world.project_changed("fly")
    await world.deliver(timedelta(seconds=7))
    assert world.row(NEW).state is State.ACTIVE


async def test_an_answer_about_axes_wakes_reruns_at_once(world):
    """Whichever of both names is given."""
    world.check = FakeCheck(
        world.cloud, project=replace(PROJECT, axes="tyx", spatial_dimensions=2, chooses_2d=False, columns=5)
    )
    world.drop(OLD, b"UNSAID")
    world.new_process()
    await rerun(world)
    assert "files confirm" in world.row(NEW).reason
    assert (await world.confirming(NEW, "tyx")).looked == 1
    await world.deliver()
    assert world.row(NEW).state is State.ACTIVE
