"""The nodes of a pool: they fetch, compute, upload and fail as real ones do."""

import hashlib
from collections import Counter, deque
from dataclasses import dataclass
from datetime import timedelta
from itertools import count
from random import Random
from typing import TYPE_CHECKING

from batch_ops.domain import naming
from batch_ops.domain.batch_task import Task, TaskFailure, TaskState
from batch_ops.domain.task_spec import TaskSpec
from batch_ops.task import contract
from batch_ops.task.manifest import SCHEMA
from batch_ops.task.read_tool import profile_from_json
from batch_ops.task.run_plan import RunWarning
from batch_ops.task.tool import VARIABLE
from tests.chaos.fates import EXITS, Fate, doom
from tests.chaos.services import NEEDS
from tests.chaos.timeline import pause
from tests.executions import Staged

if TYPE_CHECKING:
    from tests.chaos.simulation import Simulation

_UPLOAD_FAILED = TaskFailure("usererror", "FileUploadMiscError", "The upload failed.")
_NODE_FAILED = TaskFailure("servererror", "CommandLaunchFailed", "The command could not be launched.")
_NOT_FOUND = TaskFailure("usererror", "BlobNotFound", "A resource file was not found.")
_ENDED = TaskFailure("usererror", "TaskEnded", "Task Was Ended.")

# Seconds after which a node that was given up may still upload.
_LONGEST_ZOMBIE = 1500

# What every node says that can say it.
WARNING = RunWarning("axes", "The axes are those of the configuration.")


@dataclass(frozen=True, slots=True)
class Completion:
    """An execution that wrote its manifest over all it names: for which results, of which part (0: of all of it),
    which version of the image and which classifier, in which task."""

    name: str
    part: int
    etag: str
    digest: str
    task_id: str
    execution: str


def outputs(nickname: str, image: bytes, digest: str, execution: str, schema: int) -> dict[str, bytes]:
    """What an execution makes of an image with a classifier: one to three TIFFs, since schema 2 a picture and tables.

    As long as those of any other execution, but of other bytes: what was mixed of two of them can be told.
    """
    of = b" of %s by %s in %s" % (image, digest.encode(), execution.encode())
    count = 1 + image[-1] % 3
    tiffs = {f"{nickname}{i if count > 1 else ''}.tiff": b"TIFF %d" % i + of for i in range(count)}
    others = {"pictures/overview.png": b"PNG" + of, "counts.csv": b"counts" + of} if schema > 1 else {}
    return tiffs | others


class Nodes:
    """`fates[name]` are the ends of the next executions of a file; without any an execution ends well."""

    def __init__(self, world: "Simulation", rng: Random, pace: float = 1.0) -> None:
        self._world, self._rng, self._pace = world, rng, pace
        self._batch, self._blobs = world.batch, world.blobs
        self._numbers = count(1)
        self._taken: set[tuple[str, int]] = set()
        self.fates: dict[str, deque[Fate]] = {}
        self.completions: list[Completion] = []
        self.losses: Counter[str] = Counter()
        # Executions of nodes that were given up.
        self.zombies: set[str] = set()
        self.are_there = True

    def come(self) -> None:
        """The pool gets nodes."""
        self.are_there = True
        self.begin_waiting_tasks()

    def begin_waiting_tasks(self) -> None:
        """Nodes begin the tasks that wait for one."""
        if not self.are_there:
            return
        active = {job for job, state in self._batch.jobs().items() if state == "active"}
        for task, spec in self._batch.tasks(TaskState.ACTIVE):
            key = (task.task_id, task.requeues)
            if key not in self._taken and task.job_id in active:
                self._taken.add(key)
                number = next(self._numbers)
                self._world.timeline.proceed(_Execution(self._world, self, task.task_id, task.requeues, spec, number)())

    def lose(self, task: Task, spec: TaskSpec) -> None:
        """A task is gone; one of the same id may come again."""
        self.losses[self._world.name_of(task.task_id)] += 1
        self.forget(task)

    def forget(self, task: Task) -> None:
        """A task was deleted on purpose; one of the same id is another one."""
        for requeues in range(task.requeues + 1):
            self._taken.discard((task.task_id, requeues))

    async def pause(self, seconds: float) -> None:
        """Some time, at most this."""
        await pause(timedelta(seconds=seconds * self._pace * self._rng.random()))

    def exit_of_shutdown(self) -> int:
        """SIGTERM's, or a number that Batch makes up."""
        return self._rng.choice((contract.EXIT_ENDED, -1, -1073741510))

    def fate(self, name: str, image: bytes) -> Fate:
        """The end of the next execution of a file."""
        if (always := doom(image)) is not None:
            return always
        queue = self.fates.get(name)
        return queue.popleft() if queue else Fate.WELL


