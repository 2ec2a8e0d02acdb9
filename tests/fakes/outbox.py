"""The queues that the use cases write to, in memory."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from batch_ops.domain.errors import RequestRefused
from batch_ops.domain.messages import collect_message, collect_order, look_again_message, look_order
from batch_ops.domain.orders import CollectOrder, LookOrder
from tests.fakes.cloud import Cloud, call

_LARGEST_MESSAGE = 64 * 1024
_LONGEST_DELAY = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class _Message:
    visible: datetime
    text: str


class FakeOutbox:
    """Port `Outbox`. The messages are what the real ones are; `orders` and `looks` take out what is visible."""

    service = "outbox"

    def __init__(self, cloud: Cloud | None = None) -> None:
        self.cloud = cloud or Cloud()
        self._collect: list[_Message] = []
        self._looks: list[_Message] = []

    @call()
    def send(self, order: CollectOrder, delay: timedelta = timedelta()) -> None:
        self._collect.append(self._message(collect_message(order), delay))

    @call()
    def look_again(self, order: LookOrder, delay: timedelta = timedelta()) -> None:
        self._looks.append(self._message(look_again_message(order), delay))

    def orders(self) -> list[CollectOrder]:
        """Take the orders to collect that are visible now, in the order of sending."""
        taken, self._collect = self._take(self._collect)
        return [collect_order(text.encode()) for text in taken]

    def looks(self) -> list[LookOrder]:
        """Take the requests to look again that are visible now."""
        taken, self._looks = self._take(self._looks)
        return [order for text in taken if (order := look_order(text.encode())) is not None]

    def put(self, queue: str, text: str) -> None:
        (self._collect if queue == "collect" else self._looks).append(self._message(text, timedelta()))

    def __len__(self) -> int:
        return len(self._collect) + len(self._looks)

    def _message(self, text: str, delay: timedelta) -> _Message:
        if len(text) * 6 > _LARGEST_MESSAGE < 4 * len(text.encode()) // 3:
            raise RequestRefused("The message is larger than 64 KiB.")
        if not timedelta() <= delay < _LONGEST_DELAY:
            raise RequestRefused(f"A message can't be hidden for {delay}.")
        return _Message(self.cloud.now + delay, text)

    def _take(self, messages: list[_Message]) -> tuple[list[str], list[_Message]]:
        now = self.cloud.now
        return [m.text for m in messages if m.visible <= now], [m for m in messages if m.visible > now]
