"""The daily turns of back-filled files. Pure.

A turn is the day (its midnight, UTC) on which a back-filled file may start. Turns are given out one after the other,
so each file is looked at only when it is ordered and on its day, however many wait.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from batch_ops.domain.worklist import Turns

_DAY = timedelta(days=1)


def day_of(moment: datetime) -> datetime:
    """Return the midnight (UTC) at which a moment's day began."""
    return moment.replace(hour=0, minute=0, second=0, microsecond=0)


def next_turn(last: Turns | None, today: datetime, limit: int) -> Turns:
    """Give out one more turn: on the first day, from today on, that has not reached the limit."""
    if last is None or last.day < today:
        return Turns(today, 1, last.version if last else "")
    if last.given < limit:
        return replace(last, given=last.given + 1)
    return replace(last, day=last.day + _DAY, given=1)
