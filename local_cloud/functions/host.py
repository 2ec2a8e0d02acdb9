"""The host: one listener for each function of an app, until it is to stop."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from local_cloud.functions.admin import Admin, Start
from local_cloud.functions.app_settings import is_disabled
from local_cloud.functions.host_identity import HostIdentity
from local_cloud.functions.host_json import HostOptions
from local_cloud.functions.http_listener import HttpListener, Keys
from local_cloud.functions.messages import as_json, text
from local_cloud.functions.queue_listener import QueueListener
from local_cloud.functions.queue_messages import HeldMessage
from local_cloud.functions.running import Runner
from local_cloud.functions.sign_in import SignIn
from local_cloud.functions.singleton import Singleton
from local_cloud.functions.stopping import Stopping
from local_cloud.functions.storage import Storage
from local_cloud.functions.timer_listener import StatusBlob, Tick, TimerListener
from local_cloud.functions.triggers import HOST_CONNECTION, Function, HttpTrigger, QueueTrigger, TimerTrigger

_log = logging.getLogger("Host.General")
_CONTAINER = "azure-webjobs-hosts"
_POISON = "-poison"


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the host is given: everything that is not the app."""

    settings: Mapping[str, str]
    options: HostOptions
    identity: HostIdentity
    now: Callable[[], datetime]
    port: int
    keys: Keys
    sign_in: SignIn
    stop_seconds: float


class Host:
    """Runs the given functions; `run` returns once the host is to stop and everything has ended."""

    def __init__(
        self, functions: tuple[Function, ...], runner: Runner, stopping: Stopping, around: Surroundings
    ) -> None:
        self._functions = tuple(f for f in functions if not is_disabled(f.name, around.settings))
        self._runner = runner
        self._stopping = stopping
        self._around = around
        self._locks: list[Singleton] = []

    async def run(self, ready: Callable[[int], None] = lambda port: None) -> int:
        """Serve until `stopping` is set; return how many invocations would not end.

        `ready` is called with the port once all functions listen. Raises SettingsError for a connection that
        is not set, OSError when the port is taken.
        """
        async with Storage(self._around.settings) as storage:
            http = HttpListener(
                self._functions,
                self._around.options.route_prefix,
                self._around.keys,
                self._around.sign_in,
                self._runner.call,
            )
            found = [await self._listener(storage, function) for function in self._functions]
            listeners = [listener for listener in found if listener is not None]
            admin = Admin(
                self._around.identity.host_id,
                self._around.keys,
                {f.name: _kind(f) for f in self._functions},
                {f.name: self._starter(f) for f in self._functions if not isinstance(f.trigger, HttpTrigger)},
                http,
            )
            port = await admin.start(self._around.port)
            for function in self._functions:
                _log.info("Function '%s' listens: %s", function.name, _kind(function))
            work = [asyncio.create_task(listener.run()) for listener in listeners]
            ready(port)
            try:
                return await self._serve(work, admin)
            finally:
                for task in work:
                    task.cancel()
                await asyncio.gather(*(lock.release() for lock in self._locks))

    async def _serve(self, work: list[asyncio.Task[None]], admin: Admin) -> int:
        stopped = asyncio.create_task(self._stopping.wait())
        await asyncio.wait([stopped, *work], return_when=asyncio.FIRST_COMPLETED)
        self._stopping.set()
        await stopped
        admin.state = "Stopping"
        ending = asyncio.gather(*work, admin.stop(), return_exceptions=True)
        _, late = await asyncio.wait({ending}, timeout=self._around.stop_seconds)
        left = 0
        if late:
            _log.warning("Functions still run after %g s and are cancelled.", self._around.stop_seconds)
            left = await self._runner.cancel_all()
            await asyncio.wait({ending}, timeout=5.0)
        for task in work:
            if task.done() and not task.cancelled() and (fault := task.exception()) is not None:
                raise fault
        return left

    async def _listener(self, storage: Storage, function: Function) -> QueueListener | TimerListener | None:
        trigger = function.trigger
        if isinstance(trigger, HttpTrigger):
            return None
        if isinstance(trigger, QueueTrigger):
            queues = await storage.queues(trigger.connection)
            poison = None if trigger.queue.endswith(_POISON) else queues.get_queue_client(trigger.queue + _POISON)
            return QueueListener(
                queues.get_queue_client(trigger.queue),
                poison,
                self._around.options.queues,
                lambda message, body: self._on_message(function, message, body),
                self._stopping,
            )
        container = (await storage.blobs(HOST_CONNECTION)).get_container_client(_CONTAINER)
        host_id = self._around.identity.host_id
        blob = f"locks/{host_id}/Host.Functions.{function.name}.Listener"
        lock = Singleton(container, blob, self._around.identity.lease_id(blob), self._stopping)
        self._locks.append(lock)
        store = StatusBlob(container, host_id, function.name)
        return TimerListener(
            trigger, lock, store, lambda tick: self._on_tick(function, tick), self._stopping, self._around.now
        )

    async def _on_message(self, function: Function, message: HeldMessage, body: str) -> bool:
        reason = f"message {message.id}, dequeue count {message.dequeue_count}"
        return await self._runner.run(function, text(body), message.metadata(body), reason)

    async def _on_tick(self, function: Function, tick: Tick) -> bool:
        metadata = {"TimerTrigger": text(self._around.now().isoformat())}
        reason = "timer, past due" if tick.past_due else "timer"
        return await self._runner.run(function, as_json(tick.as_json()), metadata, reason, retry=True)

    def _starter(self, function: Function) -> Start:
        if isinstance(function.trigger, TimerTrigger):
            return lambda _given: self._on_tick(function, Tick(False, None))
        return lambda given: self._started_with_message(function, given)

    def _started_with_message(self, function: Function, given: str) -> Awaitable[bool]:
        now = as_json(self._around.now().isoformat())
        metadata = {
            "QueueTrigger": text(given),
            "Id": text("started-by-hand"),
            "PopReceipt": text(""),
            "DequeueCount": as_json(1),
            **dict.fromkeys(("InsertionTime", "ExpirationTime", "NextVisibleTime"), now),
        }
        return self._runner.run(function, text(given), metadata, "started by hand")


def _kind(function: Function) -> str:
    trigger = function.trigger
    if isinstance(trigger, QueueTrigger):
        return f"queue '{trigger.queue}'"
    if isinstance(trigger, HttpTrigger):
        return f"HTTP '{trigger.template}'"
    return f"timer '{trigger.schedule.text}'"
