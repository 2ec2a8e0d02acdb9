"""How an event is delivered: normally once and at once; tests hold, drop, double or delay them."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from local_cloud.events.schema import BlobCreated, Subscription


@dataclass(frozen=True, slots=True)
class Delivery:
    """`copies` messages (0 drops the event) after `delay_seconds`; `hold` means to ask again later."""

    copies: int = 1
    delay_seconds: float = 0.0
    hold: bool = False


class Policy(Protocol):
    """Decides on each event and subscription; asked again while it answers `hold`."""

    def decide(self, event: BlobCreated, subscription: Subscription) -> Delivery: ...


class FileControl:
    """A JSON file steers all deliveries while it exists, for tests of other processes.

    {"copies": 5}, {"copies": 0}, {"delay_seconds": 2.5}, {"hold": true}; write it with a rename.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def decide(self, event: BlobCreated, subscription: Subscription) -> Delivery:
        try:
            return Delivery(**json.loads(self._path.read_text()))
        except FileNotFoundError:
            return Delivery()
