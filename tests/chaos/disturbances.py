"""What happens at one point of a scene: the process crashes, a call fails, or others go on while it stands still."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import timedelta
from functools import partial
from types import MappingProxyType

from batch_ops.domain.errors import BlobChanged, Conflict, IlastikBatchError, ServiceFault
from batch_ops.domain.messages import collect_message
from batch_ops.domain.orders import CollectOrder
from tests.chaos import deeds as do
from tests.chaos.process import Happening, Process, ProcessCloud, Unforeseen, crash
from tests.chaos.scene import FIRST, NAME, OTHER_CLASSIFIER, THIRD, Point, Scene
from tests.chaos.simulation import Simulation
from tests.fakes import TakesEffectLate, When

# Less than the host allows a function; others do all their work meanwhile.
_STANDSTILL = timedelta(minutes=9)
CONDITIONAL = {"ledger.claim", "ledger.advance", "worklist.add", "blobs.put", "blobs.copy"}
_READS = {
    *("ledger.get", "ledger.page", "worklist.board", "worklist.project", "worklist.rejected", "worklist.pauses"),
    *("blobs.head", "blobs.read", "blobs.list", "blobs.page", "check.check_image", "check.inspect_project"),
    *("batch.task", "batch.list", "batch.job_state", "batch.is_done", "batch.is_dedicated", "batch.pool"),
}


async def fail(cloud: ProcessCloud, label: str) -> None:
    """The service can't answer, or its answer is lost."""
    raise ServiceFault(f"{label} can't be answered now.")


def take_effect_late(later: Callable[[Callable[[], object]], object]) -> Happening:
    """The service can't answer in time, but does what it was asked when `later` has it done."""

    def do(effect: Callable[[], object]) -> None:
        with suppress(IlastikBatchError):
            effect()

    async def happening(cloud: ProcessCloud, label: str) -> None:
        raise TakesEffectLate(
            ServiceFault(f"{label} was not answered in time."), lambda effect: later(partial(do, effect))
        )

    return happening


async def surprise(cloud: ProcessCloud, label: str) -> None:
    """Something nobody thought of happens there, once."""
    cloud.unforeseen += 1
    raise Unforeseen(f"{label} did what nobody thought of.")


async def lose_answer(cloud: ProcessCloud, label: str) -> None:
    """The client repeats a conditional write whose answer it did not hear: somebody - we - was first."""
    if label.startswith("blobs"):
        raise BlobChanged(f"{label} was repeated.")
    raise Conflict(f"{label} was repeated.")


def is_distinct(point: Point) -> bool:
    """Whether a crash there leaves the services in another state than one at the point before it.

    What a read found dies with the process; and after one call is before the next.
    """
    return point.is_edge if point.when is When.BEFORE else point.label not in _READS


def is_stop(point: Point) -> bool:
    """Whether to stand still there is another thing than at the point that follows."""
    return point.when is When.BEFORE or point.is_edge


def is_late(point: Point) -> bool:
    """Whether something takes effect after that point, however late."""
    return point.when is When.BEFORE and point.label not in _READS


def is_conditional(point: Point) -> bool:
    """Whether an answer can be lost there."""
    return point.when is When.AFTER and point.label in CONDITIONAL


def _again(world: Simulation) -> None:
    _if_there(do.look)(world)
    if (row := world.known(NAME)) is not None:
        order = CollectOrder(NAME, row.run, row.placement.task_id or "none", "again")
        world.outbox.put("collect", collect_message(order))


def _if_there(deed: Callable[[Simulation], None]) -> Callable[[Simulation], None]:
    return lambda world: deed(world) if world.has("input", NAME) else None


def _there_and_back(*delays: float) -> Callable[[Simulation], None]:
    def later(world: Simulation) -> None:
        before = world.blobs.content("input", NAME) if world.has("input", NAME) else FIRST
        world.drop(NAME, THIRD, *delays)
        world.later(timedelta(seconds=100), lambda: world.drop(NAME, before, 0))

    return later


MEANWHILE: Mapping[str, Callable[[Simulation], None]] = MappingProxyType(
    {
        "nothing but ticks": lambda world: None,
        "a newer version": do.drop(THIRD),
        "a wrong newer version": do.drop(b"REFUSE It is cut."),
        "a version that fails": do.drop(b"DOOMED timeout"),
        "every message comes again": _again,
        "the metadata are edited": _if_there(do.edit),
        "the image is deleted": _if_there(do.delete),
        "another version and back": _there_and_back(0),
        "another version and back, unnoticed": _there_and_back(),
        "another classifier": do.project(OTHER_CLASSIFIER),
    }
)


def stand_still(
    scene: Scene, point: Point, meanwhile: Callable[[Simulation], None], *, dies: bool = False
) -> Simulation:
    """Play a scene whose process stops at a point while others do all the work, and then continues.

    `dies`: no further than the call that it stood still before, which still takes effect.
    """
    worlds: list[Simulation] = []

    def prepare(world: Simulation) -> None:
        worlds.append(world)
        scene.prepare(world)

    async def wait(cloud: ProcessCloud, label: str) -> None:
        world = worlds[0]
        world.host.processes = [Process(world)]
        meanwhile(world)
        for number in range(1, 9):
            world.later(number * timedelta(minutes=1), world.host.tick)
        await world.timeline.sleep(_STANDSTILL)
        if dies:
            cloud.script[cloud.made, When.AFTER] = crash

    world, _ = Scene(scene.name, prepare, scene.trigger, timedelta(minutes=10)).play(point, wait)
    return world
