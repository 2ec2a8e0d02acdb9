"""Scenes: a state of affairs, and the one thing that then happens. Enumerations disturb it at every call."""

import json
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from batch_ops.domain.batch_task import TaskState
from batch_ops.domain.file_record import State
from tests.chaos.nodes import Fate
from tests.chaos.process import Happening, Process, crash
from tests.chaos.world import PROJECT_NAME, World
from tests.fakes import When

NAME = f"{PROJECT_NAME}/a.h5"
# Versions of one length: three TIFFs, one, two.
FIRST, SECOND, THIRD = b"image 1 vers 5", b"image 1 vers 3", b"image 1 vers 4"
CLASSIFIER, OTHER_CLASSIFIER = b"classifier cell", b"classifier cell neuron"
_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Scene:
    """`prepare` makes the state of affairs, `trigger` the thing that happens, `wait` how long it takes."""

    name: str
    prepare: Callable[[World], None]
    trigger: Callable[[World], None]
    wait: timedelta = timedelta(seconds=3)

    def __str__(self) -> str:
        return self.name

    def play(self, point: "Point | None" = None, happening: Happening | None = None) -> tuple[World, list[str | None]]:
        """Play it, with something happening at a point; the calls that one process made until then.

        A None among them says that an invocation begins.
        """
        world = World()
        self.prepare(world)
        process = Process(world)
        process.cloud.labels = []
        if point is not None and happening is not None:
            process.cloud.script[point.number, point.when] = happening
        world.host.processes = [process]
        self.trigger(world)
        world.pass_time(self.wait)
        return world, process.cloud.labels

    def points(self) -> Iterator["Point"]:
        """Before and after every call of the undisturbed scene."""
        _, labels = self.play()
        number = 0
        for before, label, after in zip([None, *labels], labels, [*labels[1:], None], strict=False):
            if label is not None:
                number += 1
                yield Point(number, When.BEFORE, label, is_edge=before is None)
                yield Point(number, When.AFTER, label, is_edge=after is None)


@dataclass(frozen=True, slots=True)
class Point:
    """A moment in a process: before or after its n-th call took effect; `is_edge`: before its first or after its last.

    Between a call and the next one of the same invocation nothing happens but pure code.
    """

    number: int
    when: When
    label: str
    is_edge: bool = False

    def __str__(self) -> str:
        return f"{self.when} call {self.number}, {self.label}"


# States of affairs


def _dropped(world: World, content: bytes = FIRST) -> None:
    world.project(CLASSIFIER)
    world.drop(NAME, content)
    world.pass_time(timedelta(seconds=1))


def _until(world: World, reached: Callable[[], bool]) -> None:
    for _ in range(2000):
        if reached():
            return
        timer = world.timeline.next_timer()
        assert timer is not None, "This state is never reached."
        world.pass_time(timer - world.cloud.now)
    raise AssertionError("This state is never reached.")


def _task_is(world: World, state: TaskState) -> bool:
    row = world.known(NAME)
    return (
        any(task.task_id == row.placement.task_id and task.state is state for task, _ in world.batch.tasks())
        if row
        else False
    )


def _active(world: World, content: bytes = FIRST) -> None:
    world.project(CLASSIFIER)
    world.drop(NAME, content, 0)
    _until(world, lambda: _task_is(world, TaskState.ACTIVE))


def _running(world: World) -> None:
    _active(world)
    _until(world, lambda: _task_is(world, TaskState.RUNNING))


def _known_running(world: World) -> None:
    _running(world)
    world.tick(timedelta(seconds=1))


def _completed(world: World, *fates: Fate) -> None:
    world.nodes.fates[NAME] = deque(fates)
    _active(world)
    _until(world, lambda: _task_is(world, TaskState.COMPLETED))


def _collecting(world: World) -> None:
    """The order to collect is in its queue, but nobody has it yet."""
    _completed(world)
    process = Process(world)
    # A tick that sees one task completed: board, list, get, advance, send.
    process.cloud.script[5, When.BEFORE] = crash
    world.host.processes = [process]
    world.host.tick()
    world.pass_time(timedelta(seconds=1))
    assert _is(world, State.COLLECTING)


def _is(world: World, state: State) -> bool:
    row = world.known(NAME)
    return row is not None and row.state is state


def _succeeded(world: World) -> None:
    _active(world)
    world.settle()
    assert _is(world, State.SUCCEEDED)


def _rejected(world: World) -> None:
    world.project(CLASSIFIER)
    world.drop(NAME, b"NEEDS neuron 5", 0)
    world.pass_time(_MINUTE)
    assert _is(world, State.REJECTED)


def _failed(world: World) -> None:
    _completed(world, Fate.COMMAND, Fate.COMMAND)
    world.settle()
    assert _is(world, State.FAILED)


def _waiting(world: World) -> None:
    world.drop(NAME, FIRST, 0)
    world.pass_time(_MINUTE)
    assert _is(world, State.WAITING_FOR_PROJECT)


def _cancelled(world: World) -> None:
    _waiting(world)
    world.blobs.remove("input", NAME)
    world.settle()
    assert _is(world, State.CANCELLED)
    world.project(CLASSIFIER)


