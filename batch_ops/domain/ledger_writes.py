"""Which rows of the ledger a claim or an advance writes, and under which condition. Pure.

A store carries out all writes of one decision in one transaction.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto
from functools import lru_cache

from batch_ops.domain import file_index, naming
from batch_ops.domain.errors import IllegalTransition
from batch_ops.domain.file_record import Entry, FileRecord, State
from batch_ops.domain.transitions import check_move
from batch_ops.task.plain_text import plain

_REASON_CHARS = 4000

# A file's row is written several times in a row, and its key takes longer to make than the decision.
file_key = lru_cache(4096)(naming.file_key)
run_row_key = lru_cache(4096)(naming.run_row_key)


@lru_cache(4096)
def partition_of(name: str) -> str:
    """Return the partition of a file's rows."""
    return naming.partition_key(naming.project_of(name))


class RowKind(Enum):
    """What a row of a project's partition is: a file's own, that of a run, or a copy in the index."""

    FILE = auto()
    RUN = auto()
    INDEX = auto()


@dataclass(frozen=True, slots=True)
class Write:
    """One row to write; without a record, to delete.

    `over` is the version of a file's row to be replaced, None inserts it (nothing may be there). Other rows are put
    over whatever is there, as only the holder of the file's row writes them. `indexed`: see `file_index`.
    """

    key: str
    record: FileRecord | None
    kind: RowKind
    over: str | None = None
    indexed: str = ""

    @property
    def is_file(self) -> bool:
        """Whether this is the file's own row."""
        return self.kind is RowKind.FILE


@dataclass(frozen=True, slots=True)
class Writes:
    """What one transaction writes: the file's row first. `ended` are the runs that end with it."""

    file: Write
    others: tuple[Write, ...] = ()
    ended: tuple[FileRecord, ...] = ()

    @property
    def record(self) -> FileRecord:
        """The file's new record."""
        assert self.file.record is not None
        return self.file.record

    @property
    def all(self) -> tuple[Write, ...]:
        """Every write, the file's first."""
        return (self.file, *self.others)

    def entry(self, version: str) -> Entry:
        """Return the file's row as it is once it has been written."""
        return Entry(self.record, version, self.file.indexed)

    @property
    def is_without_index(self) -> bool:
        """Whether the index is left alone."""
        return not any(write.kind is RowKind.INDEX for write in self.others)

    def without_index(self) -> "Writes":
        """Leave the index alone, where it lacks a copy to be replaced; the row then says that it is not in it."""
        runs = tuple(write for write in self.others if write.kind is not RowKind.INDEX)
        return Writes(replace(self.file, indexed=""), runs, self.ended)


def claim_writes(new: FileRecord, previous: Entry | None) -> Writes:
    """Return the writes of a claim: the file's row, and the end of a previous run that was still open.

    The row of a run is written when the run ends: until then the file's row says everything.
    Raises `IllegalTransition`.
    """
    new = fitted(new)
    ended = (new,) if new.state.is_final else ()
    if previous is None:
        return _transaction(new, None, ended, ended)
    old = previous.record
    _check_same_file(old, new)
    if new.run < old.run:
        raise IllegalTransition(f"Run {new.run} of {plain(new.name)} can't follow run {old.run}.")
    if new.run == old.run:
        check_move(old.state, new.state)
        return _transaction(new, previous, ended, () if old.state.is_final else ended)
    if not old.state.is_final:
        ended = (*ended, _superseded(old, new))
    return _transaction(new, previous, ended, ended)


def advance_writes(entry: Entry, record: FileRecord) -> Writes:
    """Return the writes of an advance: the file's row, and the run's once it is over. Raises `IllegalTransition`."""
    record = fitted(record)
    _check_same_file(entry.record, record)
    if record.run != entry.record.run:
        raise IllegalTransition(f"Run {entry.record.run} can't become run {record.run} without a claim.")
    check_move(entry.record.state, record.state)
    final = (record,) if record.state.is_final else ()
    return _transaction(record, entry, final, () if entry.record.state.is_final else final)


def removal_writes(entry: Entry) -> tuple[Write, ...]:
    """Return the writes that delete a file's row, of this version, and its copies; the rows of its runs are apart.

    Raises `IllegalTransition` for a run that has not ended.
    """
    record = entry.record
    if not record.state.is_final:
        raise IllegalTransition(f"The row of {plain(record.name)} can't be removed: it is {record.state}.")
    copies = file_index.keys_of(record.name, entry.indexed)
    file = Write(file_key(record.name), None, RowKind.FILE, entry.version)
    return (file, *(Write(key, None, RowKind.INDEX) for key in copies))


def with_current(ended: Sequence[FileRecord], current: Entry | None) -> list[FileRecord]:
    """List every run of a file, the oldest first: the rows of ended runs, and the current one from the file's row."""
    if current is None:
        return list(ended)
    return [*(record for record in ended if record.run != current.record.run), current.record]


def fitted(record: FileRecord) -> FileRecord:
    """Cut the texts of a record to what a row should hold."""
    if len(record.reason) <= _REASON_CHARS:
        return record
    return replace(record, reason=f"{record.reason[: _REASON_CHARS - 1]}…")


def _transaction(
    record: FileRecord, previous: Entry | None, final: tuple[FileRecord, ...], ended: tuple[FileRecord, ...]
) -> Writes:
    """Write the file's row, those of runs that are over, and the copies of the index.

    A row that replaces one which is not in the index stays out of it: its copies are not known.
    """
    before = previous.indexed if previous else ""
    indexed = file_index.mark_of(record) if previous is None or before else ""
    file = Write(file_key(record.name), record, RowKind.FILE, previous.version if previous else None, indexed)
    keys = file_index.keys_of(record.name, indexed)
    copies = [Write(key, record, RowKind.INDEX) for key in keys]
    outdated = [key for key in file_index.keys_of(record.name, before) if key not in keys]
    runs = [_run(run) for run in final]
    return Writes(file, (*runs, *copies, *(Write(key, None, RowKind.INDEX) for key in outdated)), ended)


def _run(record: FileRecord) -> Write:
    return Write(run_row_key(record.name, record.run), record, RowKind.RUN)


def _superseded(old: FileRecord, new: FileRecord) -> FileRecord:
    reason = f"Run {new.run} of the same file took its place."
    at = new.times.updated_at or old.times.updated_at
    if at is None:
        return replace(old, state=State.SUPERSEDED, reason=reason)
    return old.to(State.SUPERSEDED, at, reason)


def _check_same_file(old: FileRecord, new: FileRecord) -> None:
    if old.name != new.name:
        raise ValueError(f"The row of {old.name!r} can't become that of {new.name!r}.")
