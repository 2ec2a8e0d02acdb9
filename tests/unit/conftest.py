"""What the tests of several rooms begin with."""

import pytest

from tests.world import NAME, World


@pytest.fixture
def world() -> World:
    """A cloud with two projects and no image."""
    return World()


@pytest.fixture
async def at_work(world: World) -> World:
    """The same with one image, whose task waits for a node."""
    await world.begin(NAME)
    await world.tick()
    world.cloud.reset_counters()
    return world
