"""An image whose XML says more of it: it waits a while, then goes on without; the XML's version is part of the run."""

from batch_ops.domain.file_record import State
from tests.fakes.check import SETUPS_XML
from tests.world import MINUTE, NAME, World

XML = NAME.replace(".h5", ".xml")


async def test_it_waits_for_its_xml(world: World):
    """Which then is part of what was computed from; the XML itself has no row."""
    world.drop(NAME, b"SETUPS")
    row = await world.start(NAME)
    assert (row.state, row.reason.split(";")[0]) == (State.WAITING, "It waits a while for its XML, 'a.xml'")
    world.blobs.upload("input", XML, SETUPS_XML)
    await world.start(NAME)
    row = world.row(NAME)
    assert row.state is State.ACTIVE
    assert row.plan.companion not in ("", "none")
    assert row.plan.warnings == ()
    assert row.plan.image.pixel_sizes == (("z", 1.5, "um"), ("y", 0.3, "um"), ("x", 0.2, "um"))


async def test_it_goes_on_without(world: World):
    """And says so; its run key is that of an image that never has one."""
    world.drop(NAME, b"SETUPS")
    await world.start(NAME)
    await world.tick(after=3 * MINUTE)
    row = world.row(NAME)
    assert row.state is State.ACTIVE
    assert "no-companion" in [warning.code for warning in row.plan.warnings]
    world.blobs.upload("input", XML, SETUPS_XML)
    done = await world.finish(NAME)
    assert done.state is State.SUCCEEDED
    world.drop(NAME, b"SETUPS")
    again = await world.start(NAME, sequencer="02")
    assert (again.run, again.state) == (2, State.ACTIVE)
    assert again.plan.run_key != done.plan.run_key
