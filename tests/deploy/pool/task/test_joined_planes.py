"""Stacks of several time points for a classifier that was trained in 2D: each plane by itself."""

import csv
import json
import shutil

import h5py
import numpy as np
import pytest
import tifffile

from batch_ops.task.objects import CountedClass, ObjectsWanted
from batch_ops.task.result_form import HDF5, ResultForm
from pixel_engine.axes import axistags_json
from tests.deploy.pool.conftest import REPOSITORY, STAND_IN

# Its project was trained on one plane; of its planes the real ilastik's output is known.
CASE = REPOSITORY / "tests/data/ilastik/cells2d"


@pytest.fixture
def planes(folder):
    """The case's planes (p, y, x), and what ilastik makes of each (p, y, x)."""
    folder.extra = {"ILASTIK_HOME": str(STAND_IN)}
    folder.image.parent.mkdir(exist_ok=True)
    shutil.copy(CASE / "project.ilp", folder.project)
    with h5py.File(CASE / "input.h5") as file:
        (data,) = (file[path][()] for path in ("volume/data",))
    images = data[..., 0, 0].swapaxes(1, 2)  # txyzc
    return images, tifffile.imread(CASE / "expected/input.tiff").reshape(images.shape)


def stacked(planes: np.ndarray) -> np.ndarray:
    """Stacks (t, z, y, x) of planes: each comes twice, in an order that no swap of t and z leaves as it is."""
    order = [*range(len(planes)), *reversed(range(len(planes)))]
    while len(order) % 3:
        order.append(order[1])
    return planes[order].reshape(3, -1, *planes.shape[1:])


@pytest.mark.parametrize(
    ("axes", "kind"),
    [("tzyx", "h5"), ("xyztc", "h5"), ("tzyx", "tiff"), pytest.param("zytx", "h5", marks=pytest.mark.slow)],
)
def test_each_plane_is_what_it_is_alone(folder, planes, axes, kind):
    """Pages t after t, each with all z; their names and distances are in the OME-XML, of any order in the file."""
    images, expected = map(stacked, planes)
    stored = images[..., None].transpose(["tzyxc".index(axis) for axis in axes.ljust(5, "c")])
    stored = stored if "c" in axes else stored[..., 0]
    if kind == "tiff":
        folder.image.unlink(missing_ok=True)
        tifffile.imwrite(folder.image, stored, imagej=True, metadata={"axes": "TZYX", "spacing": 1.5, "unit": "um"})
    else:
        with h5py.File(folder.image, "w") as file:
            made = file.create_dataset("volume/data", data=stored, chunks=True)
            made.attrs["axistags"] = axistags_json(axes, {"z": 1500, "y": 0.3, "x": 0.2})
            made.attrs["axis_units"] = '{"z": "nm", "y": "um", "x": "um"}'
    folder.values = {
        "planes": "z",
        "image_length": folder.image.stat().st_size,
        "objects": ObjectsWanted((CountedClass(2, "Cell"),)).to_json(),
    }
    ended = folder.run()

    assert ended.code == 0, ended.printed
    [file] = folder.tiffs()
    with tifffile.TiffFile(file) as tiff:
        assert tiff.series[0].axes == "TZYX"
        np.testing.assert_array_equal(tiff.series[0].asarray(), expected)
        told = tifffile.xml2dict(tiff.ome_metadata or "")["OME"]["Image"]["Pixels"]
    assert told["PhysicalSizeZ"] == 1.5
    manifest = folder.manifest()
    segmentation = next(output for output in manifest.outputs if output.path.endswith(".tiff"))
    assert (segmentation.axes, segmentation.pages) == ("tzyx", expected[..., 0, 0].size)
    [counted] = json.loads((file.parent / "manifest.json").read_bytes())["counts"]["classes"]
    assert len(counted["objects"]) == len(expected)
    with (file.parent / "objects.csv").open() as table:
        rows = list(csv.DictReader(table))
    for t, stack in enumerate(expected):
        pixels = sum(int(row["pixels"]) for row in rows if row["t"] == str(t))
        assert pixels == np.count_nonzero(stack == 2)


def test_they_are_one_file_in_hdf5_too(folder, planes):
    """With its own t and z, where results are wanted in HDF5."""
    images, expected = map(stacked, planes)
    with h5py.File(folder.image, "w") as file:
        made = file.create_dataset("volume/data", data=images)
        made.attrs["axistags"] = axistags_json("tzyx", {})
    folder.values = {
        "planes": "z",
        "image_length": folder.image.stat().st_size,
        "result_form": str(ResultForm(HDF5)),
    }
    ended = folder.run()

    assert ended.code == 0, ended.printed
    execution = folder.wd / "out" / folder.manifest().execution
    [made] = execution.glob("*.h5")
    with h5py.File(made) as file:
        np.testing.assert_array_equal(file["exported_data"][..., 0], expected)
