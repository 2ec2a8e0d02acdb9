"""Which parts of an image are compared, and that a single wrong pixel is seen."""

import numpy as np
import pytest

from batch_ops.task.probes import LEAST_VOXELS, WHOLE_VOXELS, probes
from node.compare import Comparison, compare

LARGE = {"t": 6, "z": 70, "y": 260, "x": 700}
FLAT = {"y": 5_000, "x": 4_100}
FAINTEST, BRIGHTEST = (1, 33, 200, 41), (3, 8, 130, 600)

# Ten single pixels of the large image, as t, z, y, x.
PLANTED = {
    "first": (0, 0, 0, 0),
    "last": (5, 69, 259, 699),
    "faintest": FAINTEST,
    "brightest": BRIGHTEST,
    "middle": (1, 35, 130, 350),
    "beside a seam of tiles": (1, 35, 128, 320),
    "near the left end": (5, 66, 3, 2),
    "near the bottom": (5, 68, 250, 690),
    "near the right end": (2, 4, 5, 698),
    "near the lower end": (3, 2, 259, 1),
}


@pytest.mark.parametrize(
    ("size", "flat"),
    [(LARGE, False), ({**LARGE, "t": 1}, False), ({"t": 4_000, "z": 12, "y": 200, "x": 90}, False), (FLAT, True)],
)
def test_enough_is_compared_and_all_of_it_lies_in_the_image(size, flat):
    """At least two million voxels, every time point as far as there are probes, none twice."""
    chosen = probes(size)
    assert sum(probe.voxels for probe in chosen) >= LEAST_VOXELS
    assert len(set(chosen)) == len(chosen)
    shape = [size.get(axis, 1) for axis in "tzyx"]
    for probe in chosen:
        assert all(0 <= a < b <= n for a, b, n in zip(probe.start, probe.stop, shape, strict=True))
    times = {probe.start[0] for probe in chosen}
    assert len(times) >= min(shape[0], 9)
    assert 0 in times
    assert shape[0] - 1 in times
    assert {True} == {any(probe.start[1] == 0 for probe in chosen), any(probe.stop[1] == shape[1] for probe in chosen)}


def test_a_small_image_is_compared_whole():
    """There is nothing to choose."""
    (only,) = probes({"z": 40, "y": 300, "x": 300})
    assert (only.voxels, only.voxels <= WHOLE_VOXELS) == (40 * 300 * 300, True)


def test_thin_stacks_stay_as_thin_as_they_are():
    """Filters go over to two dimensions there: a probe has all planes."""
    assert {probe.stop[1] - probe.start[1] for probe in probes({"z": 9, "y": 3_000, "x": 900})} == {9}


@pytest.mark.parametrize("place", PLANTED.values(), ids=PLANTED)
@pytest.mark.parametrize(("dtype", "off", "tolerance"), [("uint8", 1, 0.0), ("float32", 0.01, 1e-5)])
def test_a_single_wrong_pixel_is_caught(place, dtype, off, tolerance):
    """Wherever it lies of these places, in segmentations and in probabilities: one differs, and no more."""
    found = Comparison()
    for probe in probes(LARGE, [FAINTEST, BRIGHTEST]):
        extent = [b - a for a, b in zip(probe.start, probe.stop, strict=True)]
        reference = np.full((*extent, 1), 1, dtype)
        candidate = reference.copy()
        if probe.holds(place):
            candidate[*(at - start for at, start in zip(place, probe.start, strict=True)), 0] += off
        found += compare(reference, candidate, tolerance)
    assert found.differing >= 1
    assert found.largest == pytest.approx(off, rel=1e-3)


@pytest.mark.parametrize(
    ("reference", "candidate", "differing"),
    [
        (np.ones((2, 3, 2), "f4"), np.ones((2, 3, 2), "f4"), 0),
        (np.ones((2, 3, 2), "f4"), np.full((2, 3, 2), np.nan, "f4"), 6),
        (np.ones((2, 3, 1), "u1"), np.ones((3, 2, 1), "u1"), 6),
        (np.ones((2, 3, 1), "u1"), np.ones((2, 3, 1), "u2"), 6),
        (np.ones((0, 3, 1), "u1"), np.ones((0, 3, 1), "u1"), 1),
    ],
)
def test_what_cannot_be_compared_differs(reference, candidate, differing):
    """Another shape or type, numbers that are none, nothing at all."""
    assert compare(reference, candidate, 1e-5).differing == differing
