"""The table of objects is what scipy and scikit-image find in the same pixels, whatever the image's order and size."""

import json

import h5py
import numpy as np
import pytest
import skimage
import tifffile
from scipy import ndimage
from skimage import measure

from batch_ops.task.objects import ObjectsWanted
from tests.deploy.pool.measuring import CLASSES, Measuring
from tests.structure import REPOSITORY


@pytest.fixture
def counting(tmp_path):
    return Measuring(tmp_path)


def expected(classes: np.ndarray, image: np.ndarray) -> list[dict[str, object]]:
    """What the libraries find in classes (t, z, y, x) and an image (t, z, y, x, c)."""
    rows = []
    planes = classes.shape[1]
    kept = slice(0 if planes > 1 else 1, 3)
    axes = "zyx"[kept]
    for t, stack in enumerate(classes):
        for one in CLASSES:
            labels, _ = ndimage.label(stack == one.label)
            for found in measure.regionprops(labels, image[t]):
                low, high = found.bbox[:3][kept], found.bbox[3:][kept]
                touches = any(a == 0 or b == n for a, b, n in zip(low, high, stack.shape[kept], strict=True))
                values = (found.intensity_mean, found.intensity_min, found.intensity_max)
                rows.append(
                    {"t": t, "class": one.label, "class_name": one.name.replace("=", "'="), "id": found.label}
                    | {"pixels": int(found.area)}
                    | {f"centroid_{axis}": float(c) for axis, c in zip(axes, found.centroid[kept], strict=True)}
                    | {f"bbox_{axis}0": int(b) for axis, b in zip(axes, low, strict=True)}
                    | {f"bbox_{axis}1": int(b) for axis, b in zip(axes, high, strict=True)}
                    | {"touches_border": int(touches)}
                    | {
                        f"{what}_{channel}": value[channel].item()
                        for channel in range(image.shape[4])
                        for what, value in zip(("mean", "min", "max"), values, strict=True)
                    }
                )
    return rows


def numbers(rows: list[dict[str, str]]) -> list[dict[str, object]]:
    """The table with its numbers read, all digits of them."""
    return [{name: text if name == "class_name" else float(text) for name, text in row.items()} for row in rows]


@pytest.mark.parametrize(
    ("axes", "shape", "density"),
    [
        ("yx", (1, 1, 60, 43, 1), 0.5),
        ("xcy", (1, 1, 31, 40, 2), 0.6),
        ("zyx", (1, 7, 30, 23, 1), 0.35),
        ("cxyzt", (3, 5, 17, 12, 2), 0.35),
        ("tzyxc", (2, 4, 20, 19, 3), 0.1),
        ("tyx", (4, 1, 20, 19, 1), 0.9),
    ],
)
def test_the_table_is_what_the_libraries_find(counting, axes, shape, density):
    """Each object with its place, size, border and intensities, in their order, digit by digit."""
    random = np.random.default_rng(5)
    classes = np.where(random.random(shape[:4]) < density, random.choice([1, 3], shape[:4]), 2).astype("uint8")
    image = random.integers(0, 2**16, shape).astype("uint16")
    counting.axes = axes
    absent = tuple(index for index, axis in enumerate("tzyxc") if axis not in axes)
    left = [axis for axis in "tzyxc" if axis in axes]
    stored = image.squeeze(absent).transpose([left.index(axis) for axis in axes])
    rows = counting.run(classes, stored)
    assert numbers(rows) == expected(classes, image)
    for one, counted in zip(CLASSES, counting.printed["classes"], strict=True):
        assert counted["objects"] == [ndimage.label(stack == one.label)[1] for stack in classes]
        assert counted["sizes"] == [np.count_nonzero(stack == one.label) for stack in classes]


@pytest.mark.parametrize("shown", ["cells2d", "coins"])
def test_the_table_of_real_pixels(counting, shown):
    """Of what ilastik itself wrote for an image, and of a photograph of coins parted at a brightness."""
    if shown == "cells2d":
        folder = REPOSITORY / "tests/data/ilastik/cells2d"
        classes = np.array([0, 1, 3], "uint8")[tifffile.imread(folder / "expected/input.tiff")]
        with h5py.File(folder / "input.h5") as file:
            image = file["volume/data"][..., 0, 0].swapaxes(1, 2)  # stored as txyzc
    else:
        image = skimage.data.coins()[None]
        classes = np.where(image > 107, 1, 2).astype("uint8")
    assert image.shape == classes.shape
    counting.axes = "tyx"
    rows = counting.run(classes[:, None], image)
    assert len(rows) > 15
    assert numbers(rows) == expected(classes[:, None], image[:, None, ..., None])


