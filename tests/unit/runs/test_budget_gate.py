"""The month's budget: what waits for it, until when, and how exactly it is kept."""

import asyncio
import logging
from datetime import timedelta

import pytest

from batch_ops.domain.budget import NO_BUDGETS, Budgets, is_over_budget
from batch_ops.domain.errors import NotAllowed, ServiceFault
from batch_ops.domain.file_record import FileRecord, State
from batch_ops.domain.prices import NO_PRICES, NodePrices
from batch_ops.runs.budget_gate import BudgetGate
from batch_ops.runs.node_catalog import NodeCatalog
from batch_ops.task.contract import EXIT_DISK_TOO_SMALL
from tests.world import MINUTE, NAME, World

# A dollar an hour.
PRICES = NodePrices.parse('{"Standard_D4ds_v5": {"dedicated": 1}}')
NAMES = [f"fly/{number}.h5" for number in range(9)]
DOLLAR = 1_000_000


@pytest.fixture
def world() -> World:
    """Of the month's budget an hour of work is to be had, and of that of the project `worm`."""
    return World(prices=PRICES, budgets=Budgets.parse('{"all": 1, "projects": {"worm": 1}}'))


async def spend(world: World, name: str, span: timedelta) -> FileRecord:
    """A node works on a file for so long, and it ends."""
    task_id = (await world.begin(name)).placement.task_id
    world.batch.run(task_id)
    await world.tick(span)
    world.tell(task_id, "DISK_FULL", "The disk is too small.", EXIT_DISK_TOO_SMALL)
    world.batch.complete(task_id, EXIT_DISK_TOO_SMALL)
    await world.tick(2 * MINUTE)
    return world.row(name)


def waiting(world: World) -> list[str]:
    """The files that wait for the budget."""
    rows = [world.row(name) for name in NAMES if world.known(name)]
    return [row.name for row in rows if row.state is State.WAITING and is_over_budget(row.reason)]


async def test_a_file_waits_for_the_next_month(world: World):
    """With its reason in PROBLEM.txt too; then it runs by itself. No machine and no check is paid for meanwhile."""
    await spend(world, "fly/first.h5", timedelta(hours=1))
    checks = world.cloud.calls["check.image"]
    row = await world.begin(NAME)
    assert row.reason == (
        "The month's budget is used up: 1.00 USD for all projects, what is running included. It starts on 2026-04-01 "
        "(UTC), or once an operator raises BUDGET_MONTH (deploy.sh --budget)."
    )
    assert row.reason in world.results(NAME)["PROBLEM.txt"].decode()
    await world.tick(timedelta(days=1))
    assert world.row(NAME) == row
    assert world.cloud.calls["check.image"] == checks
    await world.tick(timedelta(days=31))
    assert world.row(NAME).state is State.ACTIVE
    await world.finish(NAME)
    assert "PROBLEM.txt" not in world.results(NAME)


@pytest.mark.parametrize("budgets", [NO_BUDGETS, Budgets(2 * DOLLAR)])
async def test_a_file_runs_once_the_budget_is_raised(world: World, budgets):
    """Or taken away: a setting is that of a new process."""
    await spend(world, "fly/first.h5", timedelta(hours=1))
    assert (await world.begin(NAME)).state is State.WAITING
    world.new_process(budgets=budgets)
    await world.tick(timedelta(minutes=11))
    assert world.row(NAME).state is State.ACTIVE


async def test_a_project_has_a_budget_of_its_own(world: World):
    """Others go on; that of all binds every project, also one whose classifier is gone."""
    world.new_process(budgets=Budgets.parse('{"all": 2, "projects": {"worm": 1}}'))
    await spend(world, "worm/a.h5", timedelta(hours=1))
    assert "for the project 'worm'" in (await world.begin("worm/b.h5")).reason
    assert (await world.begin("fly/a.h5")).state is State.ACTIVE
    await spend(world, "fly/b.h5", timedelta(hours=1))
    await world.blobs.delete("projects", "worm.ilp")
    await world.tick(2 * MINUTE)
    assert "for all projects" in (await world.begin("fly/c.h5")).reason


