"""What the pool says to files that wait, and how it is rid of broken nodes."""

import logging
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from batch_ops.domain.errors import NotAllowed, ServiceFault
from batch_ops.domain.file_record import State
from batch_ops.domain.pool_status import NodeStatus
from batch_ops.domain.pool_trouble import FREE_NODE
from tests.fakes.batch import POOL
from tests.world import MINUTE, NAME, World

pytestmark = pytest.mark.usefixtures("at_work")
NO_CORES = {"resize_errors": ("AccountCoreQuotaReached: no cores",)}


def pool_is(world: World, **changes: Any) -> None:
    world.batch.pools["pool"] = replace(POOL, **changes)


def broken(world: World, count: int) -> list[NodeStatus]:
    """So many nodes break now."""
    return [NodeStatus(f"n{i}", "unusable", world.cloud.now) for i in range(count)]


def left(world: World) -> int:
    return len(world.batch.pools["pool"].broken)


async def ticks(world: World, minutes: int, each: int = 1) -> None:
    for _ in range(0, minutes, each):
        await world.tick(each * MINUTE)


async def test_the_pool_is_asked_after_a_quarter_of_an_hour(world: World):
    """Not before; then the reason says what the pool says, and no more is written while that stays the same."""
    pool_is(world, **NO_CORES)
    await ticks(world, 14)
    assert world.cloud.calls["batch.pool"] == 0
    assert world.row(NAME).reason == FREE_NODE
    await ticks(world, 2)
    assert "Waiting for a node of the pool: the quota of cores is used up" in world.row(NAME).reason
    assert world.row(NAME).state is State.ACTIVE
    world.cloud.reset_counters()
    await ticks(world, 20)
    assert world.cloud.calls["ledger.advance"] == 0
    assert "PROBLEM.txt" not in world.results(NAME)


async def test_one_look_a_tick_serves_all_who_wait(world: World):
    """However many files ask."""
    await world.begin(*(f"fly/{i}.h5" for i in range(5)))
    pool_is(world, **NO_CORES)
    await world.tick(16 * MINUTE)
    await world.tick(16 * MINUTE)
    assert all("quota" in world.row(f"fly/{i}.h5").reason for i in range(5))
    assert world.cloud.calls["batch.pool"] == 2


async def test_who_uploaded_the_file_is_told_after_an_hour(world: World):
    """PROBLEM.txt says what the row says, and goes when the trouble does."""
    pool_is(world, **NO_CORES)
    await ticks(world, 80, 5)
    text = world.results(NAME)["PROBLEM.txt"].decode()
    assert world.row(NAME).reason in text
    assert f"{NAME} waits." in text
    assert "There is nothing you need to do" in text
    pool_is(world)
    await ticks(world, 11)
    assert world.row(NAME).reason == FREE_NODE
    assert world.results(NAME) == {}


@pytest.mark.parametrize("comes", ["begins", "ends"])
async def test_a_node_that_comes_after_all_ends_the_trouble(world: World, comes):
    """PROBLEM.txt goes when the task begins, or with the results."""
    pool_is(world, **NO_CORES)
    await ticks(world, 80, 5)
    if comes == "begins":
        world.batch.run(world.row(NAME).placement.task_id)
        await world.tick()
        assert world.results(NAME) == {}
    row = await world.finish(NAME)
    assert row.state is State.SUCCEEDED
    assert "PROBLEM.txt" not in world.results(NAME)


@pytest.mark.parametrize("fault", [NotAllowed("no"), ServiceFault("busy")])
async def test_an_answer_that_is_refused_holds_nothing_up(world: World, fault):
    """What the pool says is unknown then: reason and state stay, and the file is looked at as ever."""
    world.cloud.fail("batch.pool", fault, times=100)
    await ticks(world, 40, 5)
    assert world.row(NAME).reason == FREE_NODE
    assert (await world.finish(NAME)).state is State.SUCCEEDED


async def test_the_watermark_moves_where_nodes_may_not_be_asked(world: World):
    """A requeue is then neither a loss nor none; only a task that comes back a dozen times is given up."""
    task_id = world.row(NAME).placement.task_id
    world.cloud.fail("batch.is_dedicated", NotAllowed("no"), times=100)
    for _ in range(11):
        world.batch.run(task_id)
        await world.tick()
        world.batch.requeue(task_id)
        await world.tick()
    row = world.row(NAME)
    assert (row.state, row.placement.requeues, row.placement.node_losses) == (State.ACTIVE, 11, 0)
    (job,) = (await world.worklist.board()).jobs
    assert job.watermark == world.batch.find(task_id).changed
    world.batch.run(task_id)
    await world.tick()
    world.batch.requeue(task_id)
    await world.tick()
    assert (world.row(NAME).state, "12 times" in world.row(NAME).reason) == (State.FAILED, True)


async def test_broken_nodes_are_removed_so_many_a_day(world: World, caplog):
    """Those that have been broken for a quarter of an hour, once a day's number, also by a new process."""
    world.new_process(heal_nodes_per_day=2)
    pool_is(world, nodes=tuple(broken(world, 3)), current=(5, 0))
    with caplog.at_level(logging.WARNING, "batch_ops"):
        await ticks(world, 14)
        assert left(world) == 3
        await ticks(world, 20)
        assert left(world) == 1
        world.new_process()
        await ticks(world, 20)
        assert left(world) == 1
        await world.tick(timedelta(days=1))
    assert left(world) == 0
    lines = [record.getMessage() for record in caplog.records if record.getMessage().startswith("POOL: ")]
    assert sum("Removed broken nodes" in line for line in lines) == 2
    assert any("the limit of 2 a day is used up" in line for line in lines)


async def test_nobody_removes_nodes_where_it_is_not_wanted(world: World):
    """The default: the pool is not even looked at while nothing waits for long."""
    pool_is(world, nodes=tuple(broken(world, 3)))
    world.batch.run(world.row(NAME).placement.task_id)
    await ticks(world, 60, 5)
    assert left(world) == 3
    assert world.cloud.calls["batch.pool"] == 0


async def test_what_may_not_be_removed_is_told_with_how_to_do_it(world: World):
    """Without the role the reason names the node and the command."""
    world.new_process(heal_nodes_per_day=2)
    pool_is(world, nodes=tuple(broken(world, 1)))
    world.cloud.fail("batch.remove_nodes", NotAllowed("no"), times=100)
    await ticks(world, 60, 5)
    assert "az batch node delete --pool-id pool --node-list n0" in world.row(NAME).reason


async def test_a_pool_that_changes_its_size_is_left_alone(world: World):
    """Batch would refuse, and the day's number would be used up for nothing."""
    world.new_process(heal_nodes_per_day=2)
    pool_is(world, nodes=tuple(broken(world, 1)), allocation="resizing")
    await ticks(world, 60, 5)
    assert world.cloud.calls["batch.remove_nodes"] == 0
