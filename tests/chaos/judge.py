"""Judges every write at the moment that it takes effect: what everybody who reads then would see.

Only what the write touched is looked at. What must be true of each moment, but not of rest alone:

    results   what provenance.json names is there, whole and with its digest; a row that says SUCCEEDED has its
              provenance.json beside it, one that says REJECTED or FAILED its PROBLEM.txt; no older run writes over a
              newer one's blob, and nothing into the folder of another file, such as that a rerun is of
    rows      move along the table of transitions; runs and attempts never go back; the copies in the index are those
              of the row; the intent of an open row is on the worklist
    tasks     are created for a claim that was stored; never for the current one while another of the file is alive
    staging   keeps the execution of a run that is neither published nor over
    frozen    holds each project under its own digest
    removal   no image, result or row goes for good but of a file of which that was announced, when its time has come;
              the row goes last
    budget    no run begins long after the month's budget was used up
"""

import hashlib
import json
from collections import defaultdict
from datetime import datetime, timedelta
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from batch_ops.containers.reruns import RERUN
from batch_ops.containers.results import PROBLEM, PROVENANCE, run_of
from batch_ops.domain import naming
from batch_ops.domain.batch_task import TaskState
from batch_ops.domain.blob import Blob
from batch_ops.domain.budget import Books, over_budget
from batch_ops.domain.file_index import BY_STATE, BY_TIME, keys_of
from batch_ops.domain.file_record import Entry, FileRecord, State
from batch_ops.domain.month_sums import month_of
from batch_ops.domain.transitions import ALLOWED
from batch_ops.domain.worklist import Intent
from batch_ops.runs.budget_gate import FRESH
from batch_ops.task.contract import MANIFEST_NAME
from batch_ops.task.parts import part_of
from tests.executions import LOG, md5
from tests.fakes.container import Stored

if TYPE_CHECKING:
    from tests.chaos.simulation import Simulation

_LONGEST_STALL = timedelta(minutes=11)
_PROMISED = {State.SUCCEEDED: PROVENANCE, State.REJECTED: PROBLEM, State.FAILED: PROBLEM}


