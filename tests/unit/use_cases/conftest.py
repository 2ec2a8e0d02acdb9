"""Clouds that several modules of tests begin with."""

import pytest

from tests.world import World


@pytest.fixture
def parted() -> World:
    """A cloud whose project `fly` wants its images, of two time points and eight planes, in four parts."""
    world = World()
    world.blobs.upload("projects", "fly.json", b'{"parts": 4}')
    return world
