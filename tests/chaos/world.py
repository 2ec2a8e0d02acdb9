"""One cloud in virtual time: people, the function host with its processes, and nodes, over the shared fakes."""

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from random import Random
from typing import Any

from batch_ops.domain import naming
from batch_ops.domain.blob import Blob
from batch_ops.domain.checks import Accepted, CheckLimits, ImageOptions, ProjectFacts, Refused, Verdict
from batch_ops.domain.errors import ServiceFault
from batch_ops.domain.file_record import Entry, FileRecord, State
from batch_ops.domain.ledger_writes import Write
from batch_ops.domain.selection import Selection
from batch_ops.domain.settings import Settings
from batch_ops.domain.task_spec import TaskSpec
from batch_ops.domain.worklist import Board, Intent, JobMark, SweepMark
from batch_ops.ports.services import Fence, RangeReader
from tests import fakes
from tests.chaos.host import ChaosOutbox, Host
from tests.chaos.nodes import Nodes, tiffs
from tests.chaos.process import Process, Queue
from tests.chaos.timeline import Timeline
from tests.fakes.check import PROJECT
from tests.fakes.cloud import call

# Half an hour before a month's end.
START = datetime(2026, 2, 28, 23, 30, tzinfo=UTC)
SETTINGS = Settings(
    batch_endpoint="https://batch", pool_id="pool", pool_identity="/identity", staging_kept=timedelta(days=1)
)
PROJECT_NAME = "fly"
# An image that begins so is only taken by a classifier with the same word.
NEEDS = b"NEEDS "
_LONGEST_SETTLING = 300


class Unsettled(AssertionError):
    """The system never came to rest."""


class ChaosLedger(fakes.FakeLedger):
    """Remembers every version of every row."""

    def __init__(self, cloud: fakes.Cloud) -> None:
        super().__init__(cloud, strict=False)
        self.trail: dict[str, list[FileRecord]] = {}
        self.succeeded: Callable[[FileRecord], None] = lambda record: None

    def _write(self, writes: tuple[Write, ...]) -> Entry:
        entry = super()._write(writes)
        record, trail = entry.record, self.trail.setdefault(entry.record.name, [])
        if record.state is State.SUCCEEDED and (not trail or trail[-1].state is not State.SUCCEEDED):
            self.succeeded(record)
        trail.append(record)
        return entry


class ChaosWorklist(fakes.FakeWorklist):
    """Makes what a board shows of a row once for each version of the row; notes what has to be put back on it.

    The sweep mends it when an open file fell out of sight; that it ever has to is a fault all the same.
    """

    world: "World"

    def __init__(self, cloud: fakes.Cloud) -> None:
        super().__init__(cloud)
        self.table._strict = False
        self._shown: dict[str, Intent | JobMark | SweepMark] = {}
        self.put_back: list[str] = []

    async def add(self, intent: Intent) -> Intent:
        """Insert an intent."""
        added = await super().add(intent)
        # An intent comes before the claim that names it. A sweep that stood still may put back what is over: no harm.
        row = self.world.known(intent.name)
        if row is not None and row.intent == intent.nonce and not row.state.is_final:
            self.put_back.append(intent.name)
        return added

    async def board(self) -> Board:
        """Everything open, by one query."""
        shown = self._shown
        kinds: dict[type, list[Any]] = {Intent: [], JobMark: [], SweepMark: []}
        after: str | None = ""
        while after is not None:
            rows, after = await self._board(after)
            for row in rows:
                if (value := shown.get(row.version)) is None:
                    value = shown[row.version] = replace(row.value, version=row.version)
                kinds[type(value)].append(value)
        return Board(tuple(kinds[Intent]), tuple(kinds[JobMark]), tuple(kinds[SweepMark]))


class ChaosBatch(fakes.FakeBatch):
    """Wakes the nodes when there is work."""

    world: "World"

    async def create_task(self, job_id: str, spec: TaskSpec) -> bool:
        """True if the task is new."""
        try:
            return await super().create_task(job_id, spec)
        finally:
            self.world.wake_nodes()


class ChaosBlobs(fakes.FakeBlobs):
    """Slow copies end after a while, one in twenty badly."""

    world: "World"

    async def copy(
        self, source: tuple[str, str], target: tuple[str, str], *, fence: Fence, metadata: Mapping[str, str], **how: Any
    ) -> Blob:
        """Start a server-side copy."""
        try:
            return await super().copy(source, target, fence=fence, metadata=metadata, **how)
        finally:
            # Also when the asking process crashed: the service goes on.
            if target in self._pending:
                due = self.world.cloud.now + timedelta(seconds=40 * self.world.rng.random())
                self.world.timeline.at(due, self._end_copies)

    def _end_copies(self) -> None:
        if self.world.rng.random() < 0.05:
            self.abort_copies("failed")
        self.finish_copies()


