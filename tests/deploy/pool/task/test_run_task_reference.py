"""The task script above the ilastik stand-in, on images of which the real ilastik's output is known."""

import json
import shutil

import h5py
import numpy as np
import pytest
import tifffile

from batch_ops.task.run_plan import AxesSource, ImageDescription, image_to_json
from pixel_engine.axes import axistags_json
from tests.deploy.pool.conftest import REPOSITORY, STAND_IN

REFERENCE = REPOSITORY.parent / "shared/reference/ilastik"


@pytest.fixture
def reference(folder):
    """A function that puts a reference case into the working directory, below the ilastik stand-in."""
    if not REFERENCE.exists():
        pytest.skip("the reference output of ilastik is not beside this repository")
    folder.extra = {"ILASTIK_HOME": str(STAND_IN)}

    def take(case: str):
        shutil.copy(REFERENCE / case / "input.h5", folder.image)
        shutil.copy(REFERENCE / case / "project.ilp", folder.project)
        return folder

    return take


def assert_same_pixels(folder, case: str) -> None:
    execution = folder.wd / "out" / folder.manifest().execution
    for expected in sorted((REFERENCE / case / "expected").glob("*.tiff")):
        found = tifffile.imread(execution / expected.name.replace("input", folder.nickname))
        np.testing.assert_array_equal(found, tifffile.imread(expected), err_msg=expected.name)


@pytest.mark.parametrize("case", ["nuclei3d", "cells2d"])
def test_the_tiffs_are_those_of_the_real_ilastik(reference, case):
    """From resource files to published TIFFs: names by nickname, every pixel as ilastik wrote it."""
    folder = reference(case)
    ended = folder.run()

    assert ended.code == 0, ended.printed
    assert_same_pixels(folder, case)
    assert folder.manifest().total_bytes == sum(path.stat().st_size for path in folder.tiffs())


@pytest.mark.parametrize("axes", ["zyx", pytest.param(None, marks=pytest.mark.slow)])
def test_the_planes_of_a_stack_are_those_of_the_real_ilastik(reference, axes):
    """A classifier trained in 2D gives each plane what it gives it as a time point; the pages are called z.

    Their distance is that of the image's own tags.
    """
    folder = reference("cells2d")
    with h5py.File(folder.image, "a") as file:
        taken = file["volume/data"][()].squeeze()  # txyzc
        del file["volume/data"]
        file["volume/data"] = taken.swapaxes(1, 2)
        if axes:
            file["volume/data"].attrs["axistags"] = axistags_json(axes, {"z": 1500, "y": 0.3, "x": 0.2})
            file["volume/data"].attrs["axis_units"] = '{"z": "nm", "y": "um", "x": "um"}'
    folder.values = {"planes": "z", "image_length": folder.image.stat().st_size}
    ended = folder.run()

    assert ended.code == 0, ended.printed
    assert_same_pixels(folder, "cells2d")
    with tifffile.TiffFile(folder.tiffs()[0]) as tiff:
        assert tiff.series[0].axes == "ZYX"
        told = tifffile.xml2dict(tiff.ome_metadata or "")["OME"]["Image"]["Pixels"]
    assert [told.get(f"PhysicalSize{axis}") for axis in "ZYX"] == ([1.5, 0.3, 0.2] if axes else [None] * 3)
    assert told.get("PhysicalSizeZUnit", "µm") == "µm"
    assert "TimeIncrement" not in told


def test_an_untagged_image_and_an_old_project_give_the_same_pixels(reference):
    """What the script mends in its local copies is all that ilastik lacks."""
    folder = reference("nuclei3d")
    with h5py.File(folder.image, "a") as file:
        del file["volume/data"].attrs["axistags"]
    with h5py.File(folder.project, "a") as file:
        info = file["Input Data/infos/lane0000/Raw Data"]
        del info["shape"], info["axistags"], info["filePath"]
        info["filePath"] = "../../elsewhere/trained.h5/volume/data"
    folder.values = {"axes": "txyzc"}
    ended = folder.run()

    assert ended.code == 0, ended.printed
    assert_same_pixels(folder, "nuclei3d")


