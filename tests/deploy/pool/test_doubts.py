"""Why a result that ran may be wrong: each warning with an image that must give it, and one that must not."""

import json
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from batch_ops.task import warning_kinds as kinds
from batch_ops.task.objects import ObjectsWanted
from tests.deploy.pool.measuring import Measuring
from tests.fakes.forests import FORESTS, add_forest, tree
from tests.unit.inspection.conftest import add_classifier

RANDOM = np.random.default_rng(4)
SHAPE = (60, 50)
# Cells of 300 to 900 on a ground of about 100: a camera of 12 bits.
CELLS = np.where(
    np.indices(SHAPE).sum(axis=0) % 7 == 0, RANDOM.integers(300, 900, SHAPE), RANDOM.integers(90, 110, SHAPE)
)
THRESHOLDS = (200.0, 210.0, 230.0, 250.0, 290.0)


@pytest.fixture
def measuring(tmp_path: Path) -> Measuring:
    """Nothing is counted, so that only what is seen of the pixels is told."""
    return Measuring(tmp_path, axes="yx", wanted=ObjectsWanted())


def project(folder: Path, thresholds: tuple[float, ...], feature: int = 0, **lane: object) -> str:
    """A project whose classifier divides the intensities (feature 0) of 2D images at these thresholds."""
    path = folder / "trained.ilp"
    with h5py.File(path, "w") as file:
        add_classifier(file, (feature, 0))
        del file[f"{FORESTS}/Forest0000"], file[f"{FORESTS}/Forest0001"]
        add_forest(file[FORESTS], "Forest0000", [tree(1, threshold) for threshold in thresholds], 1, classes=2)
        for name, value in lane.items():
            file[f"Input Data/infos/lane0000/Raw Data/{name}"] = value
    return str(path)


def codes(measuring: Measuring, image: np.ndarray, classes: np.ndarray | None = None) -> list[str]:
    """The kinds of warnings that an image gets."""
    both = np.where(CELLS > 200, 2, 1) if classes is None else classes
    measuring.run(both.astype("uint8")[None, None], image)
    assert not measuring.fault
    return [warning["code"] for warning in measuring.warnings]


