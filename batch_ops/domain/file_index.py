"""The index for people: copies of files' rows in their project's partition, the newest drop first. Pure.

    t!0!<time>!<hash>          an open file
    t!1!<time>!<hash>          a file whose run has ended
    s!<STATE>!<time>!<hash>    the same, by its final state
    t!!, s!<STATE>!!           heads: before the copies, whether this part of the index is known to be complete

`<time>` falls as the time of the drop rises, `<hash>` is that of the file's name. The property `indexed` of a file's
row says under which keys its copies stand; they are written and removed in the transaction that changes the row. A row
without it, as versions before the index write it, may have copies that are out of date, or none.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from batch_ops.domain import naming
from batch_ops.domain.file_record import FINAL, FileRecord, State

BY_TIME = "t!"
BY_STATE = "s!"
ENDED = f"{BY_TIME}1!"
_HEAD = "!"
# Sorts behind every character of a time and of a hash.
_END = "~"
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


@dataclass(frozen=True, slots=True)
class Span:
    """A part of the index, in the order of its keys: `start <= key < end`. It starts with its head, or has none."""

    start: str
    end: str

    @property
    def head(self) -> str:
        """The key of the head, if the part has one."""
        return self.start if self.start in HEADS else ""


HEADS = (f"{BY_TIME}{_HEAD}", *(f"{BY_STATE}{state}!{_HEAD}" for state in sorted(FINAL)))


def spans(states: Collection[State] = (), since: datetime | None = None) -> list[Span]:
    """Return the parts that hold the files in these states (none: in any), dropped at or after `since` or later.

    What is open is one part, whatever the time: such files are few. All files are one part too, what is open first.
    """
    until = f"{falling(since)}!{_END}" if since else _END
    wanted = frozenset(states) or frozenset(State)
    if wanted >= FINAL and wanted - FINAL:
        return [Span(HEADS[0], f"{ENDED}{until}")]
    opened = [Span(HEADS[0], ENDED)] if wanted - FINAL else []
    return opened + [
        Span(f"{BY_STATE}{state}!{_HEAD}", f"{BY_STATE}{state}!{until}") for state in sorted(wanted & FINAL)
    ]


def spans_after(states: Collection[State], place: str = "") -> list[Span]:
    """Return the parts that hold the files in these states (none: in any) behind a place in the order of `order_of`.

    What is open is a part of its own, and each part is in that order. Without a place, the first one has a head.
    """
    wanted = frozenset(states) or frozenset(State)
    behind = f"{place}{_END}" if place else ""
    opened = [Span(f"{BY_TIME}0!{behind}" if place else HEADS[0], ENDED)] if wanted - FINAL else []
    if opened and wanted >= FINAL:
        return [*opened, Span(f"{ENDED}{behind}", f"{ENDED}{_END}")]
    starts = [f"{BY_STATE}{state}!" for state in sorted(wanted & FINAL)]
    return opened + [Span(f"{start}{behind or _HEAD}", f"{start}{_END}") for start in starts]


def order_of(record: FileRecord) -> str:
    """Return what sorts records as the index does: the newest drop first."""
    return f"{falling(record.times.dropped_at)}!{naming.file_hash(record.name)}"


def keys_of(name: str, mark: str) -> tuple[str, ...]:
    """Return the keys of a file's copies, by the mark in its row; none without a mark."""
    if not mark:
        return ()
    state, _, time = mark.partition("!")
    tail = f"{time}!{naming.file_hash(name)}"
    if state == _OPEN:
        return (f"{BY_TIME}0!{tail}",)
    return (f"{ENDED}{tail}", f"{BY_STATE}{state}!{tail}")
