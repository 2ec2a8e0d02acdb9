"""Images that no node has room for, and what becomes of the advice in their rejection."""

from batch_ops.domain.file_record import State
from batch_ops.task.run_plan import ImageDescription
from tests.fakes.check import FakeCheck
from tests.world import MINUTE, NAME, World


class _LargePages(FakeCheck):
    def describe(self, content: bytes) -> ImageDescription:
        return ImageDescription("exported_data", "yx", True, (40_000, 40_000), "uint8")


async def test_the_advice_of_a_rejection_has_an_effect():
    """The configuration that the sentence asks for starts the file; any other leaves it as it is."""
    world = World()
    world.check = _LargePages(world.cloud)
    world.new_process()
    world.drop(NAME)
    rejected = await world.start(NAME)
    assert rejected.state is State.REJECTED
    assert 'Set "engine" to "certified" in the configuration' in rejected.reason
    other, engine = b'{"settle_seconds": 0}', b'{"engine": "certified"}'
    for config, run, state in ((other, 1, State.REJECTED), (engine, 2, State.ACTIVE)):
        world.blobs.upload("projects", "fly.json", config)
        await world.project_changed("fly")
        await world.deliver(MINUTE)
        assert (world.row(NAME).run, world.row(NAME).state) == (run, state)
