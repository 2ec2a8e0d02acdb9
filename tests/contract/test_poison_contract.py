"""The rules of the poison queues, on the fake and on queues of Azurite."""

import base64
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass

import pytest

from batch_ops.adapters.queues import AzurePoisonQueues
from batch_ops.domain.messages import look_again_message, look_order
from batch_ops.domain.orders import LookOrder
from batch_ops.ports.services import PoisonQueues
from tests import fakes

BACKENDS = ["fake", "azurite"]
QUEUES = ("blob-created", "collect")


@dataclass(frozen=True)
class Poison:
    """The port, the host that gives messages up, and what comes back into a queue."""

    port: PoisonQueues
    give_up: Callable[[str, str], Awaitable[None]]
    came_back: Callable[[str], Awaitable[Sequence[str]]]


@pytest.fixture(params=BACKENDS)
async def poison(request, storage, unique) -> AsyncIterator[Poison]:
    """Empty queues; the host has not made the poison queue of `collect` yet."""
    if request.param == "fake":
        fake = fakes.FakePoisonQueues()

        async def add(queue: str, text: str) -> None:
            fake.add(queue, text)

        async def taken(queue: str) -> list[str]:
            return [look.name for look in fake.outbox.looks()]

        yield Poison(fake, add, taken)
        return
    async with storage().queue_service() as service:
        names = {queue: unique(queue) for queue in QUEUES}
        await service.create_queue(names["blob-created"])
        await service.create_queue(f"{names['blob-created']}-poison")
        clients = {
            queue: (service.get_queue_client(name), service.get_queue_client(f"{name}-poison"))
            for queue, name in names.items()
        }

        async def send(queue: str, text: str) -> None:
            await clients[queue][1].send_message(base64.b64encode(text.encode()).decode())

        async def received(queue: str) -> list[str]:
            messages = [base64.b64decode(m.content) async for m in clients[queue][0].receive_messages()]
            return [look.name for body in messages if (look := look_order(body))]

        yield Poison(AzurePoisonQueues(clients), send, received)


def look(name: str) -> str:
    return look_again_message(LookOrder(name, "c"))


async def test_what_was_given_up_is_seen_and_stays(poison):
    """Peeking changes nothing; a poison queue that was never made is empty."""
    await poison.give_up("blob-created", look("p/\u00e4.h5"))
    for _ in range(2):
        [message] = await poison.port.peek()
        assert (message.queue, message.text) == ("blob-created", look("p/\u00e4.h5"))
        assert message.inserted is not None
    counts = await poison.port.counts()
    assert {queue: n for queue, n in counts.items() if n} == {"blob-created": 1}


async def test_a_message_is_put_back_as_it_was(poison):
    """It is in its queue again and no longer among the poison."""
    await poison.give_up("blob-created", look("p/a.h5"))
    async for message in poison.port.take("blob-created"):
        await poison.port.put_back(message)
    assert await poison.came_back("blob-created") == ["p/a.h5"]
    assert sum((await poison.port.counts()).values()) == 0


async def test_all_are_taken_once(poison):
    """However many pages; what is released is seen again, what is dropped is not."""
    for number in range(40):
        await poison.give_up("blob-created", look(f"p/{number}.h5"))
    taken = [message async for message in poison.port.take("blob-created")]
    assert len({message.id for message in taken}) == len(taken) == 40
    assert await poison.port.peek() == []
    await poison.port.release(taken[0])
    for message in taken[1:]:
        await poison.port.drop(message)
    assert [message.id for message in await poison.port.peek()] == [taken[0].id]
    assert [message async for message in poison.port.take("collect")] == []


async def test_what_somebody_else_settled_is_no_error(poison):
    """Two operators at once."""
    await poison.give_up("blob-created", look("p/a.h5"))
    [message] = [m async for m in poison.port.take("blob-created")]
    await poison.port.drop(message)
    await poison.port.drop(message)
    await poison.port.release(message)
    await poison.port.put_back(message)


async def test_what_is_no_base64_is_shown_as_it_is(storage, unique):
    """A message of a stranger is no reason to fail."""
    async with storage().queue_service() as service:
        name = unique("strange")
        queue = await service.create_queue(f"{name}-poison")
        await queue.send_message("h\u00e9llo <world>")
        port = AzurePoisonQueues({name: (service.get_queue_client(name), queue)})
        assert [message.text for message in await port.peek()] == ["h\u00e9llo <world>"]
