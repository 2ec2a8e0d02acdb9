"""The shared fakes, as a simulation needs them: they remember, take time, and wake whoever waits for them."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from zlib import crc32

from batch_ops.domain.batch_task import Task
from batch_ops.domain.file_record import Entry, FileRecord
from batch_ops.domain.ledger_writes import Writes, partition_of, with_current
from batch_ops.domain.task_spec import TaskSpec
from batch_ops.domain.worklist import Board, Intent, JobMark, SweepMark
from batch_ops.image.facts import Accepted, ImageOptions, ProjectFacts, Refused, Verdict
from batch_ops.task.run_plan import ImageDescription
from tests import fakes
from tests.fakes.check import IMAGE, PROJECT
from tests.fakes.cloud import call
from tests.fakes.container import Stored
from tests.fakes.table import Row

if TYPE_CHECKING:
    from tests.chaos.simulation import Simulation

# An image that begins so is only taken by a classifier with the same word.
NEEDS = b"NEEDS "
# Seconds that a copy may be stuck.
_STUCK = 1500


class ChaosLedger(fakes.FakeLedger):
    """Remembers every version of every row. `is_older`: for a version that knows neither index nor sums."""

    is_older = False
    world: "Simulation"

    def __init__(self, cloud: fakes.Cloud) -> None:
        super().__init__(cloud, strict=False)
        self.trail: dict[str, list[FileRecord]] = {}
        # Of files that operators have removed: every version of their rows, and the last of each run.
        self.removed: dict[str, list[list[FileRecord]]] = {}
        self.removed_runs: list[FileRecord] = []

    def _write(self, writes: Writes) -> Entry:
        if self.is_older:
            self.world.happened["rows that an older version writes"] += 1
            writes = replace(writes.without_index(), ended=())
        entry = super()._write(writes)
        self.trail.setdefault(entry.record.name, []).append(entry.record)
        self.world.judge.row_written(entry)
        return entry

    def _drop(self, entry: Entry, runs: Sequence[str]) -> None:
        name = entry.record.name
        rows = self.table.by_key()[partition_of(name)]
        ended = [rows[key].record for key in runs if key in rows]
        super()._drop(entry, runs)
        if name in self.trail:
            self.removed.setdefault(name, []).append(self.trail.pop(name))
            self.removed_runs += with_current(ended, entry)
            self.world.judge.row_removed(entry.record)
            self.world.happened["files that operators remove for good"] += 1

    def lives(self, name: str) -> list[list[FileRecord]]:
        """Every version of the rows that a name had, apart where it was removed in between."""
        return [*self.removed.get(name, ()), *([self.trail[name]] if name in self.trail else ())]


class ChaosWorklist(fakes.FakeWorklist):
    """Makes a board once for each version of its rows; notes what has to be put back on it.

    The sweep mends it when an open file fell out of sight; that it ever has to is a fault all the same.
    """

    world: "Simulation"

    def __init__(self, cloud: fakes.Cloud) -> None:
        super().__init__(cloud, strict=False)
        self._seen: dict[str, Intent | JobMark | SweepMark] = {}
        self._boards: dict[tuple[str, ...], Board] = {}
        self.put_back: list[str] = []

    async def add(self, intent: Intent) -> Intent:
        added = await super().add(intent)
        # An intent comes before the claim that names it. A sweep that stood still may put back what is over: no harm.
        row = self.world.known(intent.name)
        if row is not None and row.intent == intent.nonce and not row.state.is_final:
            self.put_back.append(intent.name)
        return added

    def _shown(self, row: Row[Any]) -> Any:
        if (value := self._seen.get(row.version)) is None:
            value = self._seen[row.version] = super()._shown(row)
        return value

    def _board_of(self, rows: Sequence[Row[Any]]) -> Board:
        key = tuple([row.version for row in rows])
        if (board := self._boards.get(key)) is None:
            board = self._boards[key] = super()._board_of(rows)
        return board


class ChaosBatch(fakes.FakeBatch):
    """Wakes the nodes when there is work."""

    world: "Simulation"

    def _is_listed(self, task: Task) -> bool:
        lag = self.world.climate.list_lag
        if not lag or task.changed + lag * (crc32(f"{task.task_id} {task.state}".encode()) % 8 / 7) <= self.cloud.now:
            return True
        self.world.happened["tasks that a list does not show yet"] += 1
        return False

    def _add_task(self, job_id: str, spec: TaskSpec) -> bool:
        is_new = super()._add_task(job_id, spec)
        if is_new:
            self.world.judge.task_created(spec.id)
        self.world.wake_nodes()
        return is_new

    def _delete(self, task: Task) -> None:
        super()._delete(task)
        self.world.nodes.forget(task)


class ChaosBlobs(fakes.FakeBlobs):
    """Slow copies end after a while, each by itself: one in twenty badly, one in fifty is stuck for long."""

    world: "Simulation"

    def _delete(self, container: str, found: Stored) -> None:
        if container == "input":
            self.world.judge.image_deleted(found.blob)
        super()._delete(container, found)

    def _begin_copy(self, target: tuple[str, str], origin: Stored) -> None:
        super()._begin_copy(target, origin)
        is_stuck = self.world.rng.random() < 0.02 and self.world.climate.patience is None
        self.world.happened["copies that are " + ("stuck for long" if is_stuck else "slow")] += 1
        longest = _STUCK if is_stuck else 40
        self.world.later(timedelta(seconds=longest * self.world.rng.random()), lambda: self._end_copy(target, origin))

    def _end_copy(self, target: tuple[str, str], origin: Stored) -> None:
        if self._pending.get(target) is not origin:
            return
        if self.world.rng.random() < 0.05 and self.world.climate.patience is None:
            self.world.happened["copies that fail"] += 1
            self.abort_copies(target, status="failed")
        else:
            self.finish_copies(target)


class ChaosCheck(fakes.FakeCheck):
    """Content that starts with `NEEDS <word>` is refused by classifiers whose content lacks the word."""

    def describe(self, content: bytes) -> ImageDescription:
        """A file of one to three time points, by its last byte: so many TIFFs come of it (see `nodes.outputs`)."""
        return replace(IMAGE, shape=(1 + content[-1] % 3, *IMAGE.shape[1:]))

    async def _check_image(self, name: str, head: bytes, project: ProjectFacts, options: ImageOptions) -> Verdict:
        verdict = await super()._check_image(name, head, project, options)
        if isinstance(verdict, Accepted) and head.startswith(NEEDS):
            word = head.split()[1].decode()
            if word not in project.classes:
                return Refused(f"The classifier has no class {word}.")
        return verdict

    @call(cost=0)
    def _inspect_project(self, name: str, head: bytes) -> ProjectFacts | Refused:
        if head.startswith(b"REFUSE"):
            return Refused("The classifier was never trained.")
        return replace(PROJECT, classes=tuple(head.decode().split()))
