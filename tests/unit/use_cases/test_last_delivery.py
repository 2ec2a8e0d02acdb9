"""Messages that can not be handled: what the row says, and how they come back."""

import json
from datetime import timedelta
from pathlib import Path

import pytest

from batch_ops.domain.errors import BlobMissing, RequestRefused, ServiceFault
from batch_ops.domain.file_record import State
from batch_ops.domain.messages import collect_message, look_again_message
from batch_ops.domain.orders import CollectOrder, LookOrder
from batch_ops.use_cases.inbox import LAST_DELIVERY
from batch_ops.use_cases.poison_queues import PoisonSelection
from tests import fakes
from tests.world import NAME, World


async def test_what_is_given_up_has_a_row_with_the_reason(world: World):
    """At the last delivery, not before; the file waits and is taken up once the fault is mended."""
    world.drop(NAME)
    body = look_again_message(LookOrder(NAME, "c")).encode()
    for delivery in range(1, LAST_DELIVERY + 1):
        assert world.known(NAME) is None
        world.cloud.fail("blobs.read", RequestRefused("Blob storage refused to read it."))
        with pytest.raises(RequestRefused):
            await world.inbox.blob_created(body, delivery)
    row = world.row(NAME)
    assert row.state is State.WAITING
    assert "Blob storage refused to read it" in row.reason
    assert "blob-created-poison" in row.reason
    await world.tick(timedelta(minutes=11))
    assert world.row(NAME).state is State.ACTIVE


async def test_a_finished_file_is_not_held_up_by_a_message_that_is_given_up(world: World):
    """A late copy of an event fails: the row of that very version stays as it is; one of a newer version waits."""
    await world.begin(NAME)
    done = await world.finish(NAME)
    body = look_again_message(LookOrder(NAME, "c")).encode()
    for state, content in ((done, None), (None, b"a newer version")):
        if content:
            world.drop(NAME, content)
        world.cloud.fail("blobs.read", RequestRefused("Blob storage refused to read it."))
        with pytest.raises(RequestRefused):
            await world.inbox.blob_created(body, LAST_DELIVERY)
        if state:
            assert world.row(NAME) == state
    assert (world.row(NAME).run, world.row(NAME).state) == (2, State.WAITING)


async def test_one_file_that_can_not_be_handled_does_not_stall_a_tick(world: World):
    """The others go on, and it is not tried at every tick."""
    await world.begin("late/bad.h5", "late/good.h5")
    world.project("late")
    tried = 0

    async def hook(call: str, when: fakes.When) -> None:
        nonlocal tried
        if call == "check.check_image" and when is fakes.When.BEFORE:
            tried += 1
            if world.row("late/bad.h5").state is not State.ACTIVE and tried == 1:
                raise KeyError("a fault in the code")

    world.cloud.hook = hook
    await world.tick(timedelta(minutes=2))
    states = {world.row(n).state for n in ("late/bad.h5", "late/good.h5")}
    assert states == {State.ACTIVE, State.WAITING_FOR_PROJECT}
    await world.tick(timedelta(seconds=30))
    assert tried == 2
    await world.tick(timedelta(minutes=11))
    assert {world.row(n).state for n in ("late/bad.h5", "late/good.h5")} == {State.ACTIVE}


@pytest.fixture
async def given_up(world: World) -> CollectOrder:
    """The last message of an order to collect, which could not be carried out."""
    await world.begin(NAME)
    await world.compute(NAME)
    [order] = world.outbox.orders()
    world.cloud.fail("blobs.head", BlobMissing("a fault"))
    with pytest.raises(BlobMissing):
        await world.inbox.collect(collect_message(order).encode(), LAST_DELIVERY)
    return order


async def test_results_that_can_not_be_moved_say_so_in_the_row(world: World, given_up: CollectOrder):
    """It stays COLLECTING with the reason, orders itself again only after hours, and poison retry moves them."""
    row = world.row(NAME)
    assert row.state is State.COLLECTING
    assert "collect-poison" in row.reason
    for _ in range(12):
        await world.tick(timedelta(minutes=20))
    assert len(world.outbox) == 0
    world.poison.add("collect", collect_message(given_up))
    assert await world.poison_care.retry(PoisonSelection()) == 1
    await world.deliver()
    assert world.row(NAME).state is State.SUCCEEDED


