"""Runs functions: log lines around each invocation, time limit, retries, and what is running now."""

import asyncio
import logging
import time
import uuid
from collections.abc import Mapping
from dataclasses import replace

from local_cloud.functions.messages import TypedData
from local_cloud.functions.stopping import Stopping
from local_cloud.functions.triggers import Function, Retry
from local_cloud.functions.worker import Invocation, Outcome, Worker

_SECONDS_TO_CANCEL = 5.0


class Runner:
    """Invokes the functions of one worker; `names` gives the function's name for an invocation id."""

    def __init__(self, worker: Worker, timeout: float | None, stopping: Stopping) -> None:
        self._worker = worker
        self._timeout = timeout
        self._stopping = stopping
        self._tasks: set[asyncio.Task[Outcome]] = set()
        self.names: dict[str, str] = {}

    async def call(self, function: Function, data: TypedData, reason: str) -> Outcome:
        """Run a function once, for somebody who waits for its answer."""
        return await self._once(function, Invocation(str(uuid.uuid4()), data, {}), reason)

    async def run(
        self,
        function: Function,
        data: TypedData,
        metadata: Mapping[str, TypedData],
        reason: str,
        *,
        retry: bool = False,
    ) -> bool:
        """Run a function, with its retries if the trigger takes part in them; say whether it succeeded."""
        policy = function.retry if retry else None
        call = Invocation(str(uuid.uuid4()), data, metadata, 0, policy.at_most if policy else 0)
        outcome = await self._once(function, call, reason)
        while not outcome.ok and policy is not None and _may_retry(policy, call.retry_count):
            call = replace(call, id=str(uuid.uuid4()), retry_count=call.retry_count + 1)
            await self._stopping.pause(policy.delay(call.retry_count))
            if self._stopping:
                break
            outcome = await self._once(function, call, f"retry {call.retry_count}")
        return outcome.ok

    async def cancel_all(self) -> int:
        """Cancel what still runs, at the end of the process; return how many did not even end then."""
        for task in self._tasks:
            task.cancel()
        if not self._tasks:
            return 0
        _, left = await asyncio.wait(self._tasks, timeout=_SECONDS_TO_CANCEL)
        return len(left)

    async def _once(self, function: Function, call: Invocation, reason: str) -> Outcome:
        log = logging.getLogger(f"Function.{function.name}")
        log.info("Executing '%s' (%s, id %s)", function.name, reason, call.id)
        started = time.monotonic()
        self.names[call.id] = function.name
        task = asyncio.create_task(self._worker.invoke(function, call))
        self._tasks.add(task)
        task.add_done_callback(lambda done: self._ended(done, call.id))
        outcome = await self._outcome(function, task)
        took = (time.monotonic() - started) * 1000
        if outcome.ok:
            log.info("Executed '%s' (succeeded, %.0f ms, id %s)", function.name, took, call.id)
        else:
            log.error("Executed '%s' (failed, %.0f ms, id %s)\n%s", function.name, took, call.id, outcome.error)
        return outcome

    async def _outcome(self, function: Function, task: asyncio.Task[Outcome]) -> Outcome:
        done, _ = await asyncio.wait({task}, timeout=self._timeout)
        if not done:
            task.cancel()
            await asyncio.wait({task}, timeout=_SECONDS_TO_CANCEL)
            return Outcome(False, f"'{function.name}' ran longer than functionTimeout, {self._timeout:g} s.")
        if task.cancelled():
            return Outcome(False, f"'{function.name}' was cancelled because the host stops.")
        if (fault := task.exception()) is not None:
            return Outcome(False, f"The worker library failed: {fault!r}")
        return task.result()

    def _ended(self, task: asyncio.Task[Outcome], invocation: str) -> None:
        self._tasks.discard(task)
        self.names.pop(invocation, None)
        if not task.cancelled():
            task.exception()  # looked at, so that asyncio does not report it again


def _may_retry(policy: Retry, tries: int) -> bool:
    return policy.at_most == -1 or tries < policy.at_most
