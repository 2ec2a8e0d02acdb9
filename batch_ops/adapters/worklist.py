"""What is open, in Azure Table storage (port `Worklist`).

Partition `open` holds the intents `i!<file>!<nonce>`, the job marks `j!<job>` and the sweep marks `s!<container>`,
so that one paged query returns everything; partition `gate` the pauses `p!<project>`, the newest generation `j!<job>`
of a month's job and, in `turns` and `removals`, how much of what has a limit a day is given out. The other partitions
are those of `project_notes.py`.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from attrs import define, field
from azure.core import MatchConditions
from azure.data.tables import UpdateMode
from azure.data.tables.aio import TableClient

from batch_ops.adapters import table_rows
from batch_ops.adapters.sdk_errors import calls
from batch_ops.adapters.table_rows import MISSING_CODES
from batch_ops.domain import naming
from batch_ops.domain.errors import Conflict
from batch_ops.domain.worklist import Board, Daily, Intent, JobMark, Pause, SweepMark, Turns
from batch_ops.task.plain_text import plain

_SERVICE = "Table storage"
_OPEN = "open"
_GATE = "gate"
_CHANGED_CODES = (*MISSING_CODES, "UpdateConditionNotSatisfied", "ConditionNotMet")
_TAKEN_CODES = ("EntityAlreadyExists",)
_REMEMBERED_SECONDS = 300.0


@define(eq=False)
class TableWorklist:
    """Jobs noted by this object in the last minutes are not noted again, which saves a call per file."""

    _table: TableClient
    _clock: Callable[[], float] = time.monotonic
    _noted: dict[str, float] = field(factory=dict, init=False)

    async def board(self) -> Board:
        intents: list[Intent] = []
        jobs: list[JobMark] = []
        sweeps: list[SweepMark] = []
        with calls(_SERVICE, "read the open files"):
            async for row in self._table.query_entities(f"PartitionKey eq '{_OPEN}'"):
                version = str(row.metadata["etag"])
                match str(row["RowKey"])[:2]:
                    case "i!":
                        intents.append(replace(table_rows.from_properties(Intent, row), version=version))
                    case "j!":
                        jobs.append(replace(table_rows.from_properties(JobMark, row), version=version))
                    case "s!":
                        sweeps.append(replace(table_rows.from_properties(SweepMark, row), version=version))
        return Board(tuple(intents), tuple(jobs), tuple(sweeps))

    async def add(self, intent: Intent) -> Intent:
        taken = Conflict(f"The worklist has an entry {intent.nonce} of {plain(intent.name)} already.")
        with calls(_SERVICE, f"note {plain(intent.name)} as open", {"EntityAlreadyExists": taken}):
            answer = await self._table.create_entity(_entity(intent_key(intent.name, intent.nonce), intent))
        return replace(intent, version=str(answer["etag"]))

    async def defer(self, intent: Intent, due: datetime) -> None:
        purpose = f"defer {plain(intent.name)}"
        if not intent.version:
            key = intent_key(intent.name, intent.nonce)
            with calls(_SERVICE, purpose, ignored=_CHANGED_CODES):
                await self._table.update_entity({"PartitionKey": _OPEN, "RowKey": key, "due": due}, UpdateMode.MERGE)
            return
        row = _entity(intent_key(intent.name, intent.nonce), replace(intent, due=due))
        await self._replace(row, intent.version, purpose)

    async def remove(self, name: str, nonce: str) -> None:
        await self._delete(intent_key(name, nonce), None, f"take {plain(name)} off the worklist")

    async def note_job(self, job_id: str) -> None:
        noted = self._noted.get(job_id)
        if noted is not None and self._clock() - noted < _REMEMBERED_SECONDS:
            return
        with calls(_SERVICE, f"note the job {job_id}", ignored=_TAKEN_CODES):
            await self._table.create_entity(_entity(_job_key(job_id), JobMark(job_id)))
        self._noted[job_id] = self._clock()

    async def save_job(self, mark: JobMark) -> None:
        row = _entity(_job_key(mark.job_id), mark)
        await self._replace(row, mark.version, f"save how far the job {mark.job_id} was followed")

    async def drop_job(self, mark: JobMark) -> None:
        self._noted.pop(mark.job_id, None)
        await self._delete(_job_key(mark.job_id), mark.version, f"drop the job {mark.job_id}")

    async def newest_job(self, first: str) -> int:
        with calls(_SERVICE, f"look up the jobs after {first}", ignored=MISSING_CODES):
            return int((await self._table.get_entity(_GATE, _newest_key(first)))["generation"])
        return 0

    async def note_newest_job(self, first: str, generation: int) -> None:
        row = {"PartitionKey": _GATE, "RowKey": _newest_key(first), "generation": generation}
        with calls(_SERVICE, f"note the newest job after {first}"):
            await self._table.upsert_entity(row, UpdateMode.REPLACE)

    async def save_sweep(self, mark: SweepMark) -> None:
        row = _entity(f"s!{naming.key_safe(mark.container)}", mark)
        purpose = f"save how far {mark.container} was swept"
        if mark.version:
            await self._replace(row, mark.version, purpose)
            return
        with calls(_SERVICE, purpose, ignored=_TAKEN_CODES):
            await self._table.create_entity(row)

    async def pauses(self) -> Sequence[Pause]:
        with calls(_SERVICE, "read what is paused"):
            found = self._table.query_entities(f"PartitionKey eq '{_GATE}' and RowKey ge 'p!' and RowKey lt 'p~'")
            return [table_rows.from_properties(Pause, row) async for row in found]

    async def pause(self, pause: Pause) -> None:
        row = {"PartitionKey": _GATE, "RowKey": _pause_key(pause.project), **table_rows.to_properties(pause)}
        with calls(_SERVICE, "note a pause", ignored=_TAKEN_CODES):
            await self._table.create_entity(row)

    async def resume(self, project: str) -> bool:
        key = _pause_key(project)
        with calls(_SERVICE, "end a pause", ignored=MISSING_CODES):
            # A delete of what is not there is no error to the SDK.
            await self._table.get_entity(_GATE, key, select=["RowKey"])
            await self._table.delete_entity(_GATE, key)
            return True
        return False

    async def turns(self, of: Daily = Daily.BACKFILL) -> Turns | None:
        with calls(_SERVICE, f"read how many {of} are given out", ignored=MISSING_CODES):
            row = await self._table.get_entity(_GATE, str(of))
            return replace(table_rows.from_properties(Turns, row), version=str(row.metadata["etag"]))
        return None

    async def save_turns(self, turns: Turns, of: Daily = Daily.BACKFILL) -> Turns:
        properties = table_rows.to_properties(replace(turns, version=""))
        row: dict[str, Any] = {"PartitionKey": _GATE, "RowKey": str(of), **properties}
        taken = Conflict("Somebody else gave out a turn in the meantime.")
        known = dict.fromkeys((*_CHANGED_CODES, *_TAKEN_CODES), taken)
        with calls(_SERVICE, f"give out {of}", known):
            if turns.version:
                answer = await self._table.update_entity(
                    row, UpdateMode.REPLACE, etag=turns.version, match_condition=MatchConditions.IfNotModified
                )
            else:
                answer = await self._table.create_entity(row)
        return replace(turns, version=str(answer["etag"]))

    async def _replace(self, row: dict[str, Any], version: str, purpose: str) -> None:
        with calls(_SERVICE, purpose, ignored=_CHANGED_CODES):
            await self._table.update_entity(
                row, UpdateMode.REPLACE, etag=version, match_condition=MatchConditions.IfNotModified
            )

    async def _delete(self, key: str, version: str | None, purpose: str) -> None:
        guard: dict[str, Any] = (
            {} if version is None else {"etag": version, "match_condition": MatchConditions.IfNotModified}
        )
        with calls(_SERVICE, purpose, ignored=_CHANGED_CODES):
            await self._table.delete_entity(_OPEN, key, **guard)


def intent_key(name: str, nonce: str) -> str:
    """Return the row key of an intent."""
    return f"i!{naming.file_hash(name)}!{naming.key_safe(nonce)}"


def _newest_key(job_id: str) -> str:
    return f"j!{job_id}"


def _pause_key(project: str) -> str:
    return f"p!{naming.partition_key(project)}"


def _job_key(job_id: str) -> str:
    # Batch compares ids without regard to case.
    return f"j!{job_id.lower()}"


def _entity(key: str, value: Intent | JobMark | SweepMark) -> dict[str, Any]:
    properties = table_rows.to_properties(replace(value, version=""))
    return {"PartitionKey": _OPEN, "RowKey": key, **properties}
