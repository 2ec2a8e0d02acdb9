"""The product's use cases over the fakes, with people who drop files and nodes that work."""

import asyncio
import json
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from itertools import count
from types import MappingProxyType
from typing import Any

import pytest

from batch_ops.domain import naming
from batch_ops.domain.batch_task import Task, TaskFailure, TaskState
from batch_ops.domain.file_record import FileRecord
from batch_ops.domain.messages import collect_message, look_again_message
from batch_ops.domain.orders import CollectOrder, LookOrder
from batch_ops.domain.settings import Settings
from batch_ops.domain.task_spec import TaskSpec
from batch_ops.ports.ports import Ports
from batch_ops.system import assemble
from batch_ops.task import contract
from batch_ops.task.manifest import SCHEMA
from batch_ops.task.run_plan import RunWarning
from tests import fakes
from tests.executions import Staged, promised

SETTINGS = Settings(batch_endpoint="https://batch", pool_id="pool", pool_identity="/identity")
EXECUTION = "20260301T120000Z-"
NAME = "fly/a.h5"
MINUTE = timedelta(minutes=1)


class Crash(BaseException):
    """The process ends here."""


class Services:
    """The services of one cloud, and what is there."""

    cloud: fakes.Cloud
    ledger: fakes.FakeLedger
    worklist: fakes.FakeWorklist
    notes: fakes.FakeProjectNotes
    blobs: fakes.FakeBlobs
    batch: fakes.FakeBatch

    def row(self, name: str) -> FileRecord:
        """The file's row."""
        found = self.known(name)
        assert found is not None, f"{name} has no row."
        return found

    def known(self, name: str) -> FileRecord | None:
        """The file's row, if it has one."""
        entry = self.ledger.entry(name)
        return entry.record if entry else None

    def results(self, name: str) -> dict[str, bytes]:
        """What lies in the file's folder; another file's may lie in it."""
        folder = naming.results_folder(name)
        leaves = [found.removeprefix(folder) for found in self.blobs.names("results", folder)]
        own = [leaf for leaf in leaves if "." not in leaf.rpartition("/")[0]]
        return {leaf: self.blobs.content("results", folder + leaf) for leaf in own}

    def provenance(self, name: str) -> Any:
        """What is a result, and where it came from."""
        return json.loads(self.results(name)["provenance.json"])


async def dying(work: Coroutine[Any, Any, object]) -> None:
    """Do the work of a process that dies in it."""
    with pytest.raises(Crash):
        await work


