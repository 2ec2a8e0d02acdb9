"""With `RERUN_FINISHED` files that succeeded are segmented again when their project changes, and only then."""

import pytest

from batch_ops.domain.file_record import State
from tests.world import MINUTE, NAME, World


async def finished(*, rerun: bool = True) -> World:
    """A cloud with one file whose results are there."""
    world = World(rerun_finished=rerun)
    await world.begin(NAME)
    await world.finish(NAME)
    await world.deliver(MINUTE)
    assert (world.row(NAME).run, world.row(NAME).state) == (1, State.SUCCEEDED)
    return world


@pytest.mark.parametrize("rerun", [True, False])
async def test_a_finished_file_runs_again_with_a_changed_project(rerun):
    """As a new run, whose results take the place of the old; without the setting it stays as it is."""
    world = await finished(rerun=rerun)
    first = world.row(NAME).plan.tool.project_digest
    world.project("fly", b"a better classifier")
    await world.project_changed("fly")
    await world.deliver(MINUTE)
    if rerun:
        assert (world.row(NAME).run, world.row(NAME).state) == (2, State.ACTIVE)
        await world.finish(NAME)
        assert world.provenance(NAME)["project"]["sha256"] == world.row(NAME).plan.tool.project_digest != first
    assert world.row(NAME).state is State.SUCCEEDED
    assert world.row(NAME).run == (2 if rerun else 1)


@pytest.mark.parametrize("when", ["running", "collecting"])
async def test_a_project_that_changes_while_the_file_runs(when):
    """The run goes on with its frozen classifier; when it is over, the file runs again."""
    world = World(rerun_finished=True)
    row = await world.begin(NAME)
    if when == "collecting":
        await world.compute(NAME)
    world.project("fly", b"a better classifier")
    await world.project_changed("fly")
    if when == "running":
        await world.deliver(MINUTE)
        await world.compute(NAME)
    await world.deliver()
    assert (world.row(NAME).run, world.row(NAME).state) == (1, State.SUCCEEDED)
    await world.deliver(MINUTE)
    assert (world.row(NAME).run, world.row(NAME).state) == (2, State.ACTIVE)
    assert world.row(NAME).plan.tool.project_digest != row.plan.tool.project_digest


async def test_another_configuration_is_another_run():
    """It changes what is computed as much as another classifier does."""
    world = await finished()
    world.blobs.upload("projects", "fly.json", b'{"export_source": "Probabilities"}')
    await world.project_changed("fly")
    await world.deliver(MINUTE)
    assert (world.row(NAME).run, world.row(NAME).plan.tool.export_source) == (2, "Probabilities")


async def test_the_same_classifier_again_is_no_change():
    """Uploaded anew, looked at by the sweep: what counts is its content."""
    world = await finished()
    world.project("fly")
    await world.project_changed("fly")
    await world.deliver(MINUTE)
    assert world.row(NAME).run == 1


async def test_an_edit_of_the_properties_is_no_change():
    """The image has another ETag and the same content, and its project is what it was."""
    world = await finished()
    world.blobs.edit("input", NAME, {"note": "seen"})
    await world.start(NAME)
    await world.project_changed("fly")
    await world.deliver(MINUTE)
    assert world.row(NAME).run == 1
    assert len(world.tasks()) == 1