class ChaosCheck(fakes.FakeCheck):
    """Content that starts with `NEEDS <word>` is refused by classifiers whose content lacks the word."""

    async def check_image(
        self,
        name: str,
        reader: RangeReader,
        project: ProjectFacts,
        options: ImageOptions,
        limits: CheckLimits,
        *,
        head: bytes = b"",
    ) -> Verdict:
        """Whether the project can segment this image."""
        verdict = await super().check_image(name, reader, project, options, limits, head=head)
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


class World:
    """`rng` None: everything happens in the order of asking, and nodes take no time to speak of."""

    def __init__(
        self,
        rng: Random | None = None,
        *,
        processes: int = 1,
        slow_copies: bool = False,
        settings: Settings = SETTINGS,
    ) -> None:
        self.settings = settings
        self.rng = rng or Random(0)
        self.cloud = fakes.Cloud(START)
        self.timeline = Timeline(self.cloud, rng)  # type: ignore[abstract]  # the rest of a loop is about sockets
        self.down: set[str] = set()
        self.ledger = ChaosLedger(self.cloud)
        self.worklist = ChaosWorklist(self.cloud)
        self.worklist.world = self
        self.blobs = ChaosBlobs(self.cloud)
        self.blobs.world = self
        self.blobs.slow_copies = slow_copies
        self.batch = ChaosBatch(self.cloud)
        self.batch.world = self
        self.check = ChaosCheck(self.cloud)
        self.host = Host(self, self.rng, processes)
        self.outbox = ChaosOutbox(self.cloud, self.host)
        self.nodes = Nodes(self, self.rng)
        self._ids, self._sequencers = count(1), count(1)
        self._nodes_wake = False
        self.classifiers: list[bytes] = []
        self.versions: dict[tuple[str, str], bytes] = {}
        self.wrong: list[str] = []
        self.cancelled: set[str] = set()
        self.retried: Counter[str] = Counter()
        self.ledger.succeeded = self._look_at_results
        self.host.open()
        self.go_live()

    def new_id(self) -> str:
        """An id that no other invocation has."""
        return f"id{next(self._ids)}"

    def go_live(self) -> None:
        """The sweep has seen the containers once, an hour ago."""
        then = self.cloud.now - timedelta(hours=1)
        for container in ("input", "projects"):
            mark = SweepMark(container, then, then + self.settings.sweep_every)
            self.worklist._put(f"s!{container}", mark, new=True)

    # What people do

    def drop(self, name: str, content: bytes, *delays: float) -> None:
        """Somebody uploads an image; its event comes once for each delay (seconds)."""
        blob = self.blobs.upload("input", name, content)
        self.versions[name, blob.etag] = content
        self.tell("input", blob, *delays)

    def edit(self, name: str, values: Mapping[str, str], *delays: float) -> None:
        """Somebody changes an image's metadata."""
        blob = self.blobs.edit("input", name, values)
        self.versions[name, blob.etag] = self.blobs.content("input", name)
        self.tell("input", blob, *delays)

    def project(self, content: bytes, *delays: float, name: str = PROJECT_NAME) -> None:
        """An operator puts a classifier."""
        blob = self.blobs.upload("projects", f"{name}.ilp", content)
        self.classifiers.append(content)
        self.tell("projects", blob, *delays)

    def cancel(self, name: str) -> None:
        """An operator cancels a file."""

        async def command(process: Process) -> None:
            plan = await process.steering.plan_cancel(Selection(names=(name,)))
            await process.steering.cancel(plan.chosen)

        self.cancelled.add(name)
        self.host.operate(command)

    def retry(self, name: str) -> None:
        """An operator asks for another run of a file that failed or was cancelled."""

        async def command(process: Process) -> None:
            plan = await process.steering.plan_retry(Selection(names=(name,)))
            self.retried[name] += len(plan.chosen)
            await process.steering.retry(plan.chosen)

        self.host.operate(command)

    def pause(self, span: timedelta) -> None:
        """An operator lets nothing new begin for a while."""
        self.host.operate(lambda process: process.steering.pause())

        async def resume(process: Process) -> None:
            await process.steering.resume()

        def go_on() -> None:
            self.host.operate(resume)

        self.timeline.at(self.cloud.now + span, go_on)

    def pause_jobs(self, span: timedelta) -> None:
        """An operator disables every job for a while."""
        paused = [job for job, state in self.batch.jobs().items() if state == "active"]
        for job in paused:
            self.batch.disable_job(job)

        def go_on() -> None:
            for job in paused:
                if self.batch.jobs().get(job) == "disabled":
                    self.batch.enable_job(job)
            self.wake_nodes()

        self.timeline.at(self.cloud.now + span, go_on)

    def delete_jobs(self) -> None:
        """An operator deletes every job with its tasks."""
        for task, spec in self.batch.tasks():
            self.nodes.lose(task, spec)
        for job in self.batch.jobs():
            self.batch.delete_job(job)

    def tell(self, container: str, blob: Blob, *delays: float) -> None:
        """Event Grid delivers a BlobCreated event of this version, so often and so late (seconds)."""
        number = next(self._sequencers)
        event = {
            "eventType": "Microsoft.Storage.BlobCreated",
            "id": f"event-{number}",
            "eventTime": self.cloud.now.isoformat(),
            "subject": f"/blobServices/default/containers/{container}/blobs/{blob.name}",
            "data": {
                "url": f"https://data.blob.example/{container}/{blob.name}",
                "api": "PutBlob",
                "eTag": blob.etag,
                "contentLength": blob.length,
                "sequencer": f"{number:020x}",
            },
        }
        body = json.dumps(event).encode()
        for delay in delays:
            self.host.enqueue(Queue.BLOB_CREATED, body, self.cloud.now + timedelta(seconds=delay))
        if not delays and number % 2:
            # Lost for good every other time; else Event Grid tells of it in the end.
            letter = json.dumps([event | {"deadLetterReason": "TimeToLiveExceeded"}]).encode()

            def give_up() -> None:
                self.blobs.upload("dead-letter", f"{number}.json", letter)

            self.timeline.at(self.cloud.now + timedelta(hours=24 * self.rng.random()), give_up)

    def has(self, container: str, name: str) -> bool:
        """Whether there is such a blob."""
        return name in self.blobs._container(container).blobs

    # Time

    def wake_nodes(self) -> None:
        """Nodes look for work in a moment."""
        if not self._nodes_wake:
            self._nodes_wake = True
            self.timeline.at(self.cloud.now + timedelta(seconds=1), self._look_for_work)

    def _look_for_work(self) -> None:
        self._nodes_wake = False
        self.nodes.take_up()

    def pass_time(self, span: timedelta) -> None:
        """Let everything happen that happens by itself, without a tick."""
        self.timeline.run_until(self.cloud.now + span)

    def tick(self, after: timedelta = timedelta(seconds=30)) -> None:
        """Time passes, the timer fires, and everything that follows at once happens."""
        self.pass_time(after)
        self.host.tick()
        self.pass_time(timedelta(seconds=1))

    def settle(self) -> None:
        """Time moves on until nothing is open and nothing is on its way."""
        for _ in range(_LONGEST_SETTLING):
            wake = self._next_due()
            if wake is None:
                return
            self.tick(max(wake - self.cloud.now, timedelta(seconds=5)))
        raise Unsettled(f"Still open after {_LONGEST_SETTLING} ticks: {self.open()}; {self._wait_reasons()}")

    def _next_due(self) -> datetime | None:
        """When there is something for a tick to do; None if everything is over."""
        times = [intent.due for intent in self.intents() if not intent.cleaning]
        timer = self.timeline.next_timer()
        if timer is not None:
            times.append(timer + timedelta(seconds=3))
        return min(times, default=None)

    def idle(self, days: int = 3) -> None:
        """Days on which nobody does anything but the timer."""
        for _ in range(days):
            self.tick(timedelta(hours=23, minutes=58))
            self.settle()
            self.tick(timedelta(minutes=1))
            self.settle()

    def come_to_rest(self) -> None:
        """The faults are over; days pass."""
        self.down.clear()
        self.cloud.heal()
        for process in self.host.processes:
            process.cloud.script.clear()
        self.settle()
        # The sweep may need two days to find the last classifier: what runs again for it closes its job a day later.
        self.idle(5 if self.settings.rerun_finished else 3)

    # What is there

    def _look_at_results(self, record: FileRecord) -> None:
        """At the moment of success the results are those of the very version that the row names, newest or not."""
        folder = naming.results_folder(record.name)
        image = self.versions[record.name, record.image.etag]
        for leaf, data in tiffs(naming.nickname(record.name), image, record.plan.project_digest).items():
            name = folder + leaf
            if not self.has("results", name) or self.blobs.content("results", name) != data:
                self.wrong.append(f"Run {record.run} of {record.name} succeeded, but {leaf} is not of {image!r}")

    def intents(self) -> Sequence[Intent]:
        """The worklist."""
        partition: Any = self.worklist.table._partitions.get("open")
        return [row.value for row in partition.rows.values() if isinstance(row.value, Intent)] if partition else []

    def open(self) -> list[str]:
        """The names of what is open."""
        return sorted(intent.name for intent in self.intents() if not intent.cleaning)

    def row(self, name: str) -> FileRecord:
        """The file's row."""
        found = self.known(name)
        assert found is not None, f"{name} has no row."
        return found

    def known(self, name: str) -> FileRecord | None:
        """The file's row, if it has one."""
        entry = self.ledger._entry(name)
        return entry.record if entry else None

    def _wait_reasons(self) -> Counter[str]:
        return Counter(f"{row.state}: {row.reason}" for name in self.open() if (row := self.known(name)))

    def fault(self, sentence: str = "The service is busy.") -> ServiceFault:
        """A fault to be injected."""
        return ServiceFault(sentence)