class _Execution:
    """One node with one task."""

    def __init__(
        self, world: "Simulation", nodes: Nodes, task_id: str, requeues: int, spec: TaskSpec, number: int
    ) -> None:
        self._nodes, self._batch, self._blobs = nodes, world.batch, world.blobs
        self._world = world
        self._task_id, self._requeues, self._spec = task_id, requeues, spec
        self._node, self._number = f"node-{number}", number
        self._id = f"{world.cloud.now:%Y%m%dT%H%M%SZ}-{number:08x}"
        # Half of the nodes have the scripts of before.
        self._schema = 1 + number % SCHEMA
        self._staged = Staged(world.blobs, task_id, self._id, self._node, self._schema)
        self._values = contract.TaskEnvironment.from_env(dict(spec.environment))
        tool = dict(spec.environment).get(VARIABLE)
        self._suffix = profile_from_json(tool).suffix if tool else naming.PROJECT_SUFFIX

    async def __call__(self) -> None:
        nodes, batch = self._nodes, self._batch
        await nodes.pause(60)
        if not self._is_alive(TaskState.ACTIVE):
            return
        batch.move(self._task_id, TaskState.PREPARING, node_id=self._node)
        await nodes.pause(20)
        if not self._is_alive():
            return
        image = self._content("input", self._values.image_name)
        project = self._content("frozen", naming.frozen_blob(self._values.project_digest, self._suffix))
        if image is None or project is None:
            batch.complete(self._task_id, None, _NOT_FOUND)
            return
        batch.run(self._task_id, self._node)
        await nodes.pause(20)
        digest = hashlib.sha256(project).hexdigest()
        if not self._is_alive():
            return
        if len(image) != self._values.image_length or digest != self._values.project_digest:
            self._fail(Fate.STAGING_IN)
            return
        await nodes.pause(200)
        if not self._is_alive():
            if self._world.climate.zombies and self._number % 3 == 0:
                await nodes.pause(_LONGEST_ZOMBIE)
                await self._upload_unasked(image)
            self._staged.log()
            return
        if self._is_refused(image, project):
            self._world.happened["images that a node refuses, as they were not checked"] += 1
            self._fail(Fate.COMMAND)
            return
        row = self._world.known(self._world.name_of(self._task_id))
        # What was created late, for a run that is over, finds nothing more, and does no harm.
        is_current = row is not None and (row.run, row.state.is_final) == (self._values.run, False)
        if is_current and (missing := self._missing_parts()):
            self._world.judge.wrong.append(f"{self._task_id} joins parts, but {missing} has nothing in staging")
        await self._end(nodes.fate(self._values.image_name, image), image)

    def _missing_parts(self) -> str:
        """Which of the parts that this task joins has left no manifest."""
        parts = self._values.of_parts
        for task_id in parts.task_ids(self._task_id) if parts and not parts.part else ():
            if not any(name.endswith("/manifest.json") for name in self._blobs.names("staging", f"{task_id}/")):
                return task_id
        return ""

    def _is_refused(self, image: bytes, project: bytes) -> bool:
        """By the rules of the check, if that was not finished before the task began."""
        if self._values.image_description:
            return False
        return image.startswith(b"REFUSE") or (image.startswith(NEEDS) and image.split()[1] not in project.split())

    async def _end(self, fate: Fate, image: bytes) -> None:
        batch, task = self._batch, self._task_id
        self._world.happened[f"executions that end: {fate}"] += 1
        match fate:
            case Fate.WELL:
                if await self._upload(image):
                    batch.complete(task)
            case Fate.TWICE:
                # All of it is there when the node is lost, before Batch hears of the end.
                await self._upload(image)
                self._requeue()
            case Fate.HALF_TWICE:
                await self._upload(image, parts=1)
                self._requeue()
            case Fate.CUT:
                if await self._upload(image, parts=1):
                    batch.complete(task)
            case Fate.SHORT_TIFF | Fate.LACKS_TIFF:
                if await self._upload(image, fate=fate):
                    batch.complete(task)
            case Fate.STAGING_OUT:
                if await self._upload(image, parts=1):
                    batch.complete(task, 0, _UPLOAD_FAILED)
            case Fate.STAGED:
                # All of it is there, but Batch could not store something else.
                if await self._upload(image):
                    batch.complete(task, 0, _UPLOAD_FAILED)
            case Fate.PREEMPTED:
                # Whatever it is afterwards: preempted, unusable, idle again under the same id.
                batch.nodes[self._node] = False
                self._requeue()
            case Fate.NODE_GONE:
                del batch.nodes[self._node]
                self._requeue()
            case Fate.SHUT_DOWN:
                # Batch takes the end of all processes for the end of the task.
                batch.nodes[self._node] = False
                self._staged.outcome("ENDED", "It was ended from outside.", contract.EXIT_ENDED)
                batch.complete(task, self._nodes.exit_of_shutdown())
            case Fate.NODE_LOST:
                self._requeue()
            case Fate.ZOMBIE:
                # Batch gives the node up, which knows nothing of it.
                self._requeue()
                await self._nodes.pause(_LONGEST_ZOMBIE)
                await self._upload_unasked(image)
            case Fate.TASK_LOST | Fate.STAGED_LOST:
                # The second one with all of it in staging, and nobody ever sees its end.
                if fate is Fate.TASK_LOST or await self._upload(image):
                    lost = batch.find(task)
                    assert lost is not None
                    batch.lose(task)
                    self._nodes.lose(lost, self._spec)
            case Fate.NODE:
                batch.complete(task, None, _NODE_FAILED)
            case Fate.TIMEOUT:
                started = self._world.cloud.now - timedelta(hours=5)
                batch.move(task, TaskState.RUNNING, started=started)
                batch.complete(task, 143, _ENDED)
            case _:
                self._fail(fate)

    def _requeue(self) -> None:
        if self._is_alive():
            self._nodes.losses[self._world.name_of(self._task_id)] += 1
            self._batch.requeue(self._task_id)
            self._world.wake_nodes()

    async def _upload_unasked(self, image: bytes) -> None:
        """Upload all of it, although Batch gave this node up long ago."""
        self._nodes.zombies.add(self._id)
        self._world.happened["executions that a node uploads that was given up"] += 1
        files = outputs(self._values.nickname, image, self._values.project_digest, self._id, self._schema)
        for leaf, data in files.items():
            self._staged.output(leaf, data)
            await self._nodes.pause(2)
        self._staged.log()
        self._staged.manifest(self._values, files, image, (WARNING,) if self._schema > 1 else ())

    async def _upload(self, image: bytes, parts: int = 100, fate: Fate = Fate.WELL) -> bool:
        """Outputs, log and manifest one by one; False if the task was ended meanwhile.

        The fate may be that the manifest promises more than is there: a last file that is short, or none.
        """
        values = self._values
        files = outputs(values.nickname, image, values.project_digest, self._id, self._schema)
        *_, last = files
        for leaf, data in list(files.items())[:parts]:
            if leaf != last or fate is not Fate.LACKS_TIFF:
                stored = data[:-1] if leaf == last and fate is Fate.SHORT_TIFF else data
                self._staged.output(leaf, stored)
            await self._nodes.pause(2)
            if not self._is_alive():
                return False
        self._staged.log()
        if parts < len(files) or parts == 1:
            return True
        self._staged.manifest(values, files, image, (WARNING,) if self._schema > 1 else ())
        self._world.happened[f"manifests of schema {self._schema}"] += 1
        told = values.of_parts
        if told is not None:
            self._world.happened["parts that are done" if told.part else "images that are joined"] += 1
        if fate is Fate.WELL:
            self._nodes.completions.append(
                Completion(
                    self._world.name_of(self._task_id),
                    told.part if told else 0,
                    *(values.image_etag, values.project_digest, self._task_id, self._id),
                )
            )
        await self._nodes.pause(2)
        return self._is_alive()

    def _fail(self, fate: Fate) -> None:
        code, kind = EXITS[fate]
        self._staged.outcome(kind, f"It ended as {kind}.", code, "a line of the log")
        self._batch.complete(self._task_id, code)

    def _content(self, container: str, name: str) -> bytes | None:
        found = self._blobs.find(container, name)
        return found.data if found and found.blob.copy_status != "pending" else None

    def _is_alive(self, *states: TaskState) -> bool:
        """Whether Batch still holds this node to be at work on the task."""
        task = self._batch.find(self._task_id)
        if task is None:
            return False
        is_ours = task.node_id in {None, self._node} and task.requeues == self._requeues
        return is_ours and task.state in (states or (TaskState.PREPARING, TaskState.RUNNING))
