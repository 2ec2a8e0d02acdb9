"""Events of Event Grid as tests send them."""

import json
from typing import Any

from local_cloud.events.schema import BlobCreated


def blob_created(
    name: str,
    etag: str,
    number: int = 0,
    *,
    container: str = "input",
    length: int = 1,
    time: str = "2026-03-01T12:00:00Z",
    account: str = "https://data.blob.example",
) -> dict[str, Any]:
    """The event of a blob that was written; `number` makes its id and orders it."""
    event = BlobCreated(
        *(number, time, "PutBlob", container, name, etag.strip('"'), "BlockBlob", length),
        *("application/octet-stream", "client", "request", f"event-{number}", "/topic", account),
    )
    return event.as_json()


def undelivered(*events: dict[str, Any]) -> bytes:
    """What Event Grid puts into the container of dead letters when it gives events up."""
    return json.dumps(
        [event | {"deadLetterReason": "MaxDeliveryAttemptsExceeded", "deliveryAttempts": 30} for event in events]
    ).encode()
