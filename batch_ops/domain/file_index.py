"""The index for people: copies of files' rows in their project's partition, the newest drop first. Pure.

    t!0!<time>!<hash>          an open file
    t!1!<time>!<hash>          a file whose run has ended
    s!<STATE>!<time>!<hash>    the same, by its final state

`<time>` falls as the time of the drop rises, `<hash>` is that of the file's name. The property `indexed` of a file's
row says under which keys its copies stand; they are written and removed in the transaction that changes the row. A row
without it, as versions before the index write it, may have copies that are out of date, or none.
"""

from datetime import UTC, datetime, timedelta

from batch_ops.domain import naming
from batch_ops.domain.file_record import FileRecord

BY_TIME = "t!"
BY_STATE = "s!"
_OPEN = "OPEN"
_EARLIEST = datetime.min.replace(tzinfo=UTC)
# Microseconds since the year 1 have at most 18 digits.
_LATEST = 10**18 - 1
_MICROSECOND = timedelta(microseconds=1)


def falling(moment: datetime | None) -> str:
    """Return 18 digits that sort later moments first; an unknown one sorts last."""
    since = moment - _EARLIEST if moment else timedelta()
    return f"{_LATEST - since // _MICROSECOND:018}"


def mark_of(record: FileRecord) -> str:
    """Return what a row's property `indexed` says: its final state, or `OPEN`, and the time of the drop."""
    state = str(record.state) if record.state.is_final else _OPEN
    return f"{state}!{falling(record.times.dropped_at)}"


def keys_of(name: str, mark: str) -> tuple[str, ...]:
    """Return the keys of a file's copies, by the mark in its row; none without a mark."""
    if not mark:
        return ()
    state, _, time = mark.partition("!")
    tail = f"{time}!{naming.file_hash(name)}"
    if state == _OPEN:
        return (f"{BY_TIME}0!{tail}",)
    return (f"{BY_TIME}1!{tail}", f"{BY_STATE}{state}!{tail}")
