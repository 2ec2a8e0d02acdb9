"""Events that Event Grid could not deliver: the sweep looks at their files, and reports them."""

import logging
from dataclasses import replace
from datetime import timedelta

import pytest

from batch_ops.domain.errors import ServiceFault
from batch_ops.domain.file_record import State
from batch_ops.use_cases.undelivered_events import LARGEST_BYTES
from tests.events import blob_created, undelivered
from tests.world import SETTINGS, World

CYCLE = SETTINGS.sweep_every + timedelta(minutes=1)
NAME = "IMAGES/2026/3/1/12/0a1b.json"


@pytest.fixture
async def world(world: World) -> World:
    """A cloud that has been live for a moment."""
    await world.settle()
    return world


async def test_an_image_whose_event_was_undeliverable_is_taken_up(world: World, caplog):
    """It is looked at by message, the operators are told why, and the dead letter goes."""
    world.drop("fly/a.h5")
    world.blobs.upload(
        "dead-letter", NAME, undelivered(blob_created("fly/a.h5", "0x1"), blob_created("fly/a.h5", "0x1"))
    )
    # So that the sweep of the images has no part in it.
    (images,) = [mark for mark in (await world.worklist.board()).sweeps if mark.container == "input"]
    await world.worklist.save_sweep(replace(images, next_cycle=world.cloud.now + 9 * CYCLE))
    await world.tick(CYCLE)
    assert len(world.outbox) == 1
    await world.deliver()
    assert world.row("fly/a.h5").state is State.ACTIVE
    assert world.row("fly/a.h5").correlation_id == "event-0"
    assert world.blobs.names("dead-letter") == []
    assert "could not deliver 2 events (2 x MaxDeliveryAttemptsExceeded)" in caplog.text
    (mark,) = [mark for mark in (await world.worklist.board()).sweeps if mark.container == "dead-letter"]
    assert mark.found == 2


async def test_a_project_whose_event_was_undeliverable_is_taken_up(world: World):
    """Images that waited for it are looked at again."""
    world.drop("bee/a.h5")
    assert (await world.start("bee/a.h5")).state is State.WAITING_FOR_PROJECT
    world.project("bee")
    world.blobs.upload("dead-letter", NAME, undelivered(blob_created("bee.ilp", "0x1", container="projects")))
    await world.tick(CYCLE)
    (look,) = [look for look in world.outbox.looks() if look.container == "projects"]
    assert look.name == "bee.ilp"


async def test_with_no_dead_letters_a_cycle_costs_one_call(world: World):
    """A listing a cycle, nothing in between."""
    await world.tick(CYCLE)
    pages = world.cloud.requests["blobs.page"]
    world.cloud.reset_counters()
    for _ in range(20):
        await world.tick()
    assert world.cloud.requests == {"worklist.board": 20}
    assert pages == 3


@pytest.mark.parametrize(
    "data",
    [b"", b"[" * 100_000, b"{}", b"\xff", undelivered({"id": 1}), b"[null]"],
    ids=["empty", "deep", "object", "binary", "no event", "null"],
)
async def test_what_is_no_dead_letter_stalls_nothing(world: World, data, caplog):
    """It stays where a person finds it, is reported, and the letters behind it are handled."""
    world.drop("fly/a.h5")
    world.blobs.upload("dead-letter", "A.json", data)
    world.blobs.upload("dead-letter", "B.json", undelivered(blob_created("fly/a.h5", "0x1")))
    await world.tick(CYCLE)
    assert world.blobs.names("dead-letter") == ["A.json"]
    assert {look.name for look in world.outbox.looks()} == {"fly/a.h5"}
    assert "not written by Event Grid and are left there; the first is A.json" in caplog.text
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


async def test_an_endless_dead_letter_is_not_read(world: World):
    """What is larger than any that Event Grid writes is left alone."""
    world.blobs.upload("dead-letter", NAME, b" " * (LARGEST_BYTES + 1))
    await world.tick(CYCLE)
    assert world.cloud.requests["blobs.read"] == 0


async def test_events_of_elsewhere_are_told_and_looked_at_by_nobody(world: World):
    """A topic that somebody else uses too may leave letters of other containers."""
    world.blobs.upload("dead-letter", NAME, undelivered(blob_created("a.h5", "0x1", container="films")))
    await world.tick(CYCLE)
    assert len(world.outbox) == 0
    assert world.blobs.names("dead-letter") == []


async def test_many_dead_letters_take_several_ticks(world: World):
    """A tick takes a hundred, the next ones the rest."""
    for number in range(250):
        world.blobs.upload("dead-letter", f"{number:03}.json", undelivered(blob_created(f"fly/{number}.h5", "0x1")))
    left = []
    await world.tick(CYCLE)
    for _ in range(3):
        left.append(len(world.blobs.names("dead-letter")))
        await world.tick()
    assert left == [150, 50, 0]


async def test_a_letter_goes_only_once_its_files_are_ordered(world: World):
    """An outage between the two leaves the letter to the next tick; two orders for one file do no harm."""
    world.drop("fly/a.h5")
    world.blobs.upload("dead-letter", NAME, undelivered(blob_created("fly/a.h5", "0x1")))
    world.cloud.fail("outbox.look_again", ServiceFault("Queue storage is out."), times=2)
    await world.tick(CYCLE)
    assert world.blobs.names("dead-letter") == [NAME]
    await world.tick()
    assert world.blobs.names("dead-letter") == []
    assert "fly/a.h5" in {look.name for look in world.outbox.looks()}