class Judge:
    """`wrong`: every broken rule. `patience`: how soon after its last change a file must be done."""

    def __init__(self, world: "Simulation", patience: timedelta | None = None) -> None:
        self._world, self.patience = world, patience
        self.wrong: list[str] = []
        # What the provenance.json of each folder names, and the promises that each blob of results keeps.
        self._named: dict[str, dict[str, str]] = {}
        self._promised: dict[str, str] = {}
        self._rows: dict[str, FileRecord] = {}
        self._copies: dict[str, dict[str, FileRecord]] = defaultdict(dict)
        self._claimed: set[str] = set()
        self._late: set[str] = set()
        self._tasks: dict[str, set[str]] = defaultdict(set)
        self._intents: set[str] = set()
        self._changed: dict[str, datetime] = {}
        # Since when the budget of a month is used up.
        self._used_up: dict[tuple[str, str], datetime] = {}
        for container, watch in (
            ("results", self.result_written),
            ("staging", self.staging_written),
            ("frozen", self.frozen_written),
        ):
            world.blobs.containers[container].watch = watch
        world.ledger.table.watch = self.copy_written
        world.worklist.table.watch = self.mark_written

    def _complain(self, sentence: str) -> None:
        self.wrong.append(f"{self._world.cloud.now:%d %H:%M:%S}: {sentence}")

    # Results

    def result_written(self, name: str, before: Stored | None, after: Stored | None) -> None:
        """A blob of the results is there, is another one, or is gone."""
        if before and after and run_of(before.blob) > run_of(after.blob) and _owner(before.blob) == _owner(after.blob):
            self._complain(f"{name} of run {run_of(before.blob)} was overwritten by run {run_of(after.blob)}")
        folder, _, leaf = name.rpartition("/")
        if after and leaf != RERUN and not _is_of(after.blob, name):
            self._complain(f"{name} was written for another file")
        if leaf == PROVENANCE:
            self._provenance_written(folder, after)
        elif (digest := self._promised.get(name)) is not None and not _is_whole(after, digest):
            self._complain(f"{name} is not what the {PROVENANCE} beside it says any more")
        row = self._rows.get(folder)
        lacks_it = after is None or run_of(after.blob) != (row.run if row else 0)
        if row is not None and _PROMISED.get(row.state) == leaf and lacks_it and not self._is_due(row):
            self._complain(f"{row.name} is {row.state} (run {row.run}), but its {leaf} went away")

    def _provenance_written(self, folder: str, after: Stored | None) -> None:
        for name in self._named.pop(folder, ()):
            del self._promised[name]
        row = self._rows.get(folder)
        if after is None or (row is not None and row.run > run_of(after.blob)):
            # Blobs have no transactions: a run that is overtaken while it publishes may write this over what the
            # newer run has swept. It looks at the folder next, and takes it away again; the row tells meanwhile.
            return
        named = self._named[folder] = {f"{folder}/{leaf}": digest for leaf, digest in _digests(after.data).items()}
        self._promised |= named
        for name, digest in named.items():
            if not _is_whole(self._world.blobs.find("results", name), digest):
                self._complain(f"{PROVENANCE} names {name}, which is not there as it says")

    def staging_written(self, name: str, before: Stored | None, after: Stored | None) -> None:
        """A blob in staging is there, is another one, or is gone."""
        task, _, leaf = name.partition("/")
        if after is not None or not leaf.endswith(f"/{MANIFEST_NAME}"):
            return
        row = next((row for row in self._rows.values() if row.placement.task_id == task), None)
        if row is None or row.state.is_final:
            return
        published = self._world.blobs.find("results", naming.results_folder(row.name) + PROVENANCE)
        if published is None or run_of(published.blob) < row.run:
            self._complain(f"run {row.run} of {row.name} is {row.state}, but its execution was removed from staging")

    def frozen_written(self, name: str, before: Stored | None, after: Stored | None) -> None:
        """A frozen project is there, is another one, or is gone."""
        if after is None:
            self._complain(f"{name} was taken away from the frozen projects")
        elif not _is_pending(after) and not name.startswith(f"{hashlib.sha256(after.data).hexdigest()}."):
            self._complain(f"Frozen under another digest than its own: {name}")

    # Rows

    def row_written(self, entry: Entry) -> None:
        """A file's row was written, with the rest of its transaction."""
        row, before = entry.record, self._rows.get(entry.record.name)
        self._rows[row.name] = row
        if before is not None:
            same = before.run == row.run
            if (same and row.state not in ALLOWED[before.state]) or row.run < before.run:
                self._complain(f"{row.name} went from run {before.run} {before.state} to run {row.run} {row.state}")
            if same and row.placement.attempt < before.placement.attempt:
                self._complain(f"{row.name} went back from attempt {before.placement.attempt} of run {row.run}")
        if row.placement.task_id:
            self._claimed.add(row.placement.task_id)
        if row.parts is not None:
            self._claimed.update(row.parts.open_task_ids(row.placement.task_id))
        if not row.state.is_final and row.intent not in self._intents:
            self._complain(f"{row.name} is {row.state}, but the worklist lacks its intent {row.intent}")
        copies = self._copies.get(naming.file_hash(row.name), {})
        if entry.indexed and copies != dict.fromkeys(keys_of(row.name, entry.indexed), row):
            self._complain(f"{row.name} is {row.state}, but its copies in the index are {sorted(copies)}")
        if self._world.settings.budgets:
            self._look_at_budget(row, before)
        if row.state.is_final and (before is None or before.run != row.run or before.state is not row.state):
            self._ended(row)

    def _look_at_budget(self, row: FileRecord, before: FileRecord | None) -> None:
        """A process may have looked at the books a minute ago, and have stood still since."""
        settings, now = self._world.settings, self._world.cloud.now
        month, project = month_of(row.times.updated_at or now), naming.project_of(row.name)
        spent = Books(month, self._world.ledger.sums_of_month(month))
        if over_budget(project, spent, settings.budgets, settings.prices, now):
            self._used_up.setdefault((month, project), now)
        begins = before is None or before.run != row.run or before.state.is_waiting
        since = self._used_up.get((month, project))
        if row.state is State.SUBMITTING and begins and since is not None and now - since > FRESH + _LONGEST_STALL:
            self._complain(f"run {row.run} of {row.name} begins, although the month's budget is used up since {since}")

    def _ended(self, row: FileRecord) -> None:
        leaf = _PROMISED.get(row.state)
        if leaf is not None:
            found = self._world.blobs.find("results", naming.results_folder(row.name) + leaf)
            if found is None or run_of(found.blob) != row.run:
                self._complain(f"{row.name} is {row.state} (run {row.run}) before its {leaf} is there")
            elif leaf == PROBLEM and row.reason not in found.data.decode():
                self._complain(f"{row.name} is {row.state}, but its {leaf} does not say {row.reason!r}")
        if row.state is State.SUCCEEDED:
            self._world.look_at_results(row)
        took = self._world.cloud.now - self._changed.get(row.name, self._world.cloud.now)
        # Parts first, then the task that joins them.
        rounds = 1 if row.parts is None else 2
        if self.patience is not None and took > self.patience * rounds:
            self._complain(f"{row.name} is {row.state} after {took}, although nothing went wrong")

    def copy_written(self, key: str, before: Any, after: Any) -> None:
        """A row of the table of files is there, is another one, or is gone."""
        if not key.startswith((BY_TIME, BY_STATE)):
            return
        copies = self._copies[key.rpartition("!")[2]]
        if after is None:
            copies.pop(key, None)
        else:
            copies[key] = after.record

    def mark_written(self, key: str, before: Any, after: Any) -> None:
        """A row of the worklist is there, is another one, or is gone."""
        if isinstance(after, Intent):
            self._intents.add(after.nonce)
        elif isinstance(before, Intent):
            self._intents.discard(before.nonce)
            row = self._rows.get(before.name)
            if row is not None and row.intent == before.nonce and not row.state.is_final:
                self._complain(f"{row.name} is {row.state}, but its intent {before.nonce} was removed")

    # Removal

    def _is_due(self, row: FileRecord) -> bool:
        """Whether a file may be removed for good; the clocks of processes may differ."""
        at = row.times.purge_at
        return at is not None and at <= self._world.cloud.now + _LONGEST_STALL

    def image_deleted(self, blob: Blob) -> None:
        """The product deletes an image."""
        row = self._rows.get(blob.name)
        if row is None or not self._is_due(row) or row.purging != blob.etag:
            self._complain(f"the image {blob.name} was deleted, but nobody had announced that of this version")

    def row_removed(self, row: FileRecord) -> None:
        """A file's row is gone, with those of its runs and its copies."""
        before = self._rows.pop(row.name, row)
        if not self._is_due(before) or not before.state.is_final:
            self._complain(f"the row of {row.name} was removed, but it was {before.state}, or not announced")
        image = None if row.source else self._world.blobs.find("input", row.name)
        if image is not None and image.blob.etag == row.purging:
            self._complain(f"the row of {row.name} was removed before its image")
        for leaf in (PROVENANCE, PROBLEM):
            found = self._world.blobs.find("results", naming.results_folder(row.name) + leaf)
            if found is not None and _is_of(found.blob, found.blob.name):
                self._complain(f"the row of {row.name} was removed before its {leaf}")
        if copies := self._copies.get(naming.file_hash(row.name)):
            self._complain(f"{row.name} was removed, but its copies in the index are {sorted(copies)}")

    # Tasks

    def task_created(self, task_id: str) -> None:
        """Batch has a new task."""
        if task_id not in self._claimed:
            self._complain(f"the task {task_id} was created, but no row had claimed it")
        file = naming.file_of_task(task_id) or ""
        ours = self._tasks[file]
        ours.add(task_id)
        row = next((row for row in self._rows.values() if naming.file_hash(row.name) == file), None)
        current = {row.placement.task_id} if row is not None else set()
        if row is not None and row.parts is not None:
            current.update(row.parts.open_task_ids(row.placement.task_id))
            if task_id == row.placement.task_id and not row.parts.are_done:
                self._complain(f"{task_id} was created, which joins parts that are not done")
        if row is not None and task_id not in current and task_id in self._claimed:
            # Somebody who stood still creates it for a claim that was overtaken, and ends it with the next calls.
            self._late.add(task_id)
            return
        alive = [
            task
            for own in ours - self._late
            # Parts run side by side, each once, and the task that joins them when they are done.
            if _part(own) == _part(task_id) or not (_part(own) and _part(task_id))
            for task in self._world.batch.find_all(own)
            if task.state is not TaskState.COMPLETED
        ]
        if len(alive) > 1:
            self._complain(f"{task_id} was created, and now {len(alive)} tasks of its file are alive")

    # People

    def image_changed(self, name: str) -> None:
        """Somebody uploads or changes an image."""
        self._changed[name] = self._world.cloud.now


def _part(task_id: str) -> int:
    """Which part of its image a task computes; 0 for the task of all of it."""
    found = part_of(task_id)
    return found[0] if found else 0


def _owner(blob: Blob) -> str | None:
    return blob.meta("file")


def _is_of(blob: Blob, name: str) -> bool:
    """Whether a blob lies in the folder of the file whose result it is: a rerun writes into no other's."""
    folders = accumulate(name.split("/")[:-1], "{}/{}".format)
    return any(naming.file_hash(folder) == _owner(blob) for folder in folders)


def _is_pending(stored: Stored) -> bool:
    return stored.blob.copy_status not in {None, "success"}


def _is_whole(stored: Stored | None, digest: str) -> bool:
    return stored is not None and not _is_pending(stored) and md5(stored.data) == digest


def _digests(document: bytes) -> dict[str, str]:
    """What a provenance.json names, by its path, with its MD5 in hex."""
    told = json.loads(document)
    named = {file["name"]: file["md5"] for file in told["files"]}
    named |= {output["path"]: output["md5"] for output in told.get("outputs", ())}
    return named | ({told["log"]: md5(LOG)} if told["log"] else {})
