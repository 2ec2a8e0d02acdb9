"""The worklist in memory."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from batch_ops.domain import naming
from batch_ops.domain.errors import Conflict
from batch_ops.domain.worklist import Board, Daily, Intent, JobMark, Pause, SweepMark, Turns
from tests.fakes.cloud import Cloud, call
from tests.fakes.table import Change, Row, Table, check_value

_REMEMBERED = timedelta(minutes=5)


type _Mark = Intent | JobMark | SweepMark


class FakeWorklist:
    """Port `Worklist`."""

    service = "worklist"

    def __init__(self, cloud: Cloud | None = None, *, strict: bool = True) -> None:
        self.cloud = cloud or Cloud()
        self.table: Table[_Mark] = Table(self.cloud, "work", strict=strict)
        self._noted: dict[str, datetime] = {}
        self._newest: dict[str, int] = {}
        self._pauses: dict[str, Pause] = {}
        self._turns: dict[Daily, Turns] = {}

    async def board(self) -> Board:
        rows, after = await self._board("")
        while after is not None:
            more, after = await self._board(after)
            rows += more
        return self._board_of(rows)

    def _board_of(self, rows: Sequence[Row[_Mark]]) -> Board:
        kinds: dict[type, list[Any]] = {Intent: [], JobMark: [], SweepMark: []}
        for row in rows:
            value = self._shown(row)
            kinds[type(value)].append(value)
        return Board(tuple(kinds[Intent]), tuple(kinds[JobMark]), tuple(kinds[SweepMark]))

    def _shown(self, row: Row[_Mark]) -> _Mark:
        return replace(row.value, version=row.version)

    @call()
    def _board(self, after: str) -> tuple[list[Row[_Mark]], str | None]:
        return self.table.page("open", "", "~", after)

    @call()
    def add(self, intent: Intent) -> Intent:
        return replace(intent, version=self._put(_intent_key(intent.name, intent.nonce), intent, new=True))

    @call()
    def defer(self, intent: Intent, due: datetime) -> None:
        key = _intent_key(intent.name, intent.nonce)
        if not intent.version:
            row = self.table.get("open", key)
            if row is None or not isinstance(row.value, Intent):
                return
            intent = replace(row.value, version=row.version)
        with suppress(Conflict):
            self._put(key, replace(intent, due=due), over=intent.version)

    @call()
    def remove(self, name: str, nonce: str) -> None:
        with suppress(Conflict):
            self.table.delete("open", _intent_key(name, nonce))

    async def note_job(self, job_id: str) -> None:
        """Have a job followed; like the adapter, it is not noted again for five minutes."""
        noted = self._noted.get(job_id)
        if noted is None or self.cloud.now - noted >= _REMEMBERED:
            await self._note_job(job_id)
            self._noted[job_id] = self.cloud.now

    @call()
    def _note_job(self, job_id: str) -> None:
        with suppress(Conflict):
            self._put(_job_key(job_id), JobMark(job_id), new=True)

    @call()
    def save_job(self, mark: JobMark) -> None:
        with suppress(Conflict):
            self._put(_job_key(mark.job_id), mark, over=mark.version)

    @call()
    def drop_job(self, mark: JobMark) -> None:
        self._noted.pop(mark.job_id, None)
        with suppress(Conflict):
            self.table.delete("open", _job_key(mark.job_id), mark.version)

    @call()
    def newest_job(self, first: str) -> int:
        return self._newest.get(first, 0)

    @call()
    def note_newest_job(self, first: str, generation: int) -> None:
        self._newest[first] = generation

    @call()
    def save_sweep(self, mark: SweepMark) -> None:
        with suppress(Conflict):
            self._put(_sweep_key(mark), mark, over=mark.version or None, new=not mark.version)

    @call()
    def pauses(self) -> Sequence[Pause]:
        self.cloud.examined["work"] += max(len(self._pauses), 1)
        return [self._pauses[key] for key in sorted(self._pauses)]

    @call()
    def pause(self, pause: Pause) -> None:
        check_value(pause)
        self._pauses.setdefault(naming.partition_key(pause.project), pause)

    @call(cost=2)
    def resume(self, project: str) -> bool:
        return self._pauses.pop(naming.partition_key(project), None) is not None

    @call()
    def turns(self, of: Daily = Daily.BACKFILL) -> Turns | None:
        self.cloud.examined["work"] += 1
        return self._turns.get(of)

    @call()
    def save_turns(self, turns: Turns, of: Daily = Daily.BACKFILL) -> Turns:
        if turns.version != (self._turns[of].version if of in self._turns else ""):
            raise Conflict("Somebody else gave out a turn in the meantime.")
        check_value(replace(turns, version=""))
        self._turns[of] = replace(turns, version=f"v{self.cloud.number()}")
        return self._turns[of]

    # Not of the port

    def intents(self) -> list[Intent]:
        """Every intent, those of files that are only tidied up too."""
        return [mark for mark in self.table.all("open") if isinstance(mark, Intent)]

    def is_sweeping(self) -> bool:
        """Whether the sweep is between two pages of a container."""
        return any(isinstance(mark, SweepMark) and mark.marker for mark in self.table.all("open"))

    def swept(self, mark: SweepMark) -> None:
        """A container was swept before."""
        self._put(_sweep_key(mark), mark, new=True)

    def resume_all(self) -> None:
        """Nothing is paused any more."""
        self._pauses.clear()

    def forget_noted_jobs(self) -> None:
        """What a new process does not remember."""
        self._noted = {}

    def _put(self, key: str, value: _Mark, *, over: str | None = None, new: bool = False) -> str:
        bare = replace(value, version="") if value.version else value
        return self.table.write("open", [Change(key, bare, over=over, new=new)])[0]


def _intent_key(name: str, nonce: str) -> str:
    return f"i!{naming.file_hash(name)}!{naming.key_safe(nonce)}"


def _sweep_key(mark: SweepMark) -> str:
    return f"s!{naming.key_safe(mark.container)}"


def _job_key(job_id: str) -> str:
    return f"j!{job_id.lower()}"
