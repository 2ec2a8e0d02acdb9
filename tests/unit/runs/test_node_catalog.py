"""What is known of nodes is asked for once, by clocks that never stand still."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest

from batch_ops.domain.errors import NotAllowed
from batch_ops.domain.prices import Node, NodeKind
from batch_ops.runs.node_catalog import NodeCatalog
from tests.fakes.batch import FakeBatch


def moving() -> Iterator[datetime]:
    """A clock that goes on with every look at it."""
    return (datetime(2026, 3, 1, tzinfo=UTC) + timedelta(microseconds=number) for number in count())


@pytest.fixture
def batch() -> FakeBatch:
    """A pool with a node of each kind."""
    batch = FakeBatch()
    batch.nodes |= {"own": True, "spot": False}
    return batch


async def test_size_slots_and_kind_are_asked_for_once(batch: FakeBatch):
    """Of a node that is not there the kind stays unknown, and is asked for again."""
    clock = moving()
    catalog = NodeCatalog(batch=batch, clock=lambda: next(clock))
    for _ in range(3):
        assert await catalog.node("pool", "own") == Node("standard_d4ds_v5", 1, NodeKind.DEDICATED)
        assert (await catalog.node("pool", "spot")).kind is NodeKind.SPOT
        assert (await catalog.node("pool", "gone")).kind is None
    assert batch.cloud.calls["batch.is_dedicated"] == 2 + 3
    assert batch.cloud.calls["batch.pool"] == 1


async def test_a_pool_that_is_not_there_is_asked_for_again_in_a_minute(batch: FakeBatch):
    """Not by every file of a burst; once it is made it is known."""
    clock = moving()
    late = timedelta()
    catalog = NodeCatalog(batch=batch, clock=lambda: next(clock) + late)
    for _ in range(3):
        assert await catalog.any_node("new") == Node()
    assert batch.cloud.calls["batch.pool"] == 1
    batch.pools["new"] = batch.pools["pool"]
    late = timedelta(minutes=2)
    assert await catalog.any_node("new") == Node("standard_d4ds_v5", 1)


async def test_whoever_is_refused_asks_again_later(batch: FakeBatch):
    """Ten minutes, for roles spread slowly; the others of a pool are not asked for meanwhile."""
    clock = moving()
    late = timedelta()
    catalog = NodeCatalog(batch=batch, clock=lambda: next(clock) + late)
    batch.cloud.fail("batch.is_dedicated", NotAllowed("no"), times=1)
    assert (await catalog.node("pool", "own")).kind is None
    assert (await catalog.node("pool", "spot")).kind is None
    late = timedelta(minutes=11)
    assert (await catalog.node("pool", "own")).kind is NodeKind.DEDICATED
