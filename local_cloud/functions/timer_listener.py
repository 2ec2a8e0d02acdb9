"""The timer trigger: runs one function by its schedule, one run at a time, on the one host that has the lock."""

import contextlib
import json
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from azure.core.exceptions import AzureError, ResourceExistsError, ResourceNotFoundError
from azure.storage.blob.aio import ContainerClient

from local_cloud.functions.schedule import Schedule
from local_cloud.functions.stopping import Stopping
from local_cloud.functions.triggers import TimerTrigger

_log = logging.getLogger("Host.Timers")

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


class Lock(Protocol):
    """Held by one host at a time; see `singleton`."""

    @property
    def held(self) -> bool: ...

    async def acquire(self) -> bool: ...


class StatusStore(Protocol):
    """Where a timer's status is kept; see `timer_status`."""

    async def read(self) -> TimerStatus | None: ...

    async def write(self, status: TimerStatus) -> None: ...


@dataclass(frozen=True, slots=True)
class Tick:
    """One run of a timer, as the function receives it."""

    past_due: bool
    status: TimerStatus | None

    def as_json(self) -> dict[str, Any]:
        return {
            "Schedule": {"AdjustForDST": True},
            "ScheduleStatus": self.status.as_json() if self.status else None,
            "IsPastDue": self.past_due,
        }


type Handler = Callable[[Tick], Awaitable[bool]]


@dataclass(frozen=True, slots=True)
class TimerListener:
    """`handle` runs the function; how it ends never stops the schedule. `now` gives aware times."""

    trigger: TimerTrigger
    lock: Lock
    store: StatusStore
    handle: Handler
    stopping: Stopping
    now: Callable[[], datetime]

    async def run(self) -> None:
        """Tick until the host stops; the run under way ends first."""
        while await self.lock.acquire():
            await self._while_held()

    async def _while_held(self) -> None:
        status, past_due = await self._begin()
        at_once = past_due or self.trigger.run_on_startup
        while True:
            following = status.next if status else self.trigger.schedule.next_after(self.now())
            if not at_once:
                await self._until(following)
            if self.stopping or not self.lock.held:
                return
            began = self.now()
            await self.handle(Tick(past_due, status))
            if status is not None:
                status = after_run(status, self.trigger.schedule, began, on_time=not at_once)
                await self._save(status)
            at_once = past_due = False

    async def _begin(self) -> tuple[TimerStatus | None, bool]:
        """Read the status, and make up for one missed run; frequent timers keep no status."""
        if not self.trigger.use_monitor:
            return None, False
        try:
            stored = await self.store.read()
        except AzureError as exc:
            _log.warning("The status of a timer cannot be read: %s", exc)
            stored = None
        status, past_due = at_start(stored, self.trigger.schedule, self.now())
        if status != stored:
            await self._save(status)
        return status, past_due

    async def _save(self, status: TimerStatus) -> None:
        try:
            await self.store.write(status)
        except AzureError as exc:
            _log.warning("The status of a timer cannot be written: %s", exc)

    async def _until(self, when: datetime) -> None:
        # In pieces: a clock that was put right, or a lock that was lost, must show soon.
        while self.lock.held and not self.stopping:
            left = (when - self.now()).total_seconds()
            if left <= 0:
                return
            await self.stopping.pause(min(left, 5.0))