async def test_a_budget_of_a_project_holds_its_reruns_and_is_not_used_up_by_them(world: World):
    """Nobody looks at the image meanwhile. What they cost counts for the budget of all."""
    world.new_process(budgets=Budgets.parse('{"all": 9, "projects": {"worm": 1}}'))
    await spend(world, "worm/a.h5", timedelta(hours=1))
    await world.system.rerunning.begin(await world.system.rerunning.plan("worm", "second"))
    await world.deliver()
    rerun = "worm@second/a.h5"
    assert "for the project 'worm'" in world.row(rerun).reason
    world.cloud.reset_counters()
    await world.tick(timedelta(minutes=20))
    assert (world.row(rerun).state, world.cloud.calls["blobs.read"]) == (State.WAITING, 0)
    world.new_process(budgets=Budgets.parse('{"all": 4, "projects": {"worm": 2}}'))
    await world.tick(timedelta(minutes=11))
    world.batch.run(world.row(rerun).placement.task_id)
    await world.tick(timedelta(hours=3))
    await world.fill_disk(rerun)
    world.new_process(budgets=Budgets.parse('{"projects": {"worm": 2}}'))
    assert (await world.begin("worm/b.h5")).state is State.ACTIVE
    world.new_process(budgets=Budgets.parse('{"all": 4}'))
    assert "for all projects" in (await world.begin("worm/c.h5")).reason


async def test_what_runs_counts_as_it_was_foreseen(world: World):
    """A burst does not pass the budget unseen."""
    await world.begin("fly/one.h5")
    (kept,) = [intent.kept_micro or 0 for intent in (await world.worklist.board()).open]
    world.new_process(budgets=Budgets(4 * kept))
    for name in NAMES:
        world.drop(name)
    await asyncio.gather(*(world.start(name) for name in NAMES))
    assert len(waiting(world)) == len(NAMES) - 3
    # Another process reads it in the worklist.
    world.new_process()
    assert is_over_budget((await world.begin("fly/more.h5")).reason)
    # What has ended counts as what it cost, and what was kept is free again.
    for name in sorted(set(NAMES) - set(waiting(world))):
        await world.finish(name)
    await world.tick(timedelta(minutes=11))
    assert len(waiting(world)) == len(NAMES) - 6


async def test_a_run_that_has_begun_goes_on(world: World):
    """It is tried again, too: the budget holds up new runs only."""
    await world.begin(NAME)
    world.batch.run(world.row(NAME).placement.task_id)
    await world.tick(timedelta(hours=2))
    row = await world.fail(NAME)
    assert (row.placement.attempt, row.state) == (2, State.ACTIVE)


async def test_a_budget_without_prices_holds_up_everything(world: World):
    """It is no budget without limit; the reason says what to do."""
    world.new_process(prices=NO_PRICES)
    assert "NODE_PRICES" in (await world.begin(NAME)).reason


async def test_a_pool_that_may_not_be_looked_at_costs_the_highest_price(world: World):
    """Its hours count, though nobody knows their price."""
    world.cloud.fail("batch.pool", NotAllowed("no"), times=100)
    await spend(world, "fly/first.h5", timedelta(hours=1))
    assert is_over_budget((await world.begin(NAME)).reason)


async def test_books_that_cannot_be_read_are_a_fault_that_passes(world: World):
    """The file waits with the service's words, and is looked at again."""
    world.cloud.fail("ledger.sums", ServiceFault("Table storage is out."), times=1)
    assert (await world.begin(NAME)).reason == "Table storage is out."
    await world.tick(2 * MINUTE)
    assert world.row(NAME).state is State.ACTIVE


async def test_the_books_are_read_once_a_minute(world: World):
    """However many files come; without a budget never."""
    world.new_process(budgets=Budgets(10_000 * DOLLAR))
    await world.settle()
    await asyncio.gather(*(world.begin(name) for name in NAMES))
    assert world.cloud.calls["ledger.sums"] + world.cloud.calls["ledger.projects"] <= 3
    world.new_process(budgets=NO_BUDGETS)
    world.cloud.reset_counters()
    await world.begin("fly/more.h5")
    assert world.cloud.calls["ledger.sums"] + world.cloud.calls["ledger.projects"] == 0


async def test_people_are_told_in_the_log(world: World, caplog):
    """While something runs, at 80 and at 100 %, and not every minute."""
    with caplog.at_level(logging.WARNING, "batch_ops"):
        await spend(world, "fly/first.h5", timedelta(minutes=50))
        await world.begin(NAME)
        for _ in range(5):
            await world.tick(2 * MINUTE)
    said = [line for line in caplog.messages if line.startswith("BUDGET: ")]
    assert said == ["BUDGET: 80 % of the month's budget is spent: 0.8333 USD of 1.00 USD for all projects in 2026-03."]


async def test_the_doctor_sees_hours_without_a_budget_too(world: World):
    """The books of all projects are read where they are asked for, whatever the budgets need."""
    world.new_process(budgets=NO_BUDGETS)
    await spend(world, NAME, timedelta(hours=1))
    gate = BudgetGate(
        ledger=world.ledger,
        worklist=world.worklist,
        nodes=NodeCatalog(batch=world.batch, clock=world.cloud.clock),
        settings=world.settings,
        clock=world.cloud.clock,
    )
    assert (await gate.books()).spent == {}
    assert (await gate.books(of_all=True)).spent["fly"].node_seconds == 3600
