"""Every use case, disturbed at every single call: whatever happens there, everything ends well."""

from collections.abc import Callable, Iterator

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
_COLLECT = _BY_NAME["results of a second version are moved"]
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


@pytest.mark.parametrize("scene", SCENES, ids=str)
def test_an_undisturbed_scene_ends_well(scene: Scene) -> None:
    """What the enumerations start from is right itself."""
    world, labels = scene.play()
    assert labels
    assert _ends_badly(world) == []


@pytest.mark.parametrize("scene", SCENES, ids=str)
def test_a_crash_at_any_call(scene: Scene) -> None:
    """The process may die before or after any call took effect: at every point that differs from the one before."""
    _enumerate(scene, crash, is_distinct)


@pytest.mark.parametrize("scene", SCENES, ids=str)
def test_a_lost_answer(scene: Scene) -> None:
    """A conditional write that took effect may be told to have failed, as clients repeat what was not answered."""
    _enumerate(scene, lose_answer, is_conditional)


@pytest.mark.parametrize("meanwhile", MEANWHILE)
def test_collect_stands_still_at_any_call(meanwhile: str) -> None:
    """Collect may stop anywhere while another version is uploaded, run and published completely, and then go on."""
    for point in _points(_COLLECT, is_stop):
        world = stand_still(_COLLECT, point, MEANWHILE[meanwhile])
        assert _ends_badly(world) == [], f"stood still {point}"


@pytest.mark.parametrize(("scene", "meanwhile"), _OVERTAKEN)
def test_start_stands_still_at_any_call(scene: str, meanwhile: str) -> None:
    """Start may stop anywhere while others see to the same file; nothing of theirs is undone."""
    for point in _points(_BY_NAME[scene], is_stop):
        world = stand_still(_BY_NAME[scene], point, MEANWHILE[meanwhile])
        assert _ends_badly(world) == [], f"stood still {point}"


@pytest.mark.parametrize(("scene", "meanwhile"), _TOO_LATE)
def test_a_process_stands_still_and_dies_after_one_more_effect(scene: str, meanwhile: str) -> None:
    """What reaches a service late is nobody's to mend: it does no harm by itself."""
    for point in _points(_BY_NAME[scene], is_late):
        world = stand_still(_BY_NAME[scene], point, MEANWHILE[meanwhile], dies=True)
        assert _ends_badly(world) == [], f"stood still {point}"


@pytest.mark.slow
@pytest.mark.parametrize("scene", SCENES, ids=str)
def test_a_crash_at_every_single_point(scene: Scene) -> None:
    """As above, with the points that should make no difference."""
    _enumerate(scene, crash, lambda point: not is_distinct(point))


@pytest.mark.slow
@pytest.mark.parametrize("scene", SCENES, ids=str)
def test_a_service_fault_at_any_call(scene: Scene) -> None:
    """Any call may find its service unable to answer, with or without effect."""
    _enumerate(scene, fail, lambda point: True)


@pytest.mark.slow
@pytest.mark.parametrize("scene", SCENES, ids=str)
def test_a_surprise_at_any_call(scene: Scene) -> None:
    """Any call may end in an error that nobody thought of: once, and the file goes its way all the same."""
    _enumerate(scene, surprise, lambda point: True)


@pytest.mark.slow
@pytest.mark.parametrize("meanwhile", MEANWHILE)
@pytest.mark.parametrize("scene", SCENES, ids=str)
def test_standing_still_at_any_call(scene: Scene, meanwhile: str) -> None:
    """Any process may stop anywhere while others go on."""
    for point in _points(scene, is_stop):
        world = stand_still(scene, point, MEANWHILE[meanwhile])
        assert _ends_badly(world) == [], f"stood still {point}"


@pytest.mark.slow
@pytest.mark.parametrize("meanwhile", MEANWHILE)
@pytest.mark.parametrize("scene", SCENES, ids=str)
def test_one_late_effect_at_any_call(scene: Scene, meanwhile: str) -> None:
    """Any process may stand still before any effect of its own, and be ended right after it."""
    for point in _points(scene, is_late):
        world = stand_still(scene, point, MEANWHILE[meanwhile], dies=True)
        assert _ends_badly(world) == [], f"stood still {point}"


def _enumerate(scene: Scene, happening: Happening, fits: Callable[[Point], bool]) -> None:
    for point in _points(scene, fits):
        world, _ = scene.play(point, happening)
        assert _ends_badly(world) == [], str(point)


def _points(scene: Scene, fits: Callable[[Point], bool]) -> Iterator[Point]:
    return (point for point in scene.points() if fits(point))


def _ends_badly(world: Simulation) -> list[str]:
    world.come_to_rest()
    return complaints(world)