@pytest.mark.parametrize(
    ("order", "dropped", "tagged"),
    [
        ("cztxy", "", False),
        ("xyz", "t", True),
        *[
            pytest.param(order, dropped, tagged, marks=pytest.mark.slow)
            for order, dropped in (("tzyxc", ""), ("xyzct", ""), ("zyx", "t"), ("tyxz", "c"))
            for tagged in (True, False)
        ],
    ],
)
def test_any_order_of_axes_gives_the_same_pixels(reference, order, dropped, tagged):
    """Pages along z, rows along y, columns along x, whatever the order in the file and wherever its tags come from."""
    folder = reference("nuclei3d")
    with h5py.File(folder.image, "a") as file:
        before = file["volume/data"]
        letters = [axis["key"] for axis in json.loads(before.attrs["axistags"])["axes"]]
        assert "".join(letters) == "txyzc"
        taken = before[()]
        if "t" in dropped:  # the first time point
            taken, letters = taken[0], letters[1:]
        if "c" not in order:
            taken, letters = taken[..., 0], letters[:-1]
        del file["volume/data"]
        made = file.create_dataset("volume/data", data=taken.transpose([letters.index(axis) for axis in order]))
        if tagged:
            made.attrs["axistags"] = axistags_json(order, {})
    folder.values = {} if tagged else {"axes": order}
    ended = folder.run()

    assert ended.code == 0, ended.printed
    execution = folder.wd / "out" / folder.manifest().execution
    found = [tifffile.imread(path) for path in sorted(execution.glob("*.tiff"))]
    expected = [tifffile.imread(path) for path in sorted((REFERENCE / "nuclei3d/expected").glob("*.tiff"))]
    if "t" in dropped:
        expected = expected[:1]
    np.testing.assert_array_equal(
        np.concatenate([tiff.reshape(-1, *tiff.shape[-2:]) for tiff in found]),
        np.concatenate([tiff.reshape(-1, *tiff.shape[-2:]) for tiff in expected]),
    )


def test_a_refusal_of_ilastik_becomes_the_sentence_of_the_report(reference):
    """Exit code and message of ilastik reach the person who dropped the file."""
    folder = reference("nuclei3d")
    shutil.copy(REFERENCE / "edge/thin_z.h5", folder.image)
    # As if the check had let it pass: an image that was not checked is refused by the same rules before ilastik starts.
    folder.check()
    ended = folder.run()

    report = folder.report()
    assert (ended.code, report.kind, report.ilastik_exit_code) == (1, "COMMAND", 1)
    assert "3.5" in report.sentence, report.sentence


@pytest.mark.parametrize("checked", [pytest.param(True, marks=pytest.mark.slow), False])
def test_an_image_in_several_datasets_gives_the_same_pixels(reference, checked):
    """A pattern names one dataset for each time point; ilastik gets a plain copy of all of them."""
    folder = reference("nuclei3d")
    with h5py.File(folder.image, "a") as file:
        taken = file["volume/data"][()][..., 0]  # txyz
        for time, volume in enumerate(taken):
            file[f"t{time + 7:05d}/s00/0/cells"] = volume.T
            file[f"t{time + 7:05d}/s00/1/cells"] = volume.T[::2, ::2, ::2]
        del file["volume"]
    pattern = "t{t:05d}/s00/0/cells"
    folder.values = {"internal_path": pattern, "image_length": folder.image.stat().st_size}
    if checked:
        shape = (len(taken), *taken.shape[:0:-1])
        source = AxesSource.ASSUMED
        described = ImageDescription(pattern, "tzyx", False, shape, str(taken.dtype), source, "pattern")
        folder.values["image_description"] = image_to_json(described)
    ended = folder.run()

    assert ended.code == 0, ended.printed
    assert_same_pixels(folder, "nuclei3d")
