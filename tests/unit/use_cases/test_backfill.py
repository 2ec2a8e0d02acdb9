"""Back-fill: older files are counted, estimated and asked for."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from batch_ops.domain.blob import ImageVersion
from batch_ops.domain.file_record import FileRecord, State
from batch_ops.domain.prices import NO_PRICES, NodePrices
from batch_ops.domain.record_parts import Spent, Times
from batch_ops.use_cases.backfill import Pace, pace_of
from tests.world import World

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


async def test_a_backfill_counts_first(world: World):
    """Images that the ledger has no version of, their bytes, what is archived, what needs nothing."""
    await world.begin("fly/known.h5")
    world.drop("fly/old.h5", b"x" * 1000)
    world.drop("fly/older/deep.h5", b"x" * 500)
    world.drop("fly/notes.txt")
    world.drop("worm/other.h5")
    world.blobs.set_tier("input", "fly/older/deep.h5", "Archive")
    plan = await world.backfiller.plan("fly/")
    assert plan.names == ("fly/old.h5", "fly/older/deep.h5")
    assert (plan.total_bytes, plan.archived, plan.known) == (1500, 1, 1)
    assert world.known("fly/old.h5") is None


async def test_a_backfill_of_many_lists_and_compares_in_pages(world: World):
    """Of 2,500 files: one listing call, three queries; then a look for files that have finished."""
    for n in range(2500):
        world.drop(f"fly/{n:05}.h5")
    assert await world.index.confirm("fly")
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


def test_the_estimate_learns_what_files_cost():
    """With what was done in vain; a file of which any part has no known price teaches nothing."""
    lost = replace(finished(100, 10**9), spent=Spent(3000, 150))
    lost = replace(lost, times=replace(lost.times, failed_seconds=50))
    unknown = replace(finished(100, 10**9), spent=Spent(10**9, 99))
    assert pace_of([lost, unknown]).cost_a_second == 30.0
    assert pace_of([unknown, finished(100, 10**9)]).cost_a_second is None


@pytest.mark.parametrize(
    ("prices", "learnt", "cost"),
    [
        ("", None, None),
        ('{"standard_d4ds_v5": {"dedicated": 0.4, "spot": 0.1}}', None, 4_000_000),
        ('{"standard_d4ds_v5": {"dedicated": 0.4, "spot": 0.1}}', 25.0, 900_000),
    ],
)
async def test_the_estimate_has_a_cost(world: World, prices, learnt, cost):
    """As of files that finished, else of the pool's dearer nodes; without prices it is not known."""
    world.new_process(prices=NodePrices.parse(prices) if prices else NO_PRICES)
    world.drop("fly/a.h5")
    plan = await world.backfiller.plan("fly/")
    plan = replace(plan, total_bytes=36 * 10**9, pace=Pace(0.0, 1000.0, 5, learnt))
    assert plan.cost_micro == cost


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
