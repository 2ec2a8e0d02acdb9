"""What files cost: node seconds x share of the slots x price of the node, of every attempt."""

from dataclasses import replace
from datetime import timedelta

import pytest

from batch_ops.domain.errors import NotAllowed, ServiceFault
from batch_ops.domain.file_record import FileRecord, State
from batch_ops.domain.prices import NodePrices
from batch_ops.domain.selection import Selection
from tests.fakes.batch import POOL
from tests.world import NAME, World

# 100 and 20 millionths a second.
PRICES = NodePrices.parse('{"Standard_D4ds_v5": {"dedicated": 0.36, "spot": 0.072}}')
MINUTES = {number: timedelta(minutes=number) for number in (1, 5, 10)}


@pytest.fixture
async def world() -> World:
    """A file waits for a node of a pool with two task slots a node."""
    world = World(prices=PRICES)
    world.batch.pools["pool"] = replace(POOL, slots=2)
    world.batch.nodes |= {"spot-1": False, "spot-2": False, "own": True}
    await world.begin(NAME)
    return world


async def works(world: World, node: str, span: timedelta) -> FileRecord:
    """A node works on the file for some time, which a tick notices."""
    world.batch.run(world.row(NAME).placement.task_id, node)
    await world.tick(span)
    return world.row(NAME)


def spent(row: FileRecord) -> tuple[int | None, int, int]:
    """Its cost in millionths, for how many node seconds, and for how many more that have no price."""
    return row.spent.cost_micro, row.node_seconds, row.unpriced_seconds


async def test_a_file_pays_for_lost_nodes_and_failed_attempts_too(world: World):
    """By hand: 300 s and 600 s on spot nodes that were taken back, 60 s that failed, 300 s that ended well."""
    row = await works(world, "spot-1", MINUTES[5])
    assert (row.placement.node_size, str(row.placement.node_kind)) == ("standard_d4ds_v5", "spot")
    world.batch.requeue(row.placement.task_id)
    world.cloud.advance(MINUTES[10])
    row = await works(world, "spot-2", MINUTES[10])
    # Azure moves it to the next node without counting, and between two looks.
    await works(world, "own", MINUTES[1])
    world.batch.complete(row.placement.task_id, 1)
    await world.tick(timedelta())
    assert world.row(NAME).placement.attempt == 2
    assert (await works(world, "own", MINUTES[5])).state is State.RUNNING
    world.work(world.row(NAME).placement.task_id)
    world.batch.complete(world.row(NAME).placement.task_id)
    await world.tick(timedelta())
    await world.deliver()
    row = world.row(NAME)
    assert row.state is State.SUCCEEDED
    half = 2
    assert spent(row) == ((300 * 20 + 600 * 20 + 60 * 100 + 300 * 100) // half, 1260, 0)
    assert row.spent.cost_currency == "USD"
    _, [(_, month)] = await world.system.month()
    assert (month.cost_micro, month.priced_seconds, month.node_seconds) == (27_000, 1260, 1260)


async def test_a_file_that_is_cancelled_pays_until_then(world: World):
    """So does one that a newer version overtakes; one on which nobody worked costs nothing."""
    await works(world, "own", MINUTES[1])
    plan = await world.steering.plan_cancel(Selection(names=(NAME,)))
    await world.steering.cancel(plan.chosen)
    assert spent(world.row(NAME)) == (3_000, 60, 0)
    world.drop(NAME, b"new")
    await world.start(NAME)
    await works(world, "own", MINUTES[5])
    world.drop(NAME, b"newer")
    await world.start(NAME)
    overtaken = (await world.ledger.runs(NAME))[1]
    assert (overtaken.state, spent(overtaken)) == (State.SUPERSEDED, (15_000, 300, 0))
    await world.begin("fly/b.h5")
    await world.steering.cancel((await world.steering.plan_cancel(Selection(names=("fly/b.h5",)))).chosen)
    assert spent(world.row("fly/b.h5")) == (0, 0, 0)


async def test_a_task_that_is_lost_worked_until_it_was_missed(world: World):
    """At the latest: nobody knows when it went."""
    row = await works(world, "own", MINUTES[1])
    world.batch.lose(row.placement.task_id)
    for _ in range(4):
        await world.tick(MINUTES[10])
    row = world.row(NAME)
    assert (row.placement.attempt, row.times.failed_seconds, row.spent.cost_micro) == (2, 660, 33_000)


@pytest.mark.parametrize("call", ["batch.pool", "batch.is_dedicated"])
@pytest.mark.parametrize("fault", [NotAllowed("no"), ServiceFault("busy")])
async def test_a_look_up_that_is_refused_makes_the_cost_unknown(world: World, call, fault):
    """It holds nothing up; the node seconds are counted, and said to be without a price. It is not asked for again."""
    world.cloud.fail(call, fault, times=100)
    row = await works(world, "own", MINUTES[1])
    await world.begin("fly/b.h5")
    world.batch.run(world.row("fly/b.h5").placement.task_id, "own")
    row = await world.finish(NAME)
    assert (row.state, row.unpriced_seconds, row.spent.cost_micro) == (State.SUCCEEDED, row.node_seconds, 0)
    assert row.node_seconds > 0
    assert world.cloud.calls[call] == 1


async def test_a_node_that_is_gone_has_no_known_price(world: World):
    """A size without a price neither; the seconds of other nodes keep theirs."""
    row = await works(world, "own", MINUTES[5])
    world.batch.requeue(row.placement.task_id)
    await world.tick(MINUTES[1])
    world.batch.run(row.placement.task_id, "gone")
    del world.batch.nodes["gone"]
    await world.tick(MINUTES[10])
    world.work(row.placement.task_id)
    world.batch.complete(row.placement.task_id)
    await world.tick(timedelta())
    await world.deliver()
    assert spent(world.row(NAME)) == (15_000, 900, 600)


async def test_without_prices_nobody_asks_what_a_node_is():
    """Nothing is known of the cost, and no call is spent on it."""
    world = World()
    await world.begin(NAME)
    await works(world, "own", MINUTES[1])
    row = await world.finish(NAME)
    assert (row.spent.cost_micro, row.unpriced_seconds) == (0, row.node_seconds)
    assert world.cloud.calls["batch.is_dedicated"] + world.cloud.calls["batch.pool"] == 0
