"""A class that a file lacks although the other files of its folder have it is a warning."""

import pytest

from batch_ops.domain.file_record import State
from batch_ops.task.warning_kinds import ABSENT_CLASS
from tests.world import World

FULL, EMPTY = (900, 100), (1000, 0)


async def collected(world: World, name: str, class_pixels: tuple[int, ...]) -> bool:
    """Whether a file with these pixels of each class gets the warning, in its row and in its provenance."""
    await world.begin(name)
    row = await world.finish(name, class_pixels=class_pixels)
    assert (row.state, row.published.class_pixels) == (State.SUCCEEDED, class_pixels)
    told = {warning["code"] for warning in world.provenance(name)["warnings"]}
    assert told == {warning.code for warning in row.plan.warnings}
    return ABSENT_CLASS in told


@pytest.mark.parametrize(
    ("others", "name", "warned"),
    [
        ([FULL] * 3, "fly/plate/x.h5", True),
        ([FULL] * 4 + [EMPTY], "fly/plate/x.h5", True),
        ([FULL] * 2, "fly/plate/x.h5", False),
        ([FULL, EMPTY] * 3, "fly/plate/x.h5", False),
        ([FULL] * 3, "fly/other/x.h5", False),
    ],
    ids=["all have it", "most have it", "too few to compare", "half of them", "another folder"],
)
async def test_a_class_that_the_others_have(others, name, warned):
    """At least three others, more than three quarters of them with the class."""
    world = World()
    for number, pixels in enumerate(others):
        await collected(world, f"fly/plate/{number}.h5", pixels)
        # A look at the others is good for a minute.
    world.new_process()
    assert await collected(world, name, EMPTY) is warned


async def test_a_file_that_has_every_class_is_compared_with_none():
    """It costs no call."""
    world = World()
    await collected(world, "fly/a.h5", FULL)
    assert not [call for call in world.cloud.calls if "index.page" in call]


async def test_results_of_another_classifier_are_not_compared():
    """It may have other classes."""
    world = World()
    for number in range(3):
        await collected(world, f"fly/{number}.h5", FULL)
    world.project("fly", b"another classifier")
    world.new_process()
    assert not await collected(world, "fly/x.h5", EMPTY)
