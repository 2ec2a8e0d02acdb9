"""Jobs are closed a day after their last work: one that is followed costs a call a tick."""

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from batch_ops.domain.settings import Settings
from batch_ops.domain.worklist import JobMark
from batch_ops.ports.services import BatchService
from batch_ops.ports.tables import Worklist

log = logging.getLogger("batch_ops")


class IdleJobs:
    """Whoever still wants to create a task in a job that was closed moves its claim to another one."""

    def __init__(
        self, *, worklist: Worklist, batch: BatchService, settings: Settings, clock: Callable[[], datetime]
    ) -> None:
        self._worklist, self._batch, self._settings, self._clock = worklist, batch, settings, clock
        self._ask_again: dict[str, datetime] = {}

    async def rest(self, mark: JobMark) -> None:
        """Nothing is at work in any job: note since when, and close this one if it has rested for long enough."""
        now = self._clock()
        if mark.idle_since is None:
            await self._worklist.save_job(replace(mark, idle_since=now))
        elif now - mark.idle_since >= self._settings.job_idle:
            await self._close(mark)

    async def close_if_done(self, mark: JobMark) -> None:
        """Others are at work, perhaps always: a job whose tasks have stood still for long is asked if any is left."""
        now = self._clock()
        if mark.watermark is None or now - mark.watermark < self._settings.job_idle:
            return
        if now < self._ask_again.get(mark.job_id, now):
            return
        self._ask_again[mark.job_id] = now + self._settings.recheck
        if await self._batch.is_done(mark.job_id):
            await self._close(mark)

    async def _close(self, mark: JobMark) -> None:
        await self._batch.close_job(mark.job_id)
        await self._worklist.drop_job(mark)
        log.info("Closed the job %s: it had no work for %s.", mark.job_id, self._settings.job_idle)
