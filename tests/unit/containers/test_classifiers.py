"""Classifiers are frozen once, whole, and used only then."""

from datetime import timedelta

import pytest

from batch_ops.domain.file_record import State
from tests.world import NAME, World


@pytest.mark.parametrize("ends", ["success", "failed", "aborted"])
async def test_a_task_never_gets_half_a_classifier(world: World, ends):
    """While the service still copies it, images wait; a copy that came to nothing is begun again."""
    world.blobs.slow_copies = True
    row = await world.begin(NAME)
    assert (row.state, world.tasks()) == (State.WAITING, [])
    assert "still being copied" in row.reason
    world.blobs.slow_copies = False
    if ends == "success":
        world.blobs.finish_copies()
    else:
        world.blobs.abort_copies(status=ends)
    await world.tick(timedelta(minutes=11))
    assert world.row(NAME).state is State.ACTIVE
    assert [world.blobs.content("frozen", name) for name in world.blobs.names("frozen")] == [b"classifier"]


async def test_a_replaced_classifier_is_noticed_within_seconds(world: World):
    """Images of a burst share a look; one that comes six seconds after a change gets the new classifier."""
    old = await world.begin(NAME)
    world.project("fly", b"a better classifier")
    assert (await world.begin("fly/b.h5")).plan.tool.project_digest == old.plan.tool.project_digest
    world.cloud.advance(timedelta(seconds=6))
    assert (await world.begin("fly/c.h5")).plan.tool.project_digest != old.plan.tool.project_digest
