"""What the function host gave up comes back by itself."""

import json
from datetime import timedelta
from itertools import pairwise

import pytest

from batch_ops.domain.file_record import State
from batch_ops.domain.messages import look_again_message
from batch_ops.domain.orders import LookOrder
from batch_ops.use_cases.poison_drain import LONGEST_PAUSE, MOST_A_TICK, PAUSE
from batch_ops.use_cases.poison_queues import PoisonSelection, name_in
from tests import events
from tests.world import World

NAME = "fly/a.h5"

SOON = PAUSE + timedelta(seconds=1)


@pytest.fixture
async def given_up(world: World) -> World:
    """A world in which no worker was there for an upload's event, and the first tick is over."""
    world.project("fly")
    await world.tick()
    etag = world.drop(NAME)
    world.poison.add("blob-created", json.dumps(events.blob_created(NAME, etag)))
    return world


async def test_an_event_that_no_worker_saw_is_handled_after_a_quarter_of_an_hour(given_up: World):
    """Nobody has to type a command, and no sweep has to find the file."""
    await given_up.tick(timedelta(minutes=10))
    assert len(given_up.poison.messages()) == 1
    await given_up.tick(SOON)
    await given_up.deliver()
    assert given_up.row(NAME).state is State.ACTIVE
    assert given_up.poison.messages() == []


async def test_what_comes_again_and_again_comes_less_often(given_up: World):
    """A fault in the code makes the same messages poison each time: at most every six hours in the end."""
    (message,) = given_up.poison.messages()
    times = []
    for _ in range(200):
        await given_up.tick(PAUSE)
        if not given_up.poison.messages():
            times.append(given_up.cloud.now)
            given_up.poison.add(message.queue, message.text)
    pauses = [after - before for before, after in pairwise(times)]
    assert pauses == sorted(pauses)
    assert pauses[-1] == LONGEST_PAUSE


async def test_what_nobody_understands_stays(given_up: World):
    """It is for people; a tick takes so many of the others, and looks no more often where there is nothing."""
    given_up.poison.add("collect", "garbage")
    (message, _) = given_up.poison.messages()
    for _ in range(MOST_A_TICK):
        given_up.poison.add(message.queue, message.text)
    given_up.cloud.reset_counters()
    await given_up.tick(SOON)
    # What is released is not taken again in the same tick.
    assert given_up.cloud.calls["poison.take"] <= 2 + MOST_A_TICK // 32
    assert sorted(left.text for left in given_up.poison.messages()) == sorted(["garbage", message.text])
    given_up.cloud.reset_counters()
    await given_up.tick()
    assert given_up.cloud.calls["poison.take"] == 0


@pytest.mark.parametrize("act", ["retry", "drop"])
async def test_an_operator_moves_only_what_was_selected(world: World, act):
    """By file, queue or id; everything else is there as before."""
    for name in ("fly/a.h5", "worm/b.h5"):
        world.poison.add("blob-created", look_again_message(LookOrder(name, "c")))
    world.poison.add("collect", "garbage")
    assert await getattr(world.poison_care, act)(PoisonSelection(prefix="fly/")) == 1
    assert [name_in(message) for message in world.poison.messages()] == ["worm/b.h5", ""]
    assert [look.name for look in world.outbox.looks()] == (["fly/a.h5"] if act == "retry" else [])
    assert len(await world.poison_care.oldest(PoisonSelection())) == 2
