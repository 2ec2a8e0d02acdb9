"""States of affairs of an image that is computed in two parts, for scenes."""

from collections import deque

from batch_ops.domain.batch_task import TaskState
from batch_ops.domain.parts import PartState
from tests.chaos.affairs import dropped, until
from tests.chaos.fates import Fate
from tests.chaos.scene import CLASSIFIER, FIRST, NAME
from tests.chaos.simulation import Simulation


def wanted(world: Simulation) -> None:
    """The image is there, and its project wants parts."""
    world.configure(b'{"parts": 2}')
    dropped(world)


def at_work(world: Simulation, *fates: Fate) -> None:
    """Both parts have tasks."""
    world.nodes.fates[NAME] = deque(fates)
    world.configure(b'{"parts": 2}')
    world.project(CLASSIFIER)
    world.drop(NAME, FIRST, 0)
    until(world, lambda: _states(world) == PartState.ACTIVE * 2)


def done(world: Simulation, *fates: Fate) -> None:
    """The tasks of both parts have ended, and nobody knows it yet."""
    at_work(world, *fates)
    until(world, lambda: _tasks(world) == [TaskState.COMPLETED] * 2)


def joining(world: Simulation) -> None:
    """All parts are done, and the task that joins them has ended."""
    done(world)
    world.tick()
    until(world, lambda: _tasks(world) == [TaskState.COMPLETED] * 3)


def _states(world: Simulation) -> str:
    row = world.known(NAME)
    return "".join(part.state for part in row.parts.each) if row and row.parts else ""


def _tasks(world: Simulation) -> list[TaskState]:
    return [task.state for task, _ in world.batch.tasks()]
