"""Chosen channels on the node: the plain copy has just these, in their order, however the file stores them."""

import io
import json
from dataclasses import replace
from typing import Any

import h5py
import numpy as np
import pytest
import tifffile

from batch_ops.image.dialects.read_file import read_file
from batch_ops.image.dialects.tiff import read
from batch_ops.image.readings import Dataset, image_findings
from batch_ops.image.views import Part
from batch_ops.task import contract
from batch_ops.task.run_plan import ImageDescription, image_to_json
from node.image import parts_to_copy
from node.plain_copy import write_plain_copy
from pixel_engine.axes import axistags_json
from tests.deploy.pool.conftest import STAND_IN
from tests.fakes.dialects import imaris, pixels_of
from tests.fakes.tiffs import KINDS, pixels

PICKED = (2, 0)
COLOURS = [kind for kind, (_, axes, _) in KINDS.items() if "c" in axes]


def _description(found: Dataset, axes: str) -> ImageDescription:
    at = axes.index("c")
    shape = (*found.shape[:at], len(PICKED), *found.shape[at + 1 :])
    return ImageDescription(found.path, axes, False, shape, found.dtype, reader=found.reader, channels=PICKED)


def _copied(path: Any, image: ImageDescription, parts: tuple[Part, ...]) -> np.ndarray:
    copy = write_plain_copy(path, "the image", image, parts, {}, decoders=False)
    with h5py.File(copy) as file:
        made: np.ndarray = file["data"][()]
    return made


@pytest.mark.parametrize("kind", COLOURS)
def test_channels_of_tiffs(tmp_path, kind):
    """Pages of one channel, of colours, and planes of colours; strips and tiles."""
    write, axes, _ = KINDS[kind]
    data = write()
    path = tmp_path / "image"
    path.write_bytes(data)
    with tifffile.TiffFile(io.BytesIO(data)) as tif:
        found = image_findings(read(tif, None))
    assert isinstance(found, Dataset)
    axes = found.axes or axes
    made = _copied(path, _description(found, axes), (Part(found.path),))
    np.testing.assert_array_equal(made, pixels(axes, found.dtype).take(PICKED, axes.index("c")))


@pytest.mark.parametrize("axes", ["tzyxc", "czyx", "yxc", "tczyx"])
@pytest.mark.parametrize("chunks", [None, True])
def test_channels_of_hdf5(tmp_path, axes, chunks):
    """Along any axis, with chunks and without; what was never written stays zero."""
    whole = pixels(axes)
    whole[0] = 0
    with h5py.File(tmp_path / "image", "w") as file:
        file.create_dataset("data", data=whole, chunks=chunks)
        found = image_findings(read_file(file, None, 1000))
    assert isinstance(found, Dataset)
    made = _copied(tmp_path / "image", _description(found, axes), (Part("data"),))
    np.testing.assert_array_equal(made, whole.take(PICKED, axes.index("c")))


def test_channels_that_are_datasets_of_their_own(tmp_path):
    """As in Imaris: the others are not even read."""
    whole = pixels_of(2, 3, 9, 21, 26)
    with h5py.File(tmp_path / "image", "w") as file:
        imaris(file, whole)
        found = image_findings(read_file(file, None, 1000))
        assert isinstance(found, Dataset)
        parts = parts_to_copy(file, found)
        del file["DataSet/ResolutionLevel 0/TimePoint 0/Channel 1"]
    made = _copied(tmp_path / "image", _description(found, "tczyx"), parts)
    np.testing.assert_array_equal(made, whole[:, list(PICKED)])


@pytest.mark.parametrize("is_checked", [True, False])
def test_the_results_are_those_of_the_channel_alone(folder, engine_pixels, tmp_path, is_checked):
    """As the check described it, or as the node has to find out by itself."""
    folder.extra = {"ILASTIK_HOME": str(STAND_IN)}
    folder.axes, folder.shape = "tczyx", (1, 1, 9, 21, 26)
    folder.make_project()
    whole = pixels_of(1, 3, 9, 21, 26)
    for path, data in ((folder.image, whole), (tmp_path / "alone.h5", whole[:, 1:2])):
        with h5py.File(path, "w") as file:
            made = file.create_dataset("data", data=data)
            made.attrs["axistags"] = axistags_json("tczyx", {})
    alone = engine_pixels(tmp_path / "alone.h5", "data")
    if is_checked:
        described = ImageDescription("data", "tczyx", True, (1, 1, 9, 21, 26), "uint8", channels=(1,))
        folder.values = {"image_description": image_to_json(described)}
    else:
        folder.values = {"channels": json.dumps([1])}
    ended = folder.run()
    assert ended.code == 0, ended.printed
    [tiff] = [path for path in folder.tiffs() if path.suffix == ".tiff"]
    np.testing.assert_array_equal(tifffile.imread(tiff), np.squeeze(alone))


def test_an_image_that_lost_the_channel_is_another_one(folder):
    """It was overwritten since the check: the task is tried again with the newer version."""
    with h5py.File(folder.image, "w") as file:
        made = file.create_dataset("data", data=pixels_of(1, 1, 9, 21, 26))
        made.attrs["axistags"] = axistags_json("tczyx", {})
    described = ImageDescription("data", "tczyx", True, (1, 1, 9, 21, 26), "uint8")
    folder.values = {"image_description": image_to_json(replace(described, channels=(1,)))}
    assert folder.run().code == contract.EXIT_STAGING_IN
