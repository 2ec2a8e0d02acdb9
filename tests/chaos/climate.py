"""What holds during a whole history, by its seed: how the services behave, and what the operators have chosen."""

from dataclasses import dataclass, replace
from datetime import timedelta

from batch_ops.domain.budget import Budgets
from batch_ops.domain.prices import NodePrices
from batch_ops.domain.settings import Settings

SETTINGS = Settings(
    batch_endpoint="https://batch", pool_id="pool", pool_identity="/identity", staging_kept=timedelta(days=1)
)


_PRICES = NodePrices.parse('{"Standard_D4ds_v5": {"dedicated": 0.27, "spot": 0.054}}')


@dataclass(frozen=True, slots=True)
class Climate:
    """All quiet, unless it says otherwise.

    `page_size`: rows, blobs and tasks in an answer, None for as many as the services give. `list_lag`: so long at
    most Batch's lists leave out what changed. `zombies`: nodes that are given up go on and upload. `retry_after`: what
    a service says that is out. On `older_machines` runs a version of the app that knows neither the index nor the sums
    of a month. `patience`: how soon after its last change each file must be done.
    """

    settings: Settings = SETTINGS
    slow_copies: bool = False
    page_size: int | None = None
    list_lag: timedelta = timedelta()
    zombies: bool = False
    retry_after: timedelta | None = None
    older_machines: frozenset[int] = frozenset()
    patience: timedelta | None = None


# A node may take five minutes and a quarter, lists be late by 45 seconds; then comes a tick, and if copies are slow,
# forty seconds and another look at them.
_PATIENCE = timedelta(minutes=9)


def is_calm(seed: int) -> bool:
    """Whether nothing goes wrong in the history of a seed, so that every file must be done soon."""
    return seed % 10 == 7


def climate_of(seed: int) -> Climate:
    """Return the climate of a seed's history."""
    calm = is_calm(seed)
    return Climate(
        settings=_settings_of(seed),
        slow_copies=seed % 4 == 0,
        page_size=2 if seed % 6 == 1 else None,
        list_lag=timedelta(seconds=_lag_of(seed)),
        zombies=seed % 3 == 1 and not calm,
        retry_after=timedelta(seconds=45) if seed % 2 else None,
        # Some are deployed over an older version, one of whose processes lives on.
        older_machines=frozenset({0} if seed % 7 == 2 else ()),
        patience=_PATIENCE if calm else None,
    )


def _lag_of(seed: int) -> int:
    """Less than the watermark's overlap; in calm histories so little that it costs no file a second look."""
    if is_calm(seed):
        return seed % 46
    return seed * 37 % 240 if seed % 6 == 5 else 0


def _settings_of(seed: int) -> Settings:
    """Some have a pool for what needs more memory, some have finished files run again, or back-filled ones wait."""
    settings = SETTINGS
    if seed % 3 == 0:
        settings = replace(settings, large_pool_id="large", large_slot_memory_mb=64_000)
    if seed % 8 == 3:
        settings = replace(settings, backfill_daily_limit=2)
    if seed % 9 in {4, 7}:
        settings = replace(settings, prices=_PRICES)
        if seed % 9 == 4 and not is_calm(seed):
            # As much as a run or two cost: whatever comes later waits until somebody raises it.
            settings = replace(settings, budgets=Budgets(5_000 * (1 + seed % 5)))
    if seed % 4 == 0:
        # Copies are slow then.
        settings = replace(settings, copy_poll=timedelta(minutes=1))
    return replace(settings, rerun_finished=seed % 5 == 1)
