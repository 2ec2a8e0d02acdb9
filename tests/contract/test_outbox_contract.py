"""The rules of the outbox, on the fake and on queues of Azurite."""

from datetime import timedelta

import pytest

from batch_ops.adapters.clients import host_queue
from batch_ops.adapters.queues import AzureOutbox
from batch_ops.domain.errors import ServiceFault
from batch_ops.domain.orders import CollectOrder, LookOrder

NAMES = ["p/a.h5", "p/\u00e4\u4e2d\U0001f9ea 'q' \"d\" <x>&\n.h5", "\U0001f9ea" * 1000 + ".h5"]


@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
async def test_an_order_arrives_as_it_was_sent(mail, name):
    """Base64 JSON, whatever the name."""
    order = CollectOrder(name, 3, "task-1", "correlation")
    await mail.outbox.send(order)
    await mail.outbox.send(order)
    assert await mail.orders() == [order, order]
    assert await mail.looks() == []


@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
async def test_a_request_to_look_arrives_in_the_other_queue(mail, name):
    """Where the events come from."""
    await mail.outbox.look_again(LookOrder(name, "correlation"))
    assert await mail.looks() == [LookOrder(name, "correlation")]
    assert await mail.orders() == []


async def test_a_delayed_order_is_not_seen_before_its_time(mail):
    """Whoever receives finds nothing."""
    await mail.outbox.send(CollectOrder("p/a.h5", 1, "t", "c"), timedelta(hours=1))
    await mail.outbox.look_again(LookOrder("p/a.h5", "c"), timedelta(hours=1))
    assert await mail.orders() == []
    assert await mail.looks() == []


async def test_a_missing_queue_is_a_fault_that_an_operator_mends(storage, unique):
    """The sentence says what could not be done."""
    async with storage().queue_service() as service:
        outbox = AzureOutbox(host_queue(service, unique("none")), host_queue(service, unique("none")))
        with pytest.raises(ServiceFault, match=r"results of p/a\.h5"):
            await outbox.send(CollectOrder("p/a.h5", 1, "t", "c"))


async def test_a_request_to_look_carries_what_an_operator_wants(mail):
    """An older file with a turn of its own, a run to be repeated, a blob of another container."""
    wanted = [
        LookOrder("p/a.h5", "c", backfill=True),
        LookOrder("p/b.h5", "c", again=7, tries=3),
        LookOrder("p.ilp", "c", "projects"),
    ]
    for order in wanted:
        await mail.outbox.look_again(order)
    assert sorted(await mail.looks(), key=lambda look: look.name) == sorted(wanted, key=lambda look: look.name)
