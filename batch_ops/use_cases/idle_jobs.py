"""Closes jobs a day after their last work: following a job costs a call per tick."""

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from attrs import define, field

from batch_ops.domain import naming
from batch_ops.domain.settings import Settings
from batch_ops.domain.worklist import JobMark
from batch_ops.ports.services import BatchService
from batch_ops.ports.tables import Worklist

log = logging.getLogger("batch_ops")


@define(kw_only=True, eq=False)
class IdleJobs:
    """A claim whose job was closed moves to another job."""

    _worklist: Worklist
    _batch: BatchService
    _settings: Settings
    _clock: Callable[[], datetime]
    _ask_again: dict[str, datetime] = field(factory=dict, init=False)

    async def rest(self, mark: JobMark) -> None:
        """Note since when no job has any work, and close this one if it has been idle for long enough."""
        now = self._clock()
        if mark.idle_since is None:
            await self._worklist.save_job(replace(mark, idle_since=now))
        elif now - mark.idle_since >= self._settings.job_idle:
            await self._close(mark)

    async def close_if_done(self, mark: JobMark) -> None:
        """Close a job without unfinished tasks while others have work: asked only after a long time without change."""
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
        first, generation = naming.generation_of(mark.job_id)
        await self._worklist.note_newest_job(first, generation + 1)
        await self._worklist.drop_job(mark)
        log.info("Closed the job %s: it had no work for %s.", mark.job_id, self._settings.job_idle)
