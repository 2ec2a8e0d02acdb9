"""What is remembered of a timer between runs of the host: `timers/<host id>/<function>/status`."""

import contextlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from azure.core.exceptions import ResourceExistsError, ResourceNotFoundError
from azure.storage.blob.aio import ContainerClient

from local_cloud.functions.schedule import Schedule

# .NET's smallest date stands for "has not run yet", in the status blob and for the function.
NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class TimerStatus:
    """When it ran last, is due next, and when this was written; aware, UTC."""

    last: datetime
    next: datetime
    last_updated: datetime

    def as_json(self) -> dict[str, str]:
        return {
            "Last": self.last.isoformat(),
            "Next": self.next.isoformat(),
            "LastUpdated": self.last_updated.isoformat(),
        }

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> "TimerStatus":
        last, following, updated = (
            datetime.fromisoformat(str(content[key])).replace(tzinfo=UTC) for key in ("Last", "Next", "LastUpdated")
        )
        return cls(last, following, updated)


def at_start(stored: TimerStatus | None, schedule: Schedule, now: datetime) -> tuple[TimerStatus, bool]:
    """Decide with which status the host starts, and whether a run was missed. Pure."""
    if stored is None:
        return TimerStatus(NEVER, schedule.next_after(now), now), False
    expected = schedule.next_after(stored.last_updated if stored.last == NEVER else stored.last)
    if stored.next != expected:  # the schedule was changed
        following = expected if expected >= now else schedule.next_after(now)
        return TimerStatus(NEVER, following, now), False
    return stored, now > stored.next


def after_run(status: TimerStatus, schedule: Schedule, began: datetime, *, on_time: bool) -> TimerStatus:
    """Return the status after a run. A tick that came early counts as the one due, else it would come twice."""
    if on_time and status.next > began:
        began = status.next
    return TimerStatus(began, schedule.next_after(began), began)


class StatusBlob:
    """Reads and writes one timer's status."""

    def __init__(self, container: ContainerClient, host_id: str, function: str) -> None:
        self._container = container
        self._name = f"timers/{host_id}/Host.Functions.{function}/status"

    async def read(self) -> TimerStatus | None:
        """Read the status; None when there is none, or none that can be read."""
        try:
            content = await (await self._container.download_blob(self._name)).readall()
            return TimerStatus.from_json(json.loads(content))
        except (ResourceNotFoundError, ValueError, KeyError, TypeError):
            return None

    async def write(self, status: TimerStatus) -> None:
        content = json.dumps(status.as_json()).encode()
        try:
            await self._container.upload_blob(self._name, content, overwrite=True)
        except ResourceNotFoundError:
            with contextlib.suppress(ResourceExistsError):
                await self._container.create_container()
            await self._container.upload_blob(self._name, content, overwrite=True)
