"""The messages of the queues: Event Grid's `BlobCreated` events, our own orders to look again and to collect. Pure.

And the blobs of the dead-letter container: lists of events that Event Grid could not deliver.
"""

import json
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Self
from urllib.parse import unquote, urlsplit

from batch_ops.domain import naming
from batch_ops.domain.errors import BadMessage
from batch_ops.domain.orders import CollectOrder, LookOrder
from batch_ops.task.plain_text import plain

_EVENT_TYPE = "Microsoft.Storage.BlobCreated"
_AN_EVENT = "a BlobCreated event"
_LOOK_AGAIN = "look_again"
# On accounts with a hierarchical namespace: an empty file, made before its content is flushed.
_EMPTY_FILE_APIS = frozenset({"CreateFile"})
_ID_CHARS = 100
_CONTAINERS = "/containers/"
_BLOBS = "/blobs/"


@dataclass(frozen=True, slots=True)
class BlobCreated:
    """An event about a blob that was written: a hint, as events come twice, late and out of order.

    `etag` is without quotation marks. `sequencer` orders the events of one blob if their lengths are equal.
    """

    name: str
    container: str
    etag: str
    length: int
    api: str
    sequencer: str
    event_id: str
    event_time: datetime

    @property
    def means_nothing(self) -> bool:
        """Whether another event follows once the blob has its content."""
        return self.api in _EMPTY_FILE_APIS


@dataclass(frozen=True, slots=True)
class DeadLetters:
    """What one blob of the dead-letter container holds.

    `reasons` are Event Grid's words, one per event; `unknown` counts entries that are not our events.
    """

    events: tuple[BlobCreated, ...]
    reasons: tuple[str, ...]
    unknown: int


def look_again_message(order: LookOrder) -> str:
    """Write an order to look at a blob again; it stays that of an upload if an event of one led to it."""
    values: dict[str, str | bool | int] = {_LOOK_AGAIN: order.name, "correlation_id": order.correlation_id}
    wishes = {
        "container": order.container,
        "sequencer": order.sequencer,
        "backfill": order.backfill,
        "again": order.again,
        "tries": order.tries,
        "source": order.source,
        "by": order.by,
    }
    return json.dumps(values | {key: wish for key, wish in wishes.items() if wish}, ensure_ascii=False)


def look_order(body: bytes) -> LookOrder | None:
    """Read a message in `blob-created`; None for an event that means nothing. Raises `BadMessage`."""
    values = _Fields.parse(body, _AN_EVENT)
    if values.has(_LOOK_AGAIN):
        return LookOrder(
            values.text(_LOOK_AGAIN),
            plain(values.text("correlation_id"), _ID_CHARS),
            values.text("container", ""),
            values.text("sequencer", ""),
            backfill=values.flag("backfill"),
            again=values.whole("again", 0),
            tries=values.whole("tries", 0),
            source=values.text("source", ""),
            by=plain(values.text("by", "")),
        )
    event = _event(values)
    if event.means_nothing:
        return None
    return LookOrder(event.name, plain(event.event_id, _ID_CHARS), event.container, event.sequencer)


def collect_message(order: CollectOrder) -> str:
    """Write an order as text."""
    return json.dumps(asdict(order), ensure_ascii=False)


def collect_order(body: bytes) -> CollectOrder:
    """Read an order from a message. Raises `BadMessage`."""
    values = _Fields.parse(body, "a collect message")
    return CollectOrder(
        name=values.text("name"),
        run=values.whole("run"),
        task_id=values.text("task_id"),
        correlation_id=values.text("correlation_id"),
        tries=values.whole("tries", 0),
    )


def blob_created(body: bytes) -> BlobCreated:
    """Read an event in Event Grid's own schema. Raises `BadMessage`."""
    return _event(_Fields.parse(body, _AN_EVENT))


