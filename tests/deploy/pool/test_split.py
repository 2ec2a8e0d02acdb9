"""Touching objects are parted as scikit-image's watershed parts them from the same centres."""

import numpy as np
import pytest
from scipy import ndimage
from skimage import measure
from skimage.segmentation import watershed

from batch_ops.task.objects import DISTANCE, CountedClass, ObjectsWanted
from tests.deploy.pool.measuring import Measuring


def balls(shape: tuple[int, int, int], *places: tuple[int, int, int, int]) -> np.ndarray:
    """Balls of (z, y, x, radius) as class 1, all else 2."""
    grid = np.indices(shape)
    found = np.full(shape, 2, "uint8")
    for *centre, radius in places:
        found[sum((axis - at) ** 2 for axis, at in zip(grid, centre, strict=True)) <= radius**2] = 1
    return found


@pytest.fixture
def measuring(tmp_path):
    return Measuring(tmp_path, wanted=ObjectsWanted((CountedClass(1, "Cell"),), split=DISTANCE))


@pytest.mark.parametrize(
    ("shape", "places"),
    [
        ((1, 40, 70), [(0, 20, 20, 12), (0, 20, 41, 12)]),
        ((1, 60, 60), [(0, 0, 10, 9), (0, 18, 14, 10), (0, 40, 40, 12), (0, 40, 59, 10)]),
        ((12, 30, 50), [(5, 15, 13, 9), (6, 15, 30, 10), (6, 2, 45, 3)]),
    ],
    ids=["two", "at the border", "3D"],
)
def test_parts_are_those_of_a_watershed(measuring, shape, places):
    """As many as there are balls, and of the pixels that scikit-image gives them, but where floods meet."""
    classes = balls(shape, *places)
    image = np.random.default_rng(2).integers(0, 255, (1, *shape)).astype("uint8")
    rows = measuring.run(classes[None], image)
    assert not measuring.fault
    distance = ndimage.distance_transform_edt(classes == 1)
    markers = np.zeros(shape, int)
    for number, (*centre, _) in enumerate(places, 1):
        markers[tuple(centre)] = number
    expected = measure.regionprops(watershed(-distance, markers, mask=classes == 1), image[0])
    found = sorted(rows, key=lambda row: float(row["centroid_x"]))
    assert measuring.printed["classes"][0]["objects"] == [len(places)]
    assert sum(int(row["pixels"]) for row in rows) == np.count_nonzero(classes == 1)
    for row, wanted in zip(found, sorted(expected, key=lambda one: one.centroid[2]), strict=True):
        assert int(row["pixels"]) == pytest.approx(wanted.area, rel=0.05)
        assert float(row["mean_0"]) == pytest.approx(wanted.intensity_mean, rel=0.05)


def test_what_does_not_touch_is_as_without(measuring):
    """Digit by digit; a class that is everywhere has no edge, and one that is nowhere no part."""
    classes = balls((1, 40, 70), (0, 12, 12, 9), (0, 25, 50, 11))
    image = np.random.default_rng(3).random((1, 1, 40, 70))
    parted = measuring.run(classes[None], image)
    measuring.wanted = ObjectsWanted((CountedClass(1, "Cell"),))
    assert parted == measuring.run(classes[None], image)
    measuring.wanted = ObjectsWanted((CountedClass(1, "Cell"),), split=DISTANCE)
    for value, objects in ((1, 1), (2, 0)):
        measuring.run(np.full((1, 1, 9, 9), value, "uint8"), np.zeros((1, 1, 9, 9), "uint8"))
        assert measuring.printed["classes"][0]["objects"] == [objects]
