"""Every use case, disturbed at every single call: whatever happens there, everything ends well."""

from collections.abc import Callable, Iterator
from itertools import product

import pytest

from tests.chaos.disturbances import (
    MEANWHILE,
    fail,
    is_conditional,
    is_distinct,
    is_late,
    is_stop,
    lose_answer,
    stand_still,
    surprise,
)
from tests.chaos.invariants import complaints
from tests.chaos.process import Happening, crash
from tests.chaos.scene import Point, Scene
from tests.chaos.scenes import SCENES
from tests.chaos.simulation import Simulation

_BY_NAME = {scene.name: scene for scene in SCENES}
_COLLECT = "results of a second version are moved"
_DISTURBANCES = (
    pytest.param(crash, is_distinct, id="crash"),
    # A conditional write that took effect may be told to have failed, as clients repeat what was not answered.
    pytest.param(lose_answer, is_conditional, id="lost answer"),
    # The points that should make no difference.
    pytest.param(crash, lambda point: not is_distinct(point), id="crash elsewhere", marks=pytest.mark.slow),
    pytest.param(fail, lambda point: True, id="service fault", marks=pytest.mark.slow),
    pytest.param(surprise, lambda point: True, id="surprise", marks=pytest.mark.slow),
)
# Where standing still did harm once.
_OVERTAKEN = (
    ("an image that is refused", "a newer version"),
    ("an archived image", "a newer version"),
    ("a wrong image after success", "a newer version"),
    ("a project appears, told by its event", "another classifier"),
    ("a dropped image", "another version and back, unnoticed"),
    ("another image while the task runs", "a wrong newer version"),
    ("another image when the task is done", "the image is deleted"),
)
_TOO_LATE = (
    ("a dropped image", "another classifier"),
    ("another image while the task runs", "a newer version"),
    ("a wrong image after success", "a newer version"),
    ("a second try ended", "a newer version"),
    ("a task is done", "every message comes again"),
)
_QUICK = {
    *((False, _COLLECT, meanwhile) for meanwhile in MEANWHILE),
    *((False, *pair) for pair in _OVERTAKEN),
    *((True, *pair) for pair in _TOO_LATE),
}
_STANDSTILLS = [
    pytest.param(*case, marks=() if case in _QUICK else pytest.mark.slow)
    for case in product((False, True), _BY_NAME, MEANWHILE)
]


@pytest.mark.parametrize("scene", SCENES, ids=str)
def test_an_undisturbed_scene_ends_well(scene: Scene) -> None:
    """What the enumerations start from is right itself."""
    world, labels = scene.play()
    assert labels
    assert _ends_badly(world) == []


@pytest.mark.parametrize("scene", SCENES, ids=str)
@pytest.mark.parametrize(("happening", "fits"), _DISTURBANCES)
def test_a_disturbance_at_any_call(happening: Happening, fits: Callable[[Point], bool], scene: Scene) -> None:
    """Whatever happens before or after any call took effect, wherever that makes a difference: all ends well."""
    for point in _points(scene, fits):
        world, _ = scene.play(point, happening)
        assert _ends_badly(world) == [], str(point)


@pytest.mark.parametrize(("dies", "scene", "meanwhile"), _STANDSTILLS)
def test_standing_still_at_any_call(dies: bool, scene: str, meanwhile: str) -> None:
    """Any process may stop anywhere while others handle the same file, and then continue: none of their work is undone.

    Or it dies right after one more effect: what reaches a service late is nobody's to mend, and does no harm.
    """
    for point in _points(_BY_NAME[scene], is_late if dies else is_stop):
        world = stand_still(_BY_NAME[scene], point, MEANWHILE[meanwhile], dies=dies)
        assert _ends_badly(world) == [], f"stood still {point}"


def _points(scene: Scene, fits: Callable[[Point], bool]) -> Iterator[Point]:
    return (point for point in scene.points() if fits(point))


def _ends_badly(world: Simulation) -> list[str]:
    world.come_to_rest()
    return complaints(world)
