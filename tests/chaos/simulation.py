"""One cloud in virtual time: people, the function host with its processes, and nodes, over the shared fakes."""

import json
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from itertools import count
from random import Random

from batch_ops.containers.reruns import RERUN
from batch_ops.domain import naming
from batch_ops.domain.blob import Blob
from batch_ops.domain.file_record import FileRecord
from batch_ops.domain.worklist import SweepMark
from tests import fakes
from tests.chaos.climate import Climate
from tests.chaos.host import ChaosOutbox, Host
from tests.chaos.judge import Judge
from tests.chaos.nodes import WARNING, Nodes, outputs
from tests.chaos.operators import Operators
from tests.chaos.process import Queue
from tests.chaos.services import ChaosBatch, ChaosBlobs, ChaosCheck, ChaosLedger, ChaosWorklist
from tests.chaos.timeline import Timeline
from tests.events import blob_created, undelivered
from tests.fakes.container import Stored
from tests.world import Services

# Half an hour before a month's end.
START = datetime(2026, 2, 28, 23, 30, tzinfo=UTC)
PROJECT_NAME, OTHER_PROJECT = "fly", "worm"
_LONGEST_SETTLING = 300


class Unsettled(AssertionError):
    """The system never came to rest."""


class Simulation(Services):
    """`rng` None: everything happens in the order of asking, and nodes take no time to speak of."""

    ledger: ChaosLedger
    worklist: ChaosWorklist
    blobs: ChaosBlobs
    batch: ChaosBatch

    def __init__(
        self,
        rng: Random | None = None,
        *,
        processes: int = 1,
        climate: Climate = Climate(),  # noqa: B008
    ) -> None:
        self.climate, self.settings = climate, climate.settings
        self.rng = rng or Random(0)
        self.cloud = fakes.Cloud(START)
        self.timeline = Timeline(self.cloud, rng)  # type: ignore[abstract]  # the rest of a loop is about sockets
        self.down: set[str] = set()
        # What really came to pass, and how often; a census counts it.
        self.happened: Counter[str] = Counter()
        self.deleted: dict[str, Stored] = {}
        self.configured = 0
        self.ledger = ChaosLedger(self.cloud)
        self.index = fakes.FakeFileIndex(self.ledger)
        self.worklist = ChaosWorklist(self.cloud)
        self.notes = fakes.FakeProjectNotes(self.cloud)
        self.blobs = ChaosBlobs(self.cloud)
        self.blobs.slow_copies = climate.slow_copies
        self.batch = ChaosBatch(self.cloud)
        if climate.page_size is not None:
            for paged in (self.blobs, self.batch, self.ledger.table, self.worklist.table):
                paged.page_size = climate.page_size
        self.ledger.world = self.worklist.world = self.blobs.world = self.batch.world = self
        self.judge = Judge(self, climate.patience)
        self.check = ChaosCheck(self.cloud)
        self.host = Host(self, self.rng, processes)
        self.outbox = ChaosOutbox(self.cloud, self.host)
        self.poison = fakes.FakePoisonQueues(self.cloud, self.outbox)
        self.nodes = Nodes(self, self.rng)
        self.operators = Operators(self)
        self._ids, self._sequencers = count(1), count(1)
        self._nodes_wake = False
        self.classifiers: list[bytes] = []
        self.versions: dict[tuple[str, str], bytes] = {}
        self.cancelled: set[str] = set()
        self.retried: Counter[str] = Counter()
        self.host.open()
        self.go_live()

    def new_id(self) -> str:
        """An id that no other invocation has."""
        return f"id{next(self._ids)}"

    def go_live(self) -> None:
        """The sweep has seen the containers once, an hour ago."""
        then = self.cloud.now - timedelta(hours=1)
        for container in ("input", "projects"):
            self.worklist.swept(SweepMark(container, then, then + self.settings.sweep_every))

    # What people do

    def drop(self, name: str, content: bytes, *delays: float) -> None:
        """Somebody uploads an image; its event comes once for each delay (seconds)."""
        blob = self.blobs.upload("input", name, content)
        self.judge.image_changed(name)
        self.versions[name, blob.etag] = content
        self.tell("input", blob, *delays)

    def delete(self, name: str) -> None:
        """Somebody deletes an image; it can be taken back."""
        stored = self.blobs.find("input", name)
        assert stored is not None
        self.deleted[name] = stored
        self.blobs.remove("input", name)

    def undelete(self, name: str, *delays: float) -> None:
        """Somebody takes back what was deleted: accounts that keep versions copy it, others say nothing about it."""
        stored = self.deleted.pop(name)
        if delays:
            self.drop(name, stored.data, *delays)
        else:
            self.blobs.containers["input"].put(stored)

    def edit(self, name: str, values: Mapping[str, str], *delays: float) -> None:
        """Somebody changes an image's metadata."""
        blob = self.blobs.edit("input", name, values)
        self.judge.image_changed(name)
        self.versions[name, blob.etag] = self.blobs.content("input", name)
        self.tell("input", blob, *delays)

    def project(self, content: bytes, *delays: float, name: str = PROJECT_NAME, suffix: str = ".ilp") -> None:
        """An operator puts a classifier, or the project of another tool."""
        blob = self.blobs.upload("projects", f"{name}{suffix}", content)
        self.classifiers.append(content)
        self.tell("projects", blob, *delays)

    def configure(self, content: bytes, *delays: float, name: str = PROJECT_NAME) -> None:
        """An operator puts a configuration beside a classifier."""
        self.configured += 1
        self.tell("projects", self.blobs.upload("projects", f"{name}.json", content), *delays)

    def tell(self, container: str, blob: Blob, *delays: float) -> None:
        """Event Grid delivers a BlobCreated event of this version, so often and so late (seconds)."""
        number = next(self._sequencers)
        event = blob_created(
            *(blob.name, blob.etag, number),
            container=container,
            length=blob.length,
            time=self.cloud.now.isoformat(),
        )
        body = json.dumps(event).encode()
        for delay in delays:
            self.host.enqueue(Queue.BLOB_CREATED, body, self.cloud.now + timedelta(seconds=delay))
        if not delays and number % 2:
            # Lost for good every other time; else Event Grid sends the event in the end.
            self.later(
                timedelta(hours=24 * self.rng.random()),
                lambda: self.blobs.upload("dead-letter", f"{number}.json", undelivered(event)),
            )
        self.happened["events that come " + ("never", "once", "several times")[min(len(delays), 2)]] += 1

    def has(self, container: str, name: str) -> bool:
        """Whether there is such a blob."""
        return self.blobs.find(container, name) is not None

    # Time

    def later(self, span: timedelta, action: Callable[[], object]) -> None:
        """Have something done when this time has passed."""
        self.timeline.at(self.cloud.now + span, action)

    def wake_nodes(self) -> None:
        """Nodes look for work in a moment."""
        if not self._nodes_wake:
            self._nodes_wake = True
            self.later(timedelta(seconds=1), self._look_for_work)

    def _look_for_work(self) -> None:
        self._nodes_wake = False
        self.nodes.begin_waiting_tasks()

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
        times = [intent.due for intent in self.worklist.intents() if not intent.cleaning]
        timer = self.timeline.next_timer()
        if timer is not None:
            times.append(timer + timedelta(seconds=3))
        if self.climate.page_size and self.worklist.is_sweeping():
            times.append(self.cloud.now + timedelta(seconds=30))
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
        self.host.is_down = False
        self.cloud.heal()
        for process in self.host.processes:
            process.cloud.script.clear()
        self.settle()
        # The sweep may need two days to find the last classifier: what runs again for it closes its job a day later.
        self.idle(5 if self.settings.rerun_finished else 3)

    # What is there

    def look_at_results(self, record: FileRecord) -> None:
        """At the moment of success the results are those of the very version that the row names, newest or not."""
        folder = naming.results_folder(record.name)
        image = self.versions[record.image_blob, record.image.etag]
        document = self.provenance(record.name)
        schema, execution = document["schema"], document["run"]["execution"]
        if (WARNING in record.plan.warnings) != (schema > 1):
            self.judge.wrong.append(f"Run {record.run} of {record.name} does not tell what its node warned of")
        digest = record.plan.tool.project_digest
        for leaf, data in outputs(naming.nickname(record.name), image, digest, execution, schema).items():
            name = folder + leaf
            if not self.has("results", name) or self.blobs.content("results", name) != data:
                self.judge.wrong.append(f"Run {record.run} of {record.name} succeeded, but {leaf} is not of {image!r}")

    def name_of(self, task_id: str) -> str:
        """The name of the results of a task, which a rerun has other than its image."""
        file = naming.file_of_task(task_id)
        return next(name for name in (*self.ledger.trail, *self.ledger.removed) if naming.file_hash(name) == file)

    def is_rerun(self, folder: str) -> bool:
        """Whether a folder holds what is segmented of another one's images."""
        return self.has("results", f"{folder}/{RERUN}")

    def open(self) -> list[str]:
        """The names of what is open."""
        return sorted(intent.name for intent in self.worklist.intents() if not intent.cleaning)

    def _wait_reasons(self) -> Counter[str]:
        return Counter(f"{row.state}: {row.reason}" for name in self.open() if (row := self.known(name)))
