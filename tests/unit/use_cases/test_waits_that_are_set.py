"""How long things wait, and how many are done at once, is what the settings say, as the README promises."""

from datetime import timedelta

import pytest

from batch_ops.domain.file_record import State
from tests.fakes.check import SETUPS_XML
from tests.world import NAME, World


@pytest.mark.parametrize(("setting", "minutes"), [("RECHECK", 30), ("LOST_AFTER", 7)])
async def test_a_silent_file_is_looked_at_in_time(world: World, setting: str, minutes: int):
    """RECHECK_SECONDS after its last news; LOST_AFTER_SECONDS after its task was found missing for the first time."""
    world.new_process(**{setting.lower(): timedelta(minutes=minutes)})
    row = await world.begin(NAME)
    if setting == "LOST_AFTER":
        world.batch.lose(row.placement.task_id)
    else:
        world.batch.run(row.placement.task_id)
    # The first look is after the grace.
    await world.tick(timedelta(minutes=11))
    asked = world.cloud.calls["batch.task"]
    await world.tick(timedelta(minutes=minutes, seconds=-30))
    assert world.cloud.calls["batch.task"] == asked
    await world.tick(timedelta(minutes=1))
    assert world.cloud.calls["batch.task"] == asked + 1
    assert world.row(NAME).placement.attempt == (2 if setting == "LOST_AFTER" else 1)


async def test_the_project_of_a_waiting_file_is_looked_for_in_time(world: World):
    """PROJECT_POLL_SECONDS after it began to wait, then less and less often: every RECHECK_SECONDS in the end."""
    world.new_process(project_poll=timedelta(minutes=5))
    assert (await world.begin("late/x.h5")).state is State.WAITING_FOR_PROJECT
    world.project("late")
    await world.tick(timedelta(minutes=4))
    assert world.row("late/x.h5").state is State.WAITING_FOR_PROJECT
    await world.tick(timedelta(minutes=2))
    assert world.row("late/x.h5").state is State.ACTIVE
    assert (await world.begin("later/x.h5")).state is State.WAITING_FOR_PROJECT
    await world.tick(timedelta(days=1))
    world.project("later")
    for minutes, state in ((9, State.WAITING_FOR_PROJECT), (2, State.ACTIVE)):
        await world.tick(timedelta(minutes=minutes))
        assert world.row("later/x.h5").state is state


async def test_larger_images_are_rejected(world: World):
    """MAX_IMAGE_BYTES, as large as they are unpacked."""
    world.new_process(max_image_bytes=2 * 20 * 64 * 64 * 2 - 1)
    world.drop(NAME, b"SETUPS")
    world.blobs.upload("input", NAME.replace(".h5", ".xml"), SETUPS_XML)
    row = await world.start(NAME)
    assert (row.state, "and the limit is" in row.reason) == (State.REJECTED, True)


async def test_a_tick_looks_at_no_more_files_than_it_may(world: World):
    """DUE_PER_TICK; the next tick looks at others."""
    world.new_process(due_per_tick=2)
    names = [f"late/{number}.h5" for number in range(5)]
    for name in names:
        await world.begin(name)
    world.project("late")
    begun = []
    for minutes in (20, 0, 0):
        await world.tick(timedelta(minutes=minutes))
        begun.append(sum(world.row(name).state is State.ACTIVE for name in names))
    assert begun == [2, 4, 5]


async def test_a_job_is_closed_after_the_time_that_is_set(world: World):
    """JOB_IDLE_HOURS without work."""
    world.new_process(job_idle=timedelta(hours=3))
    await world.begin(NAME)
    await world.finish(NAME)
    await world.tick()
    for hours, state in ((2, "active"), (1, "completed")):
        await world.tick(timedelta(hours=hours))
        assert set(world.batch.jobs().values()) == {state}


async def test_a_long_copy_is_looked_at_in_time(world: World):
    """COPY_POLL_SECONDS between looks."""
    world.new_process(copy_poll=timedelta(seconds=45))
    await world.begin(NAME)
    world.blobs.slow_copies = True
    await world.finish(NAME)
    assert world.row(NAME).state is State.COLLECTING
    looks = world.cloud.calls["blobs.copy"], world.cloud.calls["blobs.head"]
    world.cloud.advance(timedelta(seconds=30))
    await world.deliver()
    assert (world.cloud.calls["blobs.copy"], world.cloud.calls["blobs.head"]) == looks
    world.blobs.finish_copies()
    world.cloud.advance(timedelta(seconds=20))
    await world.deliver()
    assert world.row(NAME).state is State.SUCCEEDED