def _idle_for_a_day(world: World) -> None:
    _succeeded(world)
    world.tick(_MINUTE)
    world.pass_time(timedelta(days=1, minutes=1))


def _job_is_closed(world: World) -> None:
    _idle_for_a_day(world)
    world.tick()
    assert set(world.batch.jobs().values()) == {"completed"}
    world.drop(NAME, SECOND)


def _batch_is_down(world: World) -> None:
    _dropped(world)
    world.down.add("batch")


# What happens


def _event(world: World) -> None:
    world.drop(NAME, world.blobs.content("input", NAME), 0)


def _look(world: World) -> None:
    blob = world.blobs._container("input").blobs[NAME].blob
    world.tell("input", blob, 0)


def _tick(world: World) -> None:
    world.host.tick()


def _drop(content: bytes) -> Callable[[World], None]:
    return lambda world: world.drop(NAME, content, 0)


def _edit(world: World) -> None:
    world.edit(NAME, {"sample": "7"}, 0)


def _delete(world: World) -> None:
    world.blobs.remove("input", NAME)


def _delete_and_tick(world: World) -> None:
    _delete(world)
    world.pass_time(timedelta(minutes=11))
    world.host.tick()


def _after(span: timedelta, action: Callable[[World], None]) -> Callable[[World], None]:
    def later(world: World) -> None:
        world.pass_time(span)
        action(world)

    return later


def _both(*actions: Callable[[World], None]) -> Callable[[World], None]:
    def all_of_them(world: World) -> None:
        for action in actions:
            action(world)

    return all_of_them


def _project(content: bytes) -> Callable[[World], None]:
    return lambda world: world.project(content, 0)


def _without_project(world: World) -> None:
    world.blobs.remove("projects", f"{PROJECT_NAME}.ilp")
    # Nobody has it in mind any more.
    world.pass_time(timedelta(seconds=10))


def _archive(world: World) -> None:
    world.blobs.set_tier("input", NAME, "Archive")

    def bring_back() -> None:
        if world.has("input", NAME):
            world.blobs.set_tier("input", NAME, "Hot")

    world.timeline.at(world.cloud.now + timedelta(minutes=30), bring_back)


def _restore(content: bytes) -> Callable[[World], None]:
    def later(world: World) -> None:
        world.timeline.at(world.cloud.now + timedelta(hours=2), lambda: world.project(content))

    return later


def _active_without_nodes(world: World) -> None:
    world.nodes.are_there = False
    _active(world)
    world.timeline.at(world.cloud.now + timedelta(hours=2), world.nodes.come)


def _ended(fate: Fate, world: World) -> None:
    _completed(world, fate)


def _doomed(fate: Fate, world: World) -> None:
    _active(world, b"DOOMED %s" % fate.encode())
    _until(world, lambda: _task_is(world, TaskState.COMPLETED))


def _at_second_try(world: World) -> None:
    _active(world, b"DOOMED command")
    for _ in range(2):
        _until(world, lambda: _task_is(world, TaskState.COMPLETED))
        if world.row(NAME).placement.attempt == 1:
            world.tick()


def _requeued(world: World, fate: Fate) -> None:
    world.nodes.fates[NAME] = deque([fate])
    _known_running(world)
    _until(world, lambda: _task_is(world, TaskState.ACTIVE))


def _gone(world: World) -> None:
    world.nodes.fates[NAME] = deque([Fate.TASK_LOST])
    _known_running(world)
    _until(world, lambda: not world.batch.tasks())
    for _ in range(30):
        world.tick()
        if world.row(NAME).placement.missing_since:
            world.pass_time(2 * _MINUTE)
            return
    raise AssertionError("Nobody misses it.")


def _second_completed(world: World) -> None:
    _succeeded(world)
    world.drop(NAME, SECOND, 0)
    world.pass_time(timedelta(seconds=2))
    _until(world, lambda: _task_is(world, TaskState.COMPLETED))


def _twice(world: World) -> None:
    world.nodes.fates[NAME] = deque([Fate.HALF_TWICE])
    _known_running(world)
    _until(world, lambda: _task_is(world, TaskState.COMPLETED))


def _missed(world: World) -> None:
    _succeeded(world)
    world.drop(NAME, SECOND)
    world.pass_time(timedelta(days=1))


def _undelivered(world: World) -> None:
    _missed(world)
    subject = f"/blobServices/default/containers/input/blobs/{NAME}"
    data = {"api": "PutBlob", "eTag": "0x8D", "contentLength": 1, "url": f"https://data/input/{NAME}"}
    event = {"id": "given-up", "eventType": "Microsoft.Storage.BlobCreated", "subject": subject, "data": data}
    world.blobs.upload("dead-letter", "1.json", json.dumps([event | {"eventTime": "2026-03-01T12:00:00Z"}]).encode())


def _missed_project(world: World) -> None:
    _rejected(world)
    world.project(OTHER_CLASSIFIER)
    # Somebody else's image was the first to need it.
    world.drop(f"{PROJECT_NAME}/b.h5", b"image of b 5", 6)
    world.pass_time(timedelta(seconds=10))
    world.settle()
    world.pass_time(timedelta(days=1))