def dead_letters(body: bytes) -> DeadLetters:
    """Read the events of a dead-letter blob: a JSON list of events with the reasons of failure. Raises `BadMessage`."""
    try:
        entries = json.loads(body.decode("utf-8-sig"))
    except (ValueError, RecursionError) as exc:
        raise BadMessage(f"A dead letter should be a JSON list of events, but it is {body[:100]!r}.") from exc
    if not isinstance(entries, list):
        raise BadMessage("A dead letter should be a JSON list of events, but it is not a list.")
    found = []
    for entry in entries:
        with suppress(BadMessage):
            values = _Fields(entry, _AN_EVENT)
            event, reason = _event(values), values.text("deadLetterReason", "")
            if not naming.is_possible(event.name):
                raise BadMessage("No blob can have this name.")
            found.append((event, reason))
    events, reasons = tuple(event for event, _ in found), tuple(reason for _, reason in found)
    return DeadLetters(events, reasons, len(entries) - len(found))


def _event(event: "_Fields") -> BlobCreated:
    if (kind := event.text("eventType")) != _EVENT_TYPE:
        raise BadMessage(f"An event of type {kind!r} came where {_EVENT_TYPE} was expected.")
    data = event.part("data")
    container, raw_name = _subject(event.text("subject"))
    return BlobCreated(
        # Azure stores a backslash as a slash: to everything else the blob has that name.
        name=(_name_in_url(data.text("url"), container) or raw_name).replace("\\", "/"),
        container=container,
        etag=data.text("eTag").strip('"'),
        length=data.whole("contentLength"),
        api=data.text("api"),
        sequencer=data.text("sequencer", ""),
        event_id=event.text("id"),
        event_time=event.moment("eventTime"),
    )


def _subject(subject: str) -> tuple[str, str]:
    """Read container and name from `/blobServices/default/containers/<container>/blobs/<name>`."""
    _, mark, rest = subject.partition(_CONTAINERS)
    container, slash, name = rest.partition(_BLOBS)
    if not (mark and slash and container and name) or "/" in container:
        raise BadMessage(f"The event's subject {subject!r} names no blob.")
    return container, name


def _name_in_url(url: str, container: str) -> str | None:
    """Read the blob's name from its URL: `/container/name`, or path-style `/account/container/name`.

    The URL is percent-encoded and complete, while subjects can lack characters beyond the first
    65,536 of Unicode; so the subject's name is used only if the URL has none.
    """
    try:
        path = urlsplit(url).path.removeprefix("/")
    except ValueError:
        return None
    for _ in range(2):
        first, _, path = path.partition("/")
        if unquote(first) == container and path:
            try:
                return unquote(path, errors="strict")
            except UnicodeDecodeError:
                return None
    return None


class _Fields:
    """A JSON object; a field that is not what it should be raises `BadMessage`."""

    def __init__(self, values: Any, what: str) -> None:
        self._what = what
        if not isinstance(values, dict):
            raise BadMessage(f"A message should be {what}, but it is not a JSON object.")
        self._values: dict[str, Any] = values

    @classmethod
    def parse(cls, body: bytes, what: str) -> Self:
        try:
            return cls(json.loads(body.decode("utf-8-sig")), what)
        except (ValueError, RecursionError) as exc:
            raise BadMessage(f"A message should be {what}, but it is not JSON: {body[:200]!r}.") from exc

    def has(self, name: str) -> bool:
        return name in self._values

    def text(self, name: str, default: str | None = None) -> str:
        value = self._values.get(name, default)
        if not isinstance(value, str) or (not value and default is None):
            raise self._fault(name, "a text")
        return value

    def flag(self, name: str) -> bool:
        value = self._values.get(name, False)
        if not isinstance(value, bool):
            raise self._fault(name, "true or false")
        return value

    def whole(self, name: str, default: int | None = None) -> int:
        value = self._values.get(name, default)
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise self._fault(name, "a whole number")
        return value

    def moment(self, name: str) -> datetime:
        try:
            moment = datetime.fromisoformat(self.text(name))
        except ValueError as exc:
            raise self._fault(name, "a time") from exc
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)

    def part(self, name: str) -> Self:
        return type(self)(self._values.get(name), f"{self._what} with {name!r}")

    def _fault(self, name: str, wanted: str) -> BadMessage:
        value = repr(self._values.get(name))[:200]
        return BadMessage(f"A message should be {self._what}, but its field {name!r} is not {wanted}: {value}.")
