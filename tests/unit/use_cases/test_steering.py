"""Steering: select, retry, pause, resume."""

from datetime import UTC, datetime, timedelta

import pytest

from batch_ops.domain.blob import ImageVersion
from batch_ops.domain.file_record import FileRecord, State
from batch_ops.domain.record_parts import Placement
from batch_ops.domain.selection import Selection
from batch_ops.domain.worklist import Intent, fair_share
from tests.world import NAME, World

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


async def retry(world: World, *, force: bool = False, **what) -> dict[str, int]:
    """As the command does it; why some were left alone."""
    plan = await world.steering.plan_retry(Selection(**what), force=force)
    await world.steering.retry(plan.chosen)
    await world.deliver()
    return dict(plan.left)


async def selected(world: World, **what) -> list[str]:
    return [record.name async for record in world.steering.select(Selection(**what))]


async def test_open_files_are_found_without_reading_the_finished_ones(world: World):
    """By what is open, not by a scan of the project."""
    await world.begin(*(f"fly/{n}.h5" for n in range(5)))
    for n in range(4):
        await world.finish(f"fly/{n}.h5")
    assert await world.index.confirm("fly")
    world.cloud.reset_counters()
    assert await selected(world, states=frozenset({State.ACTIVE}), project="fly") == ["fly/4.h5"]
    assert world.cloud.examined["files"] == 1


async def test_a_failed_file_gets_a_new_run(world: World):
    """Run 2 of the same version, claimed like any other, and it can succeed."""
    await world.begin(NAME)
    first = await world.fill_disk(NAME)
    assert await retry(world, names=(NAME,)) == {}
    row = world.row(NAME)
    assert (row.run, row.state, row.image.etag, row.placement.attempt) == (2, State.ACTIVE, first.image.etag, 1)
    done = await world.finish(NAME)
    assert done.state is State.SUCCEEDED
    assert "PROBLEM.txt" not in world.results(NAME)


async def test_what_is_over_well_is_run_again_only_by_force(world: World):
    """SUCCEEDED and REJECTED are left alone, and it is said why."""
    await world.begin(NAME)
    await world.finish(NAME)
    assert await retry(world, names=(NAME,)) == {"SUCCEEDED: only with --force": 1}
    assert world.row(NAME).run == 1
    assert await retry(world, names=(NAME,), force=True) == {}
    assert (await world.finish(NAME)).run == 2
    assert world.provenance(NAME)["run"]["number"] == 2


async def test_what_is_at_work_is_left_alone(world: World):
    """A second task of one version is never created."""
    await world.begin(NAME)
    assert await retry(world, names=(NAME,), force=True) == {"running already": 1}
    assert len(world.tasks()) == 1


async def test_two_operators_retry_the_same_files(world: World):
    """However often and late the messages come, a run is repeated once."""
    await world.begin(NAME)
    await world.fill_disk(NAME)
    plan = await world.steering.plan_retry(Selection(names=(NAME,)))
    await world.steering.retry(plan.chosen)
    await world.steering.retry(plan.chosen)
    await world.deliver()
    assert world.row(NAME).run == 2
    await world.fill_disk(NAME)
    await world.steering.retry(plan.chosen)
    await world.deliver()
    assert (world.row(NAME).run, world.row(NAME).state) == (2, State.FAILED)


@pytest.mark.slow
async def test_thousands_are_retried_by_one_command(world: World):
    """One message for each; the plan reads whole pages of the index."""
    records = [
        FileRecord(
            f"fly/{n:04}.h5", 1, State.FAILED, ImageVersion("0x1", 5), "c", placement=Placement(task_id=f"t{n}")
        ).to(State.FAILED, NOW, "It failed.")
        for n in range(3000)
    ]
    world.ledger.table.strict = False
    for record in records:
        await world.ledger.claim(record, None)
    assert await world.index.confirm("fly")
    world.cloud.reset_counters()
    plan = await world.steering.plan_retry(Selection(project="fly", states=frozenset({State.FAILED})))
    assert len(plan.chosen) == 3000
    assert sum(world.cloud.requests.values()) == 3
    await world.steering.retry(plan.chosen)
    assert world.cloud.calls["outbox.look_again"] == len(world.outbox) == 3000


async def test_a_back_filled_file_need_not_wait_for_its_turn(world: World):
    """Retry of what waits for its day starts it now."""
    world.new_process(backfill_daily_limit=1)
    for name in ("fly/a.h5", "fly/b.h5"):
        world.drop(name)
        await world.start(name, backfill=True)
    assert world.row("fly/b.h5").state is State.WAITING
    await retry(world, names=("fly/b.h5",))
    row = world.row("fly/b.h5")
    assert (row.state, row.run) == (State.ACTIVE, 1)


async def test_resume_takes_up_at_once_what_waited(world: World):
    """All of the project, by message, without waiting for a tick; other projects' files are left alone."""
    await world.steering.pause("fly")
    await world.begin("fly/a.h5", "fly/b.h5", "late/x.h5")
    assert {world.row(n).state for n in ("fly/a.h5", "fly/b.h5")} == {State.WAITING}
    assert await world.steering.resume("fly") == 2
    # Not before every instance has heard of it.
    assert world.outbox.looks() == []
    await world.deliver(timedelta(seconds=6))
    assert {world.row(n).state for n in ("fly/a.h5", "fly/b.h5")} == {State.ACTIVE}
    assert await world.steering.pauses() == []


async def test_resume_leaves_alone_what_waits_for_its_turn(world: World):
    """A hundred thousand back-filled files cost it nothing."""
    world.new_process(backfill_daily_limit=1)
    for name in ("fly/a.h5", "fly/b.h5", "fly/c.h5"):
        world.drop(name)
        await world.start(name, backfill=True)
    assert await world.steering.resume() == 0


def test_waiting_files_leave_room_for_running_ones():
    """Of what is due, half a tick at least is for files with tasks; what nobody needs the others get."""
    waiting = [Intent(f"w{n}", "n", NOW, NOW, waiting=True) for n in range(10)]
    at_work = [Intent(f"t{n}", "n", NOW + timedelta(seconds=1), NOW) for n in range(10)]
    chosen = fair_share(waiting + at_work, 6)
    assert [sum(i.waiting is kind for i in chosen) for kind in (True, False)] == [3, 3]
    assert len(fair_share(waiting + at_work[:1], 6)) == 6
    assert fair_share(waiting, 6) == waiting[:6]
    assert fair_share(at_work, 6) == at_work[:6]
