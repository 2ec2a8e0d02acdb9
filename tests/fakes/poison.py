"""The poison queues of the Functions host, in memory."""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime, timedelta

from batch_ops.domain.errors import RequestRefused
from batch_ops.domain.orders import PoisonMessage
from tests.fakes.cloud import Cloud, call
from tests.fakes.outbox import FakeOutbox

_PAGE = 32
_HIDDEN = timedelta(minutes=5)


class FakePoisonQueues:
    """Port `PoisonQueues`; what is put back lands in the fake outbox."""

    service = "poison"

    def __init__(self, cloud: Cloud | None = None, outbox: FakeOutbox | None = None) -> None:
        self.cloud = cloud or Cloud()
        self.outbox = FakeOutbox(self.cloud) if outbox is None else outbox
        self._messages: dict[str, PoisonMessage] = {}
        self._visible: dict[str, datetime] = {}

    def add(self, queue: str, text: str) -> str:
        name = f"message-{self.cloud.number()}"
        self._messages[name] = PoisonMessage(queue, name, text, self.cloud.now, text)
        self._visible[name] = self.cloud.now
        return name

    def messages(self) -> Sequence[PoisonMessage]:
        """All that are there, hidden or not."""
        return list(self._messages.values())

    @call()
    def counts(self) -> Mapping[str, int]:
        queues = [message.queue for message in self._messages.values()]
        return {queue: queues.count(queue) for queue in sorted(set(queues))}

    @call()
    def peek(self) -> Sequence[PoisonMessage]:
        queues = {message.queue for message in self._messages.values()}
        return [message for queue in sorted(queues) for message in self._seen(queue)[:_PAGE]]

    async def take(self, queue: str) -> AsyncIterator[PoisonMessage]:
        while page := await self._take(queue):
            for message in page:
                yield message

    @call()
    def _take(self, queue: str) -> list[PoisonMessage]:
        page = self._seen(queue)[:_PAGE]
        for message in page:
            self._visible[message.id] = self.cloud.now + _HIDDEN
        return page

    @call(cost=2)
    def put_back(self, message: PoisonMessage) -> None:
        self.outbox.put(message.queue, message.text)
        self._drop(message)

    @call()
    def drop(self, message: PoisonMessage) -> None:
        self._drop(message)

    @call()
    def release(self, message: PoisonMessage) -> None:
        if message.id in self._messages:
            self._visible[message.id] = self.cloud.now

    def _seen(self, queue: str) -> list[PoisonMessage]:
        if queue not in {"blob-created", "collect"}:
            raise RequestRefused(f"There is no queue {queue}.")
        messages = self._messages.values()
        return [m for m in messages if m.queue == queue and self._visible[m.id] <= self.cloud.now]

    def _drop(self, message: PoisonMessage) -> None:
        self._messages.pop(message.id, None)
        self._visible.pop(message.id, None)
