"""States of affairs that a scene begins with."""

from collections import deque
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

from batch_ops.domain.batch_task import TaskState
from batch_ops.domain.file_record import State
from batch_ops.domain.pool_status import NodeStatus
from tests import events
from tests.chaos.fates import Fate
from tests.chaos.process import Process, crash
from tests.chaos.scene import CLASSIFIER, FIRST, MINUTE, NAME, OTHER_CLASSIFIER, SECOND
from tests.chaos.simulation import PROJECT_NAME, Simulation
from tests.fakes import When
from tests.fakes.batch import POOL


def dropped(world: Simulation, content: bytes = FIRST) -> None:
    world.project(CLASSIFIER)
    world.drop(NAME, content)
    world.pass_time(timedelta(seconds=1))


def until(world: Simulation, reached: Callable[[], bool]) -> None:
    for _ in range(2000):
        if reached():
            return
        timer = world.timeline.next_timer()
        assert timer is not None, "This state is never reached."
        world.pass_time(timer - world.cloud.now)
    raise AssertionError("This state is never reached.")


def task_is(world: Simulation, state: TaskState) -> bool:
    row = world.known(NAME)
    return (
        any(task.task_id == row.placement.task_id and task.state is state for task, _ in world.batch.tasks())
        if row
        else False
    )


def active(world: Simulation, content: bytes = FIRST) -> None:
    world.project(CLASSIFIER)
    world.drop(NAME, content, 0)
    until(world, lambda: task_is(world, TaskState.ACTIVE))


def running(world: Simulation) -> None:
    active(world)
    until(world, lambda: task_is(world, TaskState.RUNNING))


def known_running(world: Simulation) -> None:
    running(world)
    world.tick(timedelta(seconds=1))


def completed(world: Simulation, *fates: Fate) -> None:
    world.nodes.fates[NAME] = deque(fates)
    active(world)
    until(world, lambda: task_is(world, TaskState.COMPLETED))


def collecting(world: Simulation) -> None:
    """The order to collect is in its queue, but nobody has it yet."""
    completed(world)
    process = Process(world)
    # A tick that sees one task completed: board, list, get, advance, send.
    process.cloud.script[5, When.BEFORE] = crash
    world.host.processes = [process]
    world.host.tick()
    world.pass_time(timedelta(seconds=1))
    assert row_is(world, State.COLLECTING)


def row_is(world: Simulation, state: State) -> bool:
    row = world.known(NAME)
    return row is not None and row.state is state


def succeeded(world: Simulation) -> None:
    active(world)
    world.settle()
    assert row_is(world, State.SUCCEEDED)


def removal_is_due(world: Simulation) -> None:
    succeeded(world)
    world.operators.announce_removal(NAME, timedelta(days=1))
    world.pass_time(MINUTE)
    assert world.row(NAME).times.purge_at is not None
    world.pass_time(timedelta(days=1))


def rejected(world: Simulation) -> None:
    world.project(CLASSIFIER)
    world.drop(NAME, b"NEEDS neuron 5", 0)
    world.pass_time(MINUTE)
    assert row_is(world, State.REJECTED)


def failed(world: Simulation) -> None:
    completed(world, Fate.COMMAND, Fate.COMMAND)
    world.settle()
    assert row_is(world, State.FAILED)


def waiting(world: Simulation) -> None:
    world.drop(NAME, FIRST, 0)
    world.pass_time(MINUTE)
    assert row_is(world, State.WAITING_FOR_PROJECT)


def cancelled(world: Simulation) -> None:
    waiting(world)
    world.blobs.remove("input", NAME)
    world.settle()
    assert row_is(world, State.CANCELLED)
    world.project(CLASSIFIER)


def idle_for_a_day(world: Simulation) -> None:
    succeeded(world)
    world.tick(MINUTE)
    world.pass_time(timedelta(days=1, minutes=1))


def job_is_closed(world: Simulation) -> None:
    idle_for_a_day(world)
    world.tick()
    assert set(world.batch.jobs().values()) == {"completed"}
    world.drop(NAME, SECOND)


def batch_is_down(world: Simulation) -> None:
    dropped(world)
    world.down.add("batch")


def active_without_nodes(world: Simulation) -> None:
    world.nodes.are_there = False
    active(world)
    world.later(timedelta(hours=2), world.nodes.come)


def active_with_a_broken_node(world: Simulation) -> None:
    """For more than an hour; the pool may be rid of it, and gets another one later."""
    active_without_nodes(world)
    world.settings = replace(world.settings, heal_nodes_per_day=1)
    broken = NodeStatus("node-0", "unusable", world.cloud.now)
    world.batch.pools["pool"] = replace(POOL, nodes=(broken,), current=(1, 0))
    world.pass_time(timedelta(minutes=65))


def script_ended(fate: Fate, world: Simulation) -> None:
    """The project is a script, whose first task ends like this."""
    world.project(b"print(1)  # cell", suffix=".py")
    world.nodes.fates[NAME] = deque([fate])
    world.drop(NAME, FIRST, 0)
    until(world, lambda: task_is(world, TaskState.COMPLETED))


def ended(fate: Fate, world: Simulation) -> None:
    completed(world, fate)


def doomed(fate: Fate, world: Simulation) -> None:
    active(world, b"DOOMED %s" % fate.encode())
    until(world, lambda: task_is(world, TaskState.COMPLETED))


def at_second_try(world: Simulation) -> None:
    active(world, b"DOOMED command")
    for _ in range(2):
        until(world, lambda: task_is(world, TaskState.COMPLETED))
        if world.row(NAME).placement.attempt == 1:
            world.tick()


def requeued(world: Simulation, fate: Fate) -> None:
    world.nodes.fates[NAME] = deque([fate])
    known_running(world)
    until(world, lambda: task_is(world, TaskState.ACTIVE))


def gone(world: Simulation) -> None:
    world.nodes.fates[NAME] = deque([Fate.TASK_LOST])
    known_running(world)
    until(world, lambda: not world.batch.tasks())
    for _ in range(30):
        world.tick()
        if world.row(NAME).placement.missing_since:
            world.pass_time(2 * MINUTE)
            return
    raise AssertionError("Nobody misses it.")


def second_completed(world: Simulation) -> None:
    succeeded(world)
    world.drop(NAME, SECOND, 0)
    world.pass_time(timedelta(seconds=2))
    until(world, lambda: task_is(world, TaskState.COMPLETED))


def twice(world: Simulation) -> None:
    world.nodes.fates[NAME] = deque([Fate.HALF_TWICE])
    known_running(world)
    until(world, lambda: task_is(world, TaskState.COMPLETED))


def missed(world: Simulation) -> None:
    succeeded(world)
    world.drop(NAME, SECOND)
    world.pass_time(timedelta(days=1))


def undelivered(world: Simulation) -> None:
    missed(world)
    world.blobs.upload("dead-letter", "1.json", events.undelivered(events.blob_created(NAME, "0x8D")))


def missed_project(world: Simulation) -> None:
    rejected(world)
    world.project(OTHER_CLASSIFIER)
    # Somebody else's image was the first to need it.
    world.drop(f"{PROJECT_NAME}/b.h5", b"image of b 5", 6)
    world.pass_time(timedelta(seconds=10))
    world.settle()
    world.pass_time(timedelta(days=1))


def kept(world: Simulation) -> None:
    failed(world)
    world.drop(NAME, SECOND, 60)
    world.settle()
    world.pass_time(timedelta(days=1))
