"""Back-fill: counts older files, which do not start by themselves, estimates their time, and orders them."""

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from attrs import define

from batch_ops.concurrency import for_all
from batch_ops.domain import naming
from batch_ops.domain.blob import Blob
from batch_ops.domain.budget import price_to_keep
from batch_ops.domain.decide_look import is_missed
from batch_ops.domain.file_record import FileRecord, State
from batch_ops.domain.orders import LookOrder
from batch_ops.domain.prices import HOUR_SECONDS
from batch_ops.domain.settings import Settings
from batch_ops.ports.services import BlobStore, Outbox
from batch_ops.ports.tables import Ledger
from batch_ops.runs.node_catalog import NodeCatalog
from batch_ops.use_cases.newest_files import NewestFiles

_PAGE = 1000
_SAMPLES = 200
_PROJECTS_SAMPLED = 5
_GB = 1e9
# What a task takes besides computing: fetch, start ilastik, upload.
_OVERHEAD_SECONDS = 60.0
# For a first estimate only; four cores do a few million voxels a second.
_GUESSED_SECONDS_A_GB = 600.0


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds that one task slot needs per file and per GB, measured on `samples` finished files.

    `cost_a_second`, in millionths of the currency: what these have cost with all that was done in vain; None where that
    of no file is known.
    """

    seconds_a_file: float = _OVERHEAD_SECONDS
    seconds_a_gb: float = _GUESSED_SECONDS_A_GB
    samples: int = 0
    cost_a_second: float | None = None


def pace_of(finished: Iterable[FileRecord]) -> Pace:
    """Estimate the pace from finished files; guess if there are none."""
    finished = list(finished)
    spans = [
        ((r.times.task_ended_at - r.times.task_started_at).total_seconds(), r.image.length)
        for r in finished
        if r.times.task_started_at and r.times.task_ended_at and r.times.task_ended_at > r.times.task_started_at
    ]
    if not spans:
        return Pace()
    # The quickest file shows the minimum of any task.
    overhead = min(seconds for seconds, _ in spans)
    beyond = sum(seconds - overhead for seconds, _ in spans)
    total_gb = sum(length for _, length in spans) / _GB
    return Pace(overhead, beyond / total_gb if total_gb else 0.0, len(spans), _cost_a_second(finished))


def _cost_a_second(finished: Iterable[FileRecord]) -> float | None:
    """Return what a second of the attempt that succeeded has cost, where the cost of all attempts is known."""
    known = [r for r in finished if r.node_seconds and not r.unpriced_seconds]
    worked = sum(r.node_seconds - (r.times.failed_seconds or 0) for r in known)
    return sum(r.spent.cost_micro or 0 for r in known) / worked if worked else None


@dataclass(frozen=True, slots=True)
class Backfill:
    """The files to order, and the estimate.

    `archived` of them are in the archive tier and wait for somebody to rehydrate them; `known` others have
    a row of their current version; `is_whole`: no image was left out. `price`: that of a task's part of the dearer node
    for an hour, in millionths.
    """

    names: tuple[str, ...]
    total_bytes: int
    archived: int
    known: int
    pace: Pace
    daily_limit: int
    price: int | None = None
    currency: str = "USD"
    is_whole: bool = True

    @property
    def gigabytes(self) -> float:
        """Their total length (GB = 10^9 bytes)."""
        return self.total_bytes / _GB

    @property
    def slot_hours(self) -> float:
        """The hours with one task slot."""
        return (len(self.names) * self.pace.seconds_a_file + self.gigabytes * self.pace.seconds_a_gb) / HOUR_SECONDS

    @property
    def cost_micro(self) -> int | None:
        """Estimate the cost in millionths: as that of finished files, else at the price of the dearer nodes."""
        if self.pace.cost_a_second is not None:
            return round(self.slot_hours * HOUR_SECONDS * self.pace.cost_a_second)
        return None if self.price is None else round(self.slot_hours * self.price)

    def hours(self, slots: int) -> float:
        """Estimate the hours from the first task to the last with these task slots; the daily limit may need more."""
        return max(self.slot_hours / slots, 24.0 * (self.days - 1))

    @property
    def days(self) -> int:
        """The number of days (UTC) on which they start."""
        return math.ceil(len(self.names) / self.daily_limit) if self.daily_limit else min(1, len(self.names))


@define(kw_only=True, eq=False)
class Backfiller:
    """Finds the files in `input` that were never ordered, and orders them."""

    _ledger: Ledger
    _newest: NewestFiles
    _blobs: BlobStore
    _outbox: Outbox
    _nodes: NodeCatalog
    _settings: Settings

    async def plan(self, prefix: str, most: int = 0) -> Backfill:
        """Find images with this prefix that have no row of their version: a listing, and a query for each 1,000.

        Looks at so many images, if `most` is given.
        """
        names: list[str] = []
        length = archived = images = 0
        page: list[Blob] = []
        pages = self._blobs.list(self._settings.input_container, prefix)

        async def take() -> None:
            nonlocal length, archived
            for blob in await self._missed(page):
                names.append(blob.name)
                length += blob.length
                archived += blob.is_archived
            page.clear()

        is_whole = True
        async for blob in pages:
            if naming.is_image(blob.name):
                if most and images == most:
                    is_whole = False
                    break
                images += 1
                page.append(blob)
            if len(page) >= _PAGE:
                await take()
        await take()
        pace = pace_of(await self._finished({naming.project_of(name) for name in names}))
        limit = self._settings.backfill_daily_limit
        prices, price = self._settings.prices, None
        if prices and pace.cost_a_second is None:
            price = price_to_keep(await self._nodes.any_node(self._settings.pool_id), 1, prices)
        known = images - len(names)
        return Backfill(tuple(names), length, archived, known, pace, limit, price, prices.currency, is_whole)

    async def _missed(self, blobs: Sequence[Blob]) -> list[Blob]:
        by_project: dict[str, list[Blob]] = defaultdict(list)
        for blob in blobs:
            by_project[naming.project_of(blob.name)].append(blob)
        missed = []
        for project, images in by_project.items():
            stands = await self._ledger.stands(project, [blob.name for blob in images])
            missed += [blob for blob in images if is_missed(blob, stands.get(blob.name))]
        return missed

    async def _finished(self, projects: Iterable[str]) -> list[FileRecord]:
        found: list[FileRecord] = []
        for project in sorted(projects)[:_PROJECTS_SAMPLED]:
            taken = 0
            async for record in self._newest([project], {State.SUCCEEDED}):
                found.append(record)
                taken += 1
                if taken == _SAMPLES:
                    break
        return found

    async def ask(self, backfill: Backfill) -> None:
        """Order each file with a message: it starts at once, or on the day of its turn."""

        async def look(name: str) -> None:
            await self._outbox.look_again(LookOrder(name, f"backfill-{naming.file_hash(name)}", backfill=True))

        await for_all(backfill.names, look)