@pytest.mark.parametrize(
    ("image", "warned"),
    [
        (CELLS.astype("uint16"), False),
        ((CELLS // 16).astype("uint8"), True),
        ((CELLS // 16).astype("uint16"), True),
        (np.clip(CELLS // 4, 0, 255).astype("uint8"), True),
        ((CELLS * 257).clip(0, 65535).astype("uint16"), True),
        (CELLS.astype("float32"), False),
        ((CELLS / 4095).astype("float32"), True),
        # An empty well beside a full one.
        (RANDOM.integers(90, 110, SHAPE).astype("uint16"), False),
        # A cell much brighter than all others.
        (np.where(np.indices(SHAPE).sum(axis=0) < 5, 4000, CELLS).astype("uint16"), False),
    ],
    ids=["12 bit", "8 bit", "8 of 16 bit", "stretched", "16 bit", "float", "0 to 1", "empty", "one bright cell"],
)
def test_intensities_far_from_the_thresholds(measuring, image, warned):
    """Another bit depth or scale of values is; an empty image of the same camera is not."""
    measuring.project = project(measuring.folder, THRESHOLDS)
    assert (kinds.INTENSITY_RANGE in codes(measuring, image)) is warned


@pytest.mark.parametrize(("thresholds", "feature"), [(THRESHOLDS[:3], 0), (THRESHOLDS, 2)])
def test_few_thresholds_tell_nothing_nor_do_those_of_other_features(measuring, thresholds, feature):
    """Edges and textures have no intensities that an image could be compared with."""
    measuring.project = project(measuring.folder, thresholds, feature)
    assert kinds.INTENSITY_RANGE not in codes(measuring, (CELLS // 16).astype("uint8"))


def test_a_real_classifier_knows_the_image_that_it_was_trained_on(measuring):
    """And not the same image in another bit depth; project and image are ilastik's own."""
    folder = Path(__file__).parents[2] / "data/ilastik/cells2d"
    with h5py.File(folder / "input.h5") as file:
        image = file["volume/data"][0, :, :, 0, 0]
    measuring.project = str(folder / "project.ilp")
    classes = np.ones(image.shape)
    assert kinds.INTENSITY_RANGE not in codes(measuring, image, classes)
    assert kinds.INTENSITY_RANGE in codes(measuring, image.astype("uint16") * 257, classes)
    assert kinds.INTENSITY_RANGE in codes(measuring, image // 16, classes)


@pytest.mark.parametrize(
    ("image", "warned"),
    [
        (np.minimum(CELLS, 255).astype("uint8"), True),
        (np.minimum(CELLS * 8, 4095).astype("uint16"), True),
        (np.minimum(CELLS, 500).astype("uint16"), False),
        (CELLS.astype("uint16"), False),
        ((CELLS / 4).astype("uint8"), False),
    ],
    ids=["8 bit", "12 bit", "clipped by hand", "12 bit, good", "8 bit, good"],
)
def test_saturation(measuring, image, warned):
    """More than 1 % at the greatest value of the type, or of a camera of 10, 12 or 14 bits."""
    assert (kinds.SATURATION in codes(measuring, image)) is warned


def sizes(**um: float) -> dict[str, str]:
    tags = {"axes": [{"key": axis, "resolution": size} for axis, size in um.items()]}
    return {"axistags": json.dumps(tags), "axis_units": json.dumps(dict.fromkeys(um, "um"))}


@pytest.mark.parametrize(
    ("image", "trained", "warned"),
    [
        (sizes(y=0.5, x=0.5), sizes(y=0.325, x=0.325), True),
        (sizes(y=0.35, x=0.35), sizes(y=0.325, x=0.325), False),
        (sizes(y=0.325, x=0.5), sizes(y=0.325, x=0.325), True),
        (sizes(y=0.5, x=0.5), {"axistags": sizes(y=1, x=1)["axistags"], "axis_units": "null"}, False),
        ({}, sizes(y=1, x=1), False),
    ],
    ids=["other", "nearly", "one axis", "training without unit", "image without size"],
)
def test_pixels_of_another_size(measuring, image, trained, warned):
    """More than 20 % off the training images', where both say theirs with a unit."""
    measuring.attributes = image
    measuring.project = project(measuring.folder, THRESHOLDS, **trained)
    assert (kinds.PIXEL_SIZE in codes(measuring, CELLS.astype("uint16"))) is warned


@pytest.mark.parametrize(("others", "warned"), [(14, True), (16, False), (0, False)])
def test_a_class_with_nearly_all_pixels(measuring, others, warned):
    """More than 99.5 % of 3,000; all of them are a warning of their own."""
    classes = np.ones(SHAPE)
    classes.flat[:others] = 2
    assert (kinds.DOMINANT_CLASS in codes(measuring, CELLS.astype("uint16"), classes)) is warned
    assert measuring.class_pixels == [3000 - others, others, 0]


def _lose(file: h5py.File) -> None:
    del file[FORESTS]


def _confuse(file: h5py.File) -> None:
    file[f"{FORESTS}/Forest0000/Tree_0/topology"][4:6] = 10**6


@pytest.mark.parametrize("damage", [_lose, _confuse])
def test_a_project_that_tells_nothing_is_no_reason_to_doubt(measuring, damage: Callable[[h5py.File], None]):
    """Nor to tell nothing of the image."""
    measuring.project = project(measuring.folder, THRESHOLDS)
    with h5py.File(measuring.project, "r+") as file:
        damage(file)
    assert codes(measuring, np.full(SHAPE, 255, "uint8")) == [kinds.SATURATION]