class World(Services):
    """One cloud with the classifiers of two projects, `fly` and `worm`, and one function app."""

    def __init__(self, **settings: Any) -> None:
        self.settings = SETTINGS
        self.cloud = fakes.Cloud()
        self.ledger = fakes.FakeLedger(self.cloud)
        self.index = fakes.FakeFileIndex(self.ledger)
        self.worklist = fakes.FakeWorklist(self.cloud)
        self.notes = fakes.FakeProjectNotes(self.cloud)
        self.blobs = fakes.FakeBlobs(self.cloud)
        self.uploads = fakes.FakeBlockUploads(self.blobs)
        self.batch = fakes.FakeBatch(self.cloud)
        self.outbox = fakes.FakeOutbox(self.cloud)
        self.check = fakes.FakeCheck(self.cloud)
        self.pixels = fakes.FakePixels()
        self.poison = fakes.FakePoisonQueues(self.cloud, self.outbox)
        self._ids = count(1)
        self._executions = count(1)
        self.new_process(**settings)
        for name in ("fly", "worm"):
            self.project(name)

    def new_process(self, **settings: Any) -> None:
        """The function app starts anew, with these settings changed: it remembers nothing."""
        self.settings = replace(self.settings, **settings)
        self.ports = Ports(
            ledger=self.ledger,
            index=self.index,
            worklist=self.worklist,
            notes=self.notes,
            blobs=self.blobs,
            uploads=self.uploads,
            batch=self.batch,
            outbox=self.outbox,
            check=self.check,
            pixels=self.pixels,
            poison=self.poison,
        )
        self.system = system = assemble(self.ports, self.settings, self.cloud.clock, lambda: f"id{next(self._ids)}")
        self.inbox, self.reconcile, self.steering = system.inbox, system.reconcile, system.steering
        self.confirming, self.contrasts = system.confirming, system.contrasts
        self.backfiller, self.poison_care = system.backfiller, system.poison

    # What people do

    def project(self, name: str = "default", content: bytes = b"classifier") -> None:
        """An operator puts a classifier."""
        self.blobs.upload("projects", f"{name}.ilp", content)

    def drop(self, name: str, content: bytes = b"image") -> str:
        """Somebody uploads an image; its ETag."""
        return self.blobs.upload("input", name, content).etag

    async def start(self, name: str, **how: Any) -> FileRecord:
        """An event comes; the row afterwards."""
        await self.look(LookOrder(name, f"event-{name}", **how))
        return self.row(name)

    async def look(self, order: LookOrder) -> None:
        """The message of this order comes."""
        await self.inbox.blob_created(look_again_message(order).encode(), 1)

    async def collect(self, order: CollectOrder) -> None:
        """The message of this order comes."""
        await self.inbox.collect(collect_message(order).encode(), 1)

    async def project_changed(self, name: str) -> None:
        """The event of a classifier or its configuration comes."""
        await self.look(LookOrder(f"{name}.ilp", f"event-{name}", "projects"))

    async def begin(self, *names: str) -> FileRecord:
        """These images are dropped and their events come; the last one's row."""
        for name in names:
            self.drop(name)
            row = await self.start(name)
        return row

    @asynccontextmanager
    async def meanwhile(self, call: str, work: Coroutine[Any, Any, object]) -> AsyncIterator[None]:
        """`work` stands still before it makes this call for the first time, until the end of the block."""
        held, go_on = asyncio.Event(), asyncio.Event()

        async def hold(made: str, when: fakes.When) -> None:
            if made == call and when is fakes.When.BEFORE and not held.is_set():
                held.set()
                await go_on.wait()

        self.cloud.hook = hold
        task = asyncio.create_task(work)
        await held.wait()
        yield
        go_on.set()
        await task

    # What nodes do

    def tasks(self, *states: TaskState) -> list[tuple[Task, TaskSpec]]:
        """The tasks in these states."""
        return self.batch.tasks(*states)

    def work(
        self,
        task_id: str,
        *,
        tiffs: int | None = None,
        more: Mapping[str, bytes] = MappingProxyType({}),
        complete: bool = True,
        schema: int = SCHEMA,
        warnings: tuple[RunWarning, ...] = (),
        class_pixels: tuple[int, ...] = (),
        **found: Any,
    ) -> str:
        """A node runs the task and uploads an execution (without its manifest if not complete); its id.

        `tiffs`: so many of those that the plan promises, by default all. `found`: what else the manifest says.
        """
        spec = next(spec for task, spec in self.tasks() if task.task_id == task_id)
        environment = contract.TaskEnvironment.from_env(dict(spec.environment))
        execution = f"{EXECUTION}{next(self._executions):08x}"
        staged = Staged(self.blobs, task_id, execution, schema=schema)
        image = self.blobs.content("input", environment.image_name)
        text = image.decode(errors="replace")
        paths = promised(environment).paths[:tiffs]
        files = {path: f"TIFF {i} of {text}".encode() for i, path in enumerate(paths)}
        files.update(more)
        for path, data in files.items():
            staged.output(path, data)
        staged.log()
        if complete:
            staged.manifest(environment, files, image, warnings, class_pixels=class_pixels, **found)
        return execution

    def tell(self, task_id: str, kind: str, sentence: str, exit_code: int, *lines: str) -> None:
        """The task script leaves word of its failure."""
        execution = f"{EXECUTION}{next(self._executions):08x}"
        Staged(self.blobs, task_id, execution).outcome(kind, sentence, exit_code, *lines)

    async def compute(self, name: str, **how: Any) -> FileRecord:
        """A node runs the file's task well, and a tick notices; the row, whose results wait in staging."""
        task_id = self.row(name).placement.task_id
        self.batch.run(task_id)
        self.work(task_id, **how)
        self.batch.complete(task_id)
        await self.tick()
        return self.row(name)

    async def fail(self, name: str, exit_code: int | None = 1, failure: TaskFailure | None = None) -> FileRecord:
        """The file's task fails, and a tick notices; the row afterwards."""
        task_id = self.row(name).placement.task_id
        self.batch.run(task_id)
        self.batch.complete(task_id, exit_code, failure)
        await self.tick()
        return self.row(name)

    async def fill_disk(self, name: str) -> FileRecord:
        """The node's disk is too small for the file, which ends a run at once; the row afterwards."""
        self.tell(self.row(name).placement.task_id, "DISK_FULL", "The disk is too small.", contract.EXIT_DISK_TOO_SMALL)
        return await self.fail(name, contract.EXIT_DISK_TOO_SMALL)

    # What the host does

    async def tick(self, after: timedelta = timedelta(seconds=30)) -> None:
        """Time passes and the timer fires."""
        self.cloud.advance(after)
        await self.reconcile()

    async def settle(self) -> None:
        """Ticks until the sweep has had its first look; calls are counted from then on."""
        for _ in range(3):
            await self.tick()
        self.cloud.reset_counters()

    async def deliver(self, after: timedelta = timedelta()) -> None:
        """Time passes, and the queues' visible messages reach their functions, until there are none."""
        self.cloud.advance(after)
        while (orders := self.outbox.orders()) or (looks := self.outbox.looks()):
            for order in orders:
                await self.collect(order)
            for look in looks if not orders else ():
                await self.look(look)

    async def finish(self, name: str, **how: Any) -> FileRecord:
        """Run the file's task well and collect its results."""
        await self.compute(name, **how)
        await self.deliver()
        return self.row(name)

    def states(self, name: str) -> list[str]:
        """The states that the file's current run went through."""
        return [str(move.state) for move in self.row(name).history]

    async def open(self) -> list[str]:
        """The names of what is open."""
        return sorted(intent.name for intent in (await self.worklist.board()).open)
