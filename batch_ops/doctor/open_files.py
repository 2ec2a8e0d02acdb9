"""Is work making progress? Reports the open files, their age and states, and whether the timer function runs."""

import asyncio
import heapq
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from batch_ops.concurrency import for_all
from batch_ops.doctor.findings import Finding, Level, joined
from batch_ops.doctor.queues import shown
from batch_ops.domain.file_record import FileRecord
from batch_ops.domain.worklist import Board, Pause
from batch_ops.ports.tables import Ledger, Worklist
from batch_ops.task.plain_text import plain

MOST_RECORDS = 200
_AREA = "files"
# Reconcile runs about every minute and handles what is due.
_OVERDUE = timedelta(minutes=15)
_LONG = timedelta(days=1)
_NAME_CHARS = 100


@dataclass(frozen=True, slots=True)
class OpenFiles:
    """`records` are the rows of the oldest open files, up to a limit."""

    board: Board
    pauses: tuple[Pause, ...] = ()
    records: tuple[FileRecord, ...] = ()


async def look(worklist: Worklist, ledger: Ledger) -> OpenFiles:
    """Read the worklist with one query, and the rows of its oldest files."""
    board, pauses = await asyncio.gather(worklist.board(), worklist.pauses())
    oldest = heapq.nsmallest(MOST_RECORDS, board.open, key=lambda intent: intent.added)
    records: list[FileRecord] = []

    async def read(name: str) -> None:
        if entry := await ledger.get(name):
            records.append(entry.record)

    await for_all(dict.fromkeys(intent.name for intent in oldest), read)
    return OpenFiles(board, tuple(pauses), tuple(records))


def judge(found: OpenFiles, now: datetime) -> Sequence[Finding]:
    """Say how many files are open, how old they are, and whether the timer still runs."""
    files = found.board.open
    findings = [_overdue(found.board, now), *_paused(found.pauses, now)]
    if not files:
        return [Finding(_AREA, Level.OK, "No file is open."), *findings]
    oldest = min(files, key=lambda intent: intent.added)
    states = joined(f"{count:,} {state}" for state, count in sorted(Counter(r.state for r in found.records).items()))
    among = "" if len(found.records) >= len(files) else f" (of the {len(found.records):,} oldest)"
    names = len({intent.name for intent in files})
    count = "1 file is" if names == 1 else f"{names:,} files are"
    message = f"{count} open{f': {states}{among}' if states else ''}."
    age = now - oldest.added
    name = plain(oldest.name, _NAME_CHARS)
    aged = f"The oldest open file, '{name}', has been open for {shown(age)}{_reason(found, oldest.name)}."
    level = Level.WARN if age > _LONG else Level.OK
    remedy = "run python -m batch_ops.files show NAME to see what it waits for." if level is Level.WARN else ""
    return [Finding(_AREA, Level.OK, message), Finding(_AREA, level, aged, remedy), *findings]


def _reason(found: OpenFiles, name: str) -> str:
    record = next((record for record in found.records if record.name == name), None)
    if record is None:
        return ""
    return f", {record.state}{f': {plain(record.reason, 300)}' if record.reason else ''}".rstrip(".")


def _overdue(board: Board, now: datetime) -> Finding:
    late = [intent for intent in board.intents if now - intent.due > _OVERDUE]
    if not late:
        return Finding(_AREA, Level.OK, "Nothing is overdue: the timer function keeps up with the open files.")
    since = now - min(intent.due for intent in late)
    message = f"{len(late):,} entries of the worklist are overdue, the oldest by {shown(since)}."
    return Finding(
        _AREA,
        Level.FAIL,
        message,
        "check that the function `reconcile` runs: look at its log and at RECONCILE_SCHEDULE.",
    )


def _paused(pauses: Sequence[Pause], now: datetime) -> Sequence[Finding]:
    resume = "run python -m batch_ops.files resume to end the pause."
    return [
        Finding(
            _AREA,
            Level.WARN,
            f"An operator paused {f'the project {plain(p.project)}' if p.project else 'everything'} "
            f"{shown(now - p.since)} ago: no new files start.",
            resume,
        )
        for p in pauses
    ]
