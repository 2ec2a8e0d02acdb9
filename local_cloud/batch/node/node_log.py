"""What a node's agent has noted: the log that clients can have uploaded."""

import asyncio
import logging
import tempfile
from collections import deque
from datetime import datetime
from pathlib import Path

from local_cloud.batch.node.blob_access import BlobAccess, StorageTrouble
from local_cloud.batch.state.times import iso

_log = logging.getLogger(__name__)
_KEPT = 10_000  # lines


class NodeLog:
    """The last lines of a node, in memory: a restart of the service begins anew."""

    def __init__(self) -> None:
        self._lines: deque[tuple[datetime, str]] = deque(maxlen=_KEPT)

    def note(self, at: datetime, text: str) -> None:
        """Add a line."""
        self._lines.append((at, text))

    def text(self, start: datetime, end: datetime) -> str:
        """Return the lines of a time, each with its moment."""
        return "".join(f"{iso(at)} {text}\n" for at, text in self._lines if start <= at <= end)


async def send_log(text: str, access: BlobAccess, container: str, name: str, identity: str | None) -> None:
    """Upload a part of a node's log as the blob `name`; whoever runs the service hears of a failure."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "log")
        await asyncio.to_thread(file.write_text, text)
        try:
            await access.upload(container, name, identity, file, {})
        except (StorageTrouble, ValueError) as trouble:  # or an address that names no container
            _log.warning("the log %s could not be uploaded: %s", name, trouble)