def _kept(world: World) -> None:
    _failed(world)
    world.drop(NAME, SECOND, 60)
    world.settle()
    world.pass_time(timedelta(days=1))


SCENES = (
    Scene("a dropped image", _dropped, _look),
    Scene("an image that is refused", lambda w: _dropped(w, b"REFUSE It is cut off."), _look),
    Scene("an image that can't be checked to its end", lambda w: _dropped(w, b"UNSURE image 5"), _look),
    Scene(
        "an image that the classifier refuses",
        lambda w: _dropped(w, b"NEEDS neuron 5"),
        _both(_look, _restore(OTHER_CLASSIFIER)),
    ),
    Scene("an image before its project", lambda w: w.drop(NAME, FIRST), _both(_look, _restore(CLASSIFIER))),
    Scene(
        "an image with an untrained project",
        _both(lambda w: w.project(b"REFUSE"), lambda w: w.drop(NAME, FIRST)),
        _both(_look, _restore(CLASSIFIER)),
    ),
    Scene("an archived image", _both(_dropped, _archive), _look),
    Scene(
        "a project appears, found by asking",
        _waiting,
        _both(lambda w: w.project(CLASSIFIER), _after(2 * _MINUTE, _tick)),
    ),
    Scene("a project appears, told by its event", _waiting, _project(CLASSIFIER), timedelta(seconds=12)),
    Scene("a fitting project comes", _rejected, _project(OTHER_CLASSIFIER), timedelta(seconds=12)),
    Scene("another image while the first waits", _waiting, _both(_drop(SECOND), _restore(CLASSIFIER))),
    Scene("another image while the task waits", _active, _drop(SECOND)),
    Scene("another image while the task runs", _known_running, _drop(SECOND)),
    Scene("another image when the task is done", _completed, _drop(SECOND)),
    Scene("another image while results are moved", _collecting, _drop(SECOND)),
    Scene("another image after success", _succeeded, _drop(SECOND)),
    Scene("another image after rejection", _rejected, _drop(SECOND)),
    Scene("another image after failure", _failed, _drop(SECOND)),
    Scene("the same image after failure", _failed, _drop(FIRST)),
    Scene("the same image after it was deleted", _cancelled, _drop(FIRST)),
    Scene("the same image after success", _succeeded, _drop(FIRST)),
    Scene("a wrong image while the task runs", _known_running, _drop(b"REFUSE It is cut off.")),
    Scene("a wrong image while results are moved", _collecting, _drop(b"REFUSE It is cut off.")),
    Scene("a wrong image after success", _succeeded, _drop(b"REFUSE It is cut off.")),
    Scene(
        "another image that has to wait while the task runs",
        _both(_known_running, _without_project),
        _both(_drop(SECOND), _restore(CLASSIFIER)),
    ),
    Scene("an edit of the metadata while the task runs", _known_running, _edit),
    Scene("an edit of the metadata while results are moved", _collecting, _edit),
    Scene("an edit of the metadata after success", _succeeded, _edit),
    Scene(
        "the waiting image is deleted",
        _both(_waiting, _delete),
        _both(_after(2 * _MINUTE, _tick), _restore(CLASSIFIER)),
    ),
    Scene("the image is deleted before its task began", _active_without_nodes, _delete_and_tick),
    Scene("a closed job", _job_is_closed, _look),
    Scene(
        "Batch can't answer", _batch_is_down, _both(_look, lambda w: w.timeline.at(w.cloud.now + _MINUTE, w.down.clear))
    ),
    Scene("a task began", _running, _tick),
    Scene("a task is done", _completed, _tick),
    *(
        Scene(f"a task ended: {fate}", partial(_ended, fate), _tick, timedelta(minutes=2))
        for fate in (
            Fate.COMMAND,
            Fate.OUT_OF_MEMORY,
            Fate.STAGING_OUT,
            Fate.NODE,
            Fate.NO_OUTPUT,
            Fate.CUT,
            Fate.SHORT_TIFF,
            Fate.LACKS_TIFF,
        )
    ),
    *(Scene(f"the last try ended: {fate}", partial(_doomed, fate), _tick) for fate in (Fate.TIMEOUT, Fate.DISK_FULL)),
    Scene("a second try ended", _at_second_try, _tick),
    Scene("a node was lost", lambda w: _requeued(w, Fate.NODE_LOST), _tick),
    Scene("a node was preempted", lambda w: _requeued(w, Fate.PREEMPTED), _tick),
    Scene("a task is gone", _gone, _tick, timedelta(seconds=3)),
    Scene("results are moved", _collecting, _after(11 * _MINUTE, _tick)),
    Scene("results of a second version are moved", _second_completed, _tick),
    Scene("results of a second execution are moved", _twice, _tick),
    Scene("an idle job is closed", _idle_for_a_day, _tick),
    Scene("a missed image is found", _missed, _tick),
    Scene("an event that could not be delivered is found", _undelivered, _tick),
    Scene("a missed project is found", _missed_project, _tick, timedelta(seconds=12)),
    Scene("staging of a failed run is removed", _kept, _tick),
)