async def test_results_are_ordered_again_after_hours_without_anyones_help(world: World, given_up: CollectOrder):
    """A mended app finishes what it gave up."""
    for _ in range(2):
        await world.tick(timedelta(hours=7))
    await world.deliver()
    assert world.row(NAME).state is State.SUCCEEDED


async def test_an_outage_uses_up_no_delivery(world: World):
    """The order is sent again with all that it asks for, and no message is given up."""
    world.drop(NAME)
    wish = look_again_message(LookOrder(NAME, "c", backfill=True)).encode()
    world.cloud.fail("ledger.get", ServiceFault("Table storage is busy."))
    await world.inbox.blob_created(wish, LAST_DELIVERY)
    world.cloud.fail("ledger.get", ServiceFault("Table storage is busy."))
    await world.inbox.collect(collect_message(CollectOrder(NAME, 1, "t", "c")).encode(), LAST_DELIVERY)
    world.cloud.advance(timedelta(minutes=1))
    [look] = world.outbox.looks()
    assert (look.name, look.backfill) == (NAME, True)
    assert len(world.outbox.orders()) == 1


async def test_a_long_outage_is_asked_ever_more_seldom(world: World):
    """Half a minute, then twice as long each time, up to eight minutes: thousands of messages may be waiting."""
    world.drop(NAME)
    body, pauses = look_again_message(LookOrder(NAME, "c")).encode(), []
    for _ in range(6):
        world.cloud.fail("ledger.get", ServiceFault("Table storage is busy."))
        await world.inbox.blob_created(body, 1)
        began = world.cloud.now
        while not (looks := world.outbox.looks()):
            world.cloud.advance(timedelta(seconds=30))
        pauses.append((world.cloud.now - began) / timedelta(minutes=1))
        body = look_again_message(looks[0]).encode()
    assert pauses == [0.5, 1, 2, 4, 8, 8]


async def test_a_change_of_a_project_survives_an_outage(world: World):
    """It is not mistaken for an image when it comes again."""
    await world.begin("late/x.h5")
    world.project("late")
    body = look_again_message(LookOrder("late.ilp", "c", "projects")).encode()
    world.cloud.fail("worklist.board", ServiceFault("Table storage is busy."))
    await world.inbox.blob_created(body, 1)
    world.cloud.advance(timedelta(minutes=1))
    [look] = world.outbox.looks()
    assert (look.name, look.container) == ("late.ilp", "projects")
    again = look_again_message(look).encode()
    await world.inbox.blob_created(again, 1)
    await world.deliver(timedelta(minutes=1))
    assert world.row("late/x.h5").state is State.ACTIVE


async def test_every_kind_of_message_tells_its_file(world: World):
    """Events, orders to look and to collect; what says nothing has no name."""
    event = {"subject": "/blobServices/default/containers/input/blobs/fly/event.h5"}
    world.poison.add("blob-created", json.dumps(event))
    world.poison.add("collect", collect_message(CollectOrder("fly/done.h5", 1, "t", "c")))
    for prefix, found in (("fly/event", 1), ("fly/done", 1), ("fly/", 2), ("", 2)):
        assert len(await world.poison_care.oldest(PoisonSelection(prefix=prefix))) == found


def test_the_last_delivery_is_the_hosts():
    """After as many deliveries as host.json says the host gives a message up: not one later."""
    host = json.loads((Path(__file__).parents[3] / "host.json").read_text())
    queues = host["extensions"]["queues"]
    assert queues["maxDequeueCount"] == LAST_DELIVERY
    # An outage of the app's workers gives up no message within minutes; what it gives up comes back (`poison_drain`).
    hours, minutes, seconds = map(int, queues["visibilityTimeout"].split(":"))
    assert LAST_DELIVERY * timedelta(hours=hours, minutes=minutes, seconds=seconds) >= timedelta(minutes=5)
