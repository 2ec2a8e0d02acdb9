"""What is asked of Azure's queues, and in which order; tests/contract has the rest."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, cast

import pytest
from azure.core.exceptions import ServiceRequestError
from azure.storage.queue.aio import QueueClient

from batch_ops.adapters.queues import AzureOutbox, AzurePoisonQueues
from batch_ops.domain.errors import ServiceFault
from batch_ops.domain.orders import CollectOrder, LookOrder, PoisonMessage


@dataclass
class Queue:
    """Notes what it is asked, or is out of reach."""

    name: str
    asked: list[tuple[str, str, Any]] = field(default_factory=list)
    is_out: bool = False

    async def send_message(self, content: str, visibility_timeout: int = 0) -> None:
        if self.is_out:
            raise ServiceRequestError("nobody listens")
        self.asked.append((self.name, "send", visibility_timeout))

    async def delete_message(self, name: str, receipt: str) -> None:
        self.asked.append((self.name, "delete", name))


def clients(*queues: Queue) -> Sequence[QueueClient]:
    return [cast(QueueClient, queue) for queue in queues]


@pytest.mark.parametrize(("seconds", "asked"), [(0, 0), (0.1, 1), (0.9, 1), (60, 60), (60.5, 61)])
async def test_a_delay_is_rounded_up(seconds, asked):
    """The service knows whole seconds: a short wait must not become none."""
    queue = Queue("any")
    outbox = AzureOutbox(*clients(queue, queue))
    delay = timedelta(seconds=seconds)
    await outbox.send(CollectOrder("p/a.h5", 1, "task", "c"), delay)
    await outbox.look_again(LookOrder("p/a.h5", "c"), delay)
    assert [wait for _, _, wait in queue.asked] == [asked, asked]


async def test_a_message_is_somewhere_at_every_moment():
    """It is put back before it is dropped: an outage in between leaves two of it, never none."""
    asked: list[tuple[str, str, Any]] = []
    queue, poison = Queue("collect", asked), Queue("collect-poison", asked)
    queues = AzurePoisonQueues({"collect": cast(tuple[QueueClient, QueueClient], tuple(clients(queue, poison)))})
    message = PoisonMessage("collect", "7", "{}", None, "e30=", "receipt")
    queue.is_out = True
    with pytest.raises(ServiceFault):
        await queues.put_back(message)
    assert asked == []
    queue.is_out = False
    await queues.put_back(message)
    assert asked == [("collect", "send", 0), ("collect-poison", "delete", "7")]
