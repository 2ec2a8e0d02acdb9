"""Which rows of the ledger a claim or an advance writes, and under which condition. Pure.

A store carries out all writes of one decision in one transaction.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from batch_ops.domain import naming
from batch_ops.domain.errors import IllegalTransition
from batch_ops.domain.file_record import Entry, FileRecord, State
from batch_ops.domain.transitions import check_move
from batch_ops.task.plain_text import plain

_REASON_CHARS = 4000

# A file's row is written several times in a row, and its key takes longer to make than the decision.
file_key = lru_cache(4096)(naming.file_key)
run_row_key = lru_cache(4096)(naming.run_row_key)


@lru_cache(4096)
def partition_key(name: str) -> str:
    """Return the partition of a file's rows."""
    return naming.partition_key(naming.project_of(name))


@dataclass(frozen=True, slots=True)
class Write:
    """One row to write.

    `over` is the version to be replaced; None inserts a file's row (nothing may be there) and puts a run's
    row over whatever is there, as only the holder of the file's row writes it.
    """

    key: str
    record: FileRecord
    is_file: bool
    over: str | None = None


def claim_writes(new: FileRecord, previous: Entry | None) -> tuple[Write, ...]:
    """Return the writes of a claim: the file's row, and the end of a previous run that was still open.

    The row of a run is written when the run ends: until then the file's row says everything, and a claim is one write.
    Raises `IllegalTransition`.
    """
    new = fitted(new)
    row = _file(new, previous.version if previous else None)
    claim = (row, _run(new)) if new.state.is_final else (row,)
    if previous is None:
        return claim
    old = previous.record
    _check_same_file(old, new)
    if new.run < old.run:
        raise IllegalTransition(f"Run {new.run} of {plain(new.name)} can't follow run {old.run}.")
    if new.run == old.run:
        check_move(old.state, new.state)
        return claim
    return claim if old.state.is_final else (*claim, _run(_superseded(old, new)))


def advance_writes(entry: Entry, record: FileRecord) -> tuple[Write, ...]:
    """Return the writes of an advance: the file's row, and the run's once it is over. Raises `IllegalTransition`."""
    record = fitted(record)
    _check_same_file(entry.record, record)
    if record.run != entry.record.run:
        raise IllegalTransition(f"Run {entry.record.run} can't become run {record.run} without a claim.")
    check_move(entry.record.state, record.state)
    row = _file(record, entry.version)
    return (row, _run(record)) if record.state.is_final else (row,)


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


def _file(record: FileRecord, over: str | None) -> Write:
    return Write(file_key(record.name), record, is_file=True, over=over)


def _run(record: FileRecord) -> Write:
    return Write(run_row_key(record.name, record.run), record, is_file=False)


def _superseded(old: FileRecord, new: FileRecord) -> FileRecord:
    reason = f"Run {new.run} of the same file took its place."
    at = new.times.updated_at or old.times.updated_at
    if at is None:
        return replace(old, state=State.SUPERSEDED, reason=reason)
    return old.to(State.SUPERSEDED, at, reason)


def _check_same_file(old: FileRecord, new: FileRecord) -> None:
    if old.name != new.name:
        raise ValueError(f"The row of {old.name!r} can't become that of {new.name!r}.")
