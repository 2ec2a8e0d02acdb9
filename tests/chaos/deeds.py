"""What happens in a scene, or while a process stands still."""

from collections.abc import Callable
from datetime import timedelta

from tests.chaos.scene import NAME
from tests.chaos.simulation import PROJECT_NAME, Simulation


def look(world: Simulation) -> None:
    found = world.blobs.find("input", NAME)
    assert found is not None
    world.tell("input", found.blob, 0)


def tick(world: Simulation) -> None:
    world.host.tick()


def drop(content: bytes) -> Callable[[Simulation], None]:
    return lambda world: world.drop(NAME, content, 0)


def edit(world: Simulation) -> None:
    world.edit(NAME, {"sample": "7"}, 0)


def delete(world: Simulation) -> None:
    world.blobs.remove("input", NAME)


def delete_and_tick(world: Simulation) -> None:
    delete(world)
    world.pass_time(timedelta(minutes=11))
    world.host.tick()


def after(span: timedelta, action: Callable[[Simulation], None]) -> Callable[[Simulation], None]:
    def later(world: Simulation) -> None:
        world.pass_time(span)
        action(world)

    return later


def both(*actions: Callable[[Simulation], None]) -> Callable[[Simulation], None]:
    def all_of_them(world: Simulation) -> None:
        for action in actions:
            action(world)

    return all_of_them


def project(content: bytes) -> Callable[[Simulation], None]:
    return lambda world: world.project(content, 0)


def without_project(world: Simulation) -> None:
    world.blobs.remove("projects", f"{PROJECT_NAME}.ilp")
    # Nobody has it in mind any more.
    world.pass_time(timedelta(seconds=10))


def cancel(world: Simulation) -> None:
    world.operators.cancel(NAME)


def archive(world: Simulation) -> None:
    world.blobs.set_tier("input", NAME, "Archive")

    def bring_back() -> None:
        if world.has("input", NAME):
            world.blobs.set_tier("input", NAME, "Hot")

    world.later(timedelta(minutes=30), bring_back)


def restore(content: bytes) -> Callable[[Simulation], None]:
    return lambda world: world.later(timedelta(hours=2), lambda: world.project(content))
