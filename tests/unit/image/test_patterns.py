"""Datasets that a pattern of their paths names: one of them, or several that are one image."""

import io
from dataclasses import replace

import h5py
import numpy as np
import pytest

from batch_ops.image.facts import ImageOptions, Undecided
from batch_ops.image.read_image import read_image
from batch_ops.image.read_pattern import parts
from batch_ops.image.readings import Dataset, image_findings
from tests.unit.image.test_image_rules import judge, words

CELLS = "t{t:05d}/s00/0/cells"


@pytest.fixture
def file():
    """Three time points of one or two set-ups at two levels, and channels in files of their own."""
    with h5py.File(io.BytesIO(), "w") as made:
        for t in range(3):
            for level in range(2):
                made[f"t{t:05d}/s00/{level}/cells"] = np.zeros((20 >> level, 30 >> level, 40 >> level), "i2")
            made[f"t{t:05d}/s01/0/cells"] = np.zeros((20, 30, 40), "i2")
            for c in (1, 2):
                made[f"raw/T{t + 8}_C{c:02d}"] = np.zeros((30, 40), "u1")
        made["t00002/s00/0/only"] = np.zeros((12, 30, 40), "u1")
        yield made


@pytest.mark.parametrize(
    ("pattern", "shape", "stacked", "count"),
    [
        (CELLS, [3, 20, 30, 40], "t", 3),
        ("t{t}/s{setup:02d}/1/cells", [3, 10, 15, 20], "t", 3),
        ("t{t}/s01/{level}/c*s", [3, 20, 30, 40], "t", 3),
        ("raw/T{t}_C02", [3, 30, 40], "t", 3),
        ("raw/T9_C{c:02d}", [2, 30, 40], "c", 2),
        ("t00001/s*/1/cells", [10, 15, 20], "", 0),
        ("*/s00/0/only", [12, 30, 40], "", 0),
    ],
)
def test_datasets_that_a_pattern_names_are_one_image(file, pattern, shape, stacked, count):
    """Along t, z or c, by their numbers; any other open place must have one number only."""
    if "/s{setup" in pattern or "/s*" in pattern:
        for t in range(3):
            del file[f"t{t:05d}/s01"]
    found = read_image(file, pattern, 99)
    assert (found["finding"], found["shape"], found.get("stacked", "")) == ("dataset", shape, stacked)
    if count:
        assert len(list(parts(file, pattern))) == count
        assert [part.at for part in parts(file, pattern)] == [(index,) for index in range(count)]


@pytest.mark.parametrize(
    ("pattern", "finding", "names"),
    [
        ("t{t:05d}/s{setup:02d}/0/cells", "several of pattern", ["t00000/s00/0/cells", "t00000/s01/0/cells"]),
        ("raw/T{t}_C{c}", "several of pattern", None),
        ("t{t:06d}/s00/0/cells", "missing", None),
        ("t{t:05d}/s00/0", "missing", None),
        ("t00000/s00/*", "several of pattern", ["t00000/s00/0", "t00000/s00/1"]),
        ("x{t/*", "missing", None),
        ("t{t:10d}/s00/0/cells", "missing", None),
        ("t{t:00d}/s00/0/cells", "missing", None),
    ],
)
def test_what_a_pattern_does_not_name_clearly_is_refused(file, pattern, finding, names):
    """With the names between which somebody has to choose."""
    found = read_image(file, pattern, 99)
    assert found["finding"] == finding
    assert names is None or found["names"] == names


def test_links_inside_the_file_are_followed(file):
    """On the node nothing else is."""
    del file["t00001/s00/0/cells"]
    file["t00001/s00/0/cells"] = h5py.SoftLink("/t00001/s01/0/cells")
    paths = [part.path for part in parts(file, CELLS)]
    assert paths == ["t00000/s00/0/cells", "t00001/s01/0/cells", "t00002/s00/0/cells"]


def test_a_time_point_that_is_missing_is_noticed(file):
    """Nobody takes the third for the second."""
    del file["t00001"]
    assert read_image(file, CELLS, 99)["finding"] == "gap"


def test_its_axes_begin_with_those_of_the_pattern(file, h5):
    """The others are those of its datasets: tagged, configured with or without them, or the ones that fit."""
    found = image_findings(read_image(file, CELLS, 99))
    assert isinstance(found, Dataset)
    for options in (ImageOptions(), ImageOptions(axes="tzyx"), ImageOptions(axes="zyx")):
        verdict = judge(found, h5.project, options)
        assert (verdict.image.axes, verdict.image.internal_path, verdict.image.tagged) == ("tzyx", CELLS, False)
    question = judge(replace(found, shape=(3, 4, 30, 40)), h5.project)
    assert isinstance(question, Undecided)
    assert question.likely == "tzyx"
    small = replace(h5.project, sigma_3d=0.3)
    for confirmed in ("tzyx", "zyx"):
        answered = judge(replace(found, shape=(3, 4, 30, 40)), small, ImageOptions(confirmed=confirmed))
        assert answered.image.axes == "tzyx"
    assert "names an axis twice" in words(judge(found, h5.project, ImageOptions(axes="ytx")))
