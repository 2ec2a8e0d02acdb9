"""What the queues carry: Event Grid's `BlobCreated` events, and our own orders to collect. Pure, and strict."""

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote, urlsplit

from batch_ops.errors import BadMessage
from batch_ops.model import CollectOrder

_EVENT_TYPE = "Microsoft.Storage.BlobCreated"
_CONTAINERS = "/containers/"
_BLOBS = "/blobs/"


@dataclass(frozen=True, slots=True)
class BlobCreated:
    """An event of a blob that was committed: a hint, as events come twice, late and out of order.

    `etag` is without quotation marks. `sequencer` orders the events of one blob: longer is later, then by text.
    """

    name: str
    container: str
    etag: str
    length: int
    api: str
    sequencer: str
    event_id: str
    event_time: datetime


def collect_message(order: CollectOrder) -> str:
    """The text of an order."""
    return json.dumps(asdict(order), ensure_ascii=False)


def collect_order(body: bytes) -> CollectOrder:
    """The order in a message. Raises `BadMessage`."""
    values = _Fields(body, "a collect message")
    return CollectOrder(
        name=values.text("name"),
        run=values.whole("run"),
        task_id=values.text("task_id"),
        correlation_id=values.text("correlation_id"),
    )


def blob_created(body: bytes) -> BlobCreated:
    """The event in a message of Event Grid's own schema. Raises `BadMessage`."""
    event = _Fields(body, "a BlobCreated event")
    if (kind := event.text("eventType")) != _EVENT_TYPE:
        raise BadMessage(f"An event of type {kind!r} came where {_EVENT_TYPE} was expected.")
    data = event.part("data")
    container, raw_name = _subject(event.text("subject"))
    return BlobCreated(
        name=_name_in_url(data.text("url"), container) or raw_name,
        container=container,
        etag=data.text("eTag").strip('"'),
        length=data.whole("contentLength"),
        api=data.text("api"),
        sequencer=data.text("sequencer", ""),
        event_id=event.text("id"),
        event_time=event.moment("eventTime"),
    )


def _subject(subject: str) -> tuple[str, str]:
    """Container and name in `/blobServices/default/containers/<container>/blobs/<name>`."""
    _, mark, rest = subject.partition(_CONTAINERS)
    container, slash, name = rest.partition(_BLOBS)
    if not (mark and slash and container and name) or "/" in container:
        raise BadMessage(f"The event's subject {subject!r} names no blob.")
    return container, name


def _name_in_url(url: str, container: str) -> str | None:
    """The blob's name in its URL: host-style (`/container/name`) or path-style (`/account/container/name`).

    The URL is percent-encoded and whole, while subjects were seen without characters beyond the first
    65,536 of Unicode; so the subject's name is only taken where the URL has none.
    """
    path = urlsplit(url).path.removeprefix("/")
    for _ in range(2):
        first, _, path = path.partition("/")
        if unquote(first) == container and path:
            try:
                return unquote(path, errors="strict")
            except UnicodeDecodeError:
                return None
    return None


class _Fields:
    """A JSON object whose fields are what they should be, or `BadMessage` is raised."""

    def __init__(self, body: bytes | dict[str, Any], what: str) -> None:
        self._what = what
        try:
            values = body if isinstance(body, dict) else json.loads(body.decode("utf-8-sig"))
        except ValueError as exc:
            raise BadMessage(f"A message that should be {what} is not JSON: {body[:200]!r}") from exc
        if not isinstance(values, dict):
            raise BadMessage(f"A message that should be {what} is no JSON object.")
        self._values = values

    def text(self, name: str, default: str | None = None) -> str:
        value = self._values.get(name, default)
        if not isinstance(value, str) or (not value and default is None):
            raise BadMessage(f"{self._what.capitalize()} has no text in its field {name!r}: {value!r}.")
        return value

    def whole(self, name: str) -> int:
        value = self._values.get(name)
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise BadMessage(f"{self._what.capitalize()} has no number in its field {name!r}: {value!r}.")
        return value

    def moment(self, name: str) -> datetime:
        text = self.text(name)
        try:
            moment = datetime.fromisoformat(text)
        except ValueError as exc:
            raise BadMessage(f"{self._what.capitalize()} has no time in its field {name!r}: {text!r}.") from exc
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)

    def part(self, name: str) -> "_Fields":
        value = self._values.get(name)
        if not isinstance(value, dict):
            raise BadMessage(f"{self._what.capitalize()} has no object in its field {name!r}.")
        return _Fields(value, self._what)
