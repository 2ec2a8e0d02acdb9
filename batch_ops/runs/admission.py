"""Which runs may begin now: operators' pauses, and the daily turns of back-filled files."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta

from attrs import define, field

from batch_ops.domain import naming
from batch_ops.domain.errors import Conflict, ServiceFault
from batch_ops.domain.settings import Settings
from batch_ops.domain.turns import day_of, next_turn
from batch_ops.domain.worklist import Turns
from batch_ops.ports.tables import Worklist
from batch_ops.task.plain_text import plain

# A pause reaches other instances after at most this time.
FRESH = timedelta(seconds=5)
_RACES = 20


@define(kw_only=True, eq=False)
class Admission:
    """Decides before a claim. Concurrent requests share one look-up."""

    _worklist: Worklist
    _settings: Settings
    _clock: Callable[[], datetime]
    _paused: frozenset[str] = field(factory=frozenset, init=False)
    _fresh_until: datetime | None = field(default=None, init=False)
    _looking: asyncio.Lock = field(factory=asyncio.Lock, init=False)
    _turns: Turns | None = field(default=None, init=False)
    _giving: asyncio.Lock = field(factory=asyncio.Lock, init=False)

    async def hold(self, *names: str) -> str:
        """Return why no run may begin now that goes by these names (image, results); "" if it may.

        The answer may be five seconds old.
        """
        if not self._is_fresh():
            async with self._looking:
                if not self._is_fresh():
                    # Aged from the question on: the answer may take long.
                    fresh_until = self._clock() + FRESH
                    self._paused = frozenset(naming.composed(pause.project) for pause in await self._worklist.pauses())
                    self._fresh_until = fresh_until
        if "" in self._paused:
            return "Waiting: an operator paused the system."
        for project in map(naming.classifier_of, names):
            if naming.composed(project) in self._paused:
                return f"Waiting: an operator paused the project '{plain(project)}'."
        return ""

    def _is_fresh(self) -> bool:
        return self._fresh_until is not None and self._clock() < self._fresh_until

    async def turn(self) -> datetime:
        """Give a turn to a back-filled file: the midnight (UTC) from which it may start."""
        today, limit = day_of(self._clock()), self._settings.backfill_daily_limit
        if not limit:
            return today
        async with self._giving:
            for _ in range(_RACES):
                last, self._turns = self._turns, None
                try:
                    given = await self._worklist.save_turns(
                        next_turn(last or await self._worklist.turns(), today, limit)
                    )
                except Conflict:
                    continue
                self._turns = given
                return given.day
        raise ServiceFault("Too many back-filled files asked for their turn at the same time.")

    def wait_sentence(self, turn: datetime) -> str:
        """Write the reason of a file whose turn is on a later day."""
        limit = self._settings.backfill_daily_limit
        return f"Waiting because of the daily limit of {limit:,} back-filled files: it starts on {turn:%Y-%m-%d} (UTC)."