def test_objects_that_cross_the_edges_of_what_is_read_at_once(counting, monkeypatch):
    """A spiral through all rows is one object, diagonal neighbours are two, however the image is cut into bands."""
    monkeypatch.setenv("COUNT_BAND_BYTES", "700")
    counting.aside = True
    shape = (1, 6, 25, 33)
    random = np.random.default_rng(9)
    classes = (ndimage.gaussian_filter(random.random(shape), (0, 1, 2, 2)) > 0.5).astype("uint8")
    classes[0, :, ::4, :] = 1
    classes[0, 2, 4:8, 5:9] = np.eye(4)
    image = random.random(shape).astype("float32")
    rows = counting.run(classes, image, chunks=(1, 3, 7, 8))
    for row, wanted in zip(numbers(rows), expected(classes, image[..., None]), strict=True):
        assert [row[name] for name in list(row)[:-3]] == [wanted[name] for name in list(row)[:-3]]
        assert row["mean_0"] == pytest.approx(wanted["mean_0"], rel=1e-6)


@pytest.mark.parametrize(("value", "objects"), [(2, 0), (1, 1)])
def test_one_class_everywhere(counting, value, objects):
    """No object at all, or a single one that touches the border."""
    rows = counting.run(np.full((1, 3, 8, 9), value, "uint8"), np.zeros((1, 3, 8, 9), "uint8"))
    assert [one["objects"] for one in counting.printed["classes"]] == [[objects], [0]]
    assert [row["touches_border"] for row in rows] == ["1"] * objects


def two_cells(planes: int = 2) -> np.ndarray:
    classes = np.full((1, planes, 10, 10), 2, "uint8")
    classes[:, :, 1, 1:3] = 1
    classes[:, :, 5:8, 5:8] = 1
    return classes


@pytest.mark.parametrize(
    ("planes", "unit", "volume", "least", "objects"),
    [(2, "um3", 0.5 * 0.2 * 0.1, 0.1, 1), (1, "um2", 0.2 * 0.1, 0.1, 1), (1, "um2", 0.2 * 0.1, 0.01, 2)],
)
@pytest.mark.parametrize("source", ["configuration", "image"])
def test_sizes_in_micrometres(counting, planes, unit, volume, least, objects, source):
    """Where the size of a pixel is known, from the configuration or the image; the least size is in the same unit."""
    if source == "configuration":
        counting.wanted = ObjectsWanted(CLASSES[:1], least, (0.5, 0.2, 0.1))
    else:
        counting.wanted = ObjectsWanted(CLASSES[:1], least)
        sizes = {"t": 0, "z": 0.5, "y": 0.2, "x": 100}
        counting.attributes = {
            "axistags": json.dumps({"axes": [{"key": axis, "resolution": size} for axis, size in sizes.items()]}),
            "axis_units": json.dumps({"z": "um", "y": "micron", "x": "nm"}),
        }
    rows = counting.run(two_cells(planes), np.zeros((1, planes, 10, 10), "uint8"))
    assert [float(row[f"size_{unit}"]) for row in rows] == pytest.approx([2 * planes * volume, 9 * planes * volume])
    assert counting.printed["unit"] == unit
    assert counting.printed["classes"][0]["objects"] == [objects]


def test_a_size_without_a_unit_is_none(counting):
    """Only if every axis of space has size and unit are there physical sizes."""
    tags = {"axes": [{"key": axis, "resolution": 0.5} for axis in "tzyx"]}
    counting.attributes = {"axistags": json.dumps(tags), "axis_units": json.dumps({"z": "um", "y": "um"})}
    counting.run(two_cells(), np.zeros((1, 2, 10, 10), "uint8"))
    assert counting.printed["unit"] == "px"


def test_what_can_not_be_counted_is_said_in_one_line(counting):
    """A page that is not there, for example."""
    counting.aside = True
    counting.pages = 1
    assert counting.run(two_cells(), np.zeros((1, 2, 10, 10), "uint8")) == []
    assert len(counting.fault.splitlines()) == 1
