"""Puts back what the function host gave up, as an outage of the app's workers must not need an operator afterwards.

The host counts deliveries to workers that can't even start, so events of an outage of minutes end as poison, although
no code of ours has seen them. A tick puts them back, every quarter of an hour; less and less often, while there
are some each time, as a fault in the code brings the same ones again. What can't be understood stays for people.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from attrs import define

from batch_ops.domain.orders import PoisonMessage
from batch_ops.domain.worklist import Board, SweepMark
from batch_ops.ports.services import PoisonQueues
from batch_ops.ports.tables import Worklist
from batch_ops.use_cases.poison_queues import name_in

log = logging.getLogger("batch_ops")

# Kept beside the sweep's marks; no container can have this name. Its `found` counts looks that found something.
MARK = "-poison"
PAUSE, LONGEST_PAUSE = timedelta(minutes=15), timedelta(hours=6)
# Of each queue in one tick.
MOST_A_TICK = 320


@define(eq=False)
class PoisonDrain:
    """Looks into the poison queues `names` when that is due: two calls where they are empty."""

    _queues: PoisonQueues
    _names: Sequence[str]
    _worklist: Worklist
    _clock: Callable[[], datetime]

    async def __call__(self, board: Board) -> None:
        """Put messages back, if it is time to. Raises `ServiceFault`, `Conflict`."""
        now = self._clock()
        mark = next((mark for mark in board.sweeps if mark.container == MARK), None)
        if mark is None:
            await self._worklist.save_sweep(SweepMark(MARK, now, now + PAUSE))
            return
        if now < mark.next_cycle:
            return
        back = [await self._drain(queue) for queue in self._names]
        if sum(back):
            log.warning("%d messages that the host had given up were put back.", sum(back))
        times = mark.found + 1 if sum(back) else 0
        pause = min(PAUSE * 2 ** max(0, min(times, 10) - 1), LONGEST_PAUSE)
        await self._worklist.save_sweep(replace(mark, next_cycle=now + pause, found=times))

    async def _drain(self, queue: str) -> int:
        back, seen = 0, 0
        others: list[PoisonMessage] = []
        try:
            async for message in self._queues.take(queue):
                seen += 1
                if name_in(message):
                    await self._queues.put_back(message)
                    back += 1
                else:
                    others.append(message)
                if seen == MOST_A_TICK:
                    break
        finally:
            # Only now: a message released earlier would be taken again.
            for message in others:
                await self._queues.release(message)
        return back
