"""Files of other programs on the node: the pixels of the results are those of the same image as a plain tagged file."""

import shutil
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import tifffile

from batch_ops.task import contract
from tests.deploy.pool.conftest import REPOSITORY, STAND_IN
from tests.fakes.dialects import MAKERS, NO_CHANNELS, PIXEL_SIZES, SERIES, SIZELESS, pixels_of, plain

WRITTEN = REPOSITORY / "tests/data/dialects"
SAMPLES = {
    "nexusformat": ((1, 1, 9, 21, 26), "u1"),
    "hdf5storage": ((1, 1, 9, 21, 26), "u1"),
    "npy2bdv": ((3, 1, 9, 21, 26), "u2"),
    "pybdv": ((1, 1, 9, 21, 26), "u2"),
}


@pytest.fixture
def segment(folder):
    """A function that runs the task on what `build` writes, above the ilastik stand-in: its TIFFs."""
    folder.extra = {"ILASTIK_HOME": str(STAND_IN)}

    def run(build):
        if isinstance(build, Path):
            shutil.copy(build, folder.image)
        else:
            with h5py.File(folder.image, "w") as file:
                build(file)
        ended = folder.run()
        assert ended.code == 0, ended.printed
        out = folder.wd / "out" / folder.manifest().execution
        return [out / output.path for output in folder.manifest().outputs if output.path.endswith(".tiff")]

    return run


def ome_pixels(file: Path) -> dict[str, Any]:
    """What a TIFF says of its pixels in OME's XML."""
    with tifffile.TiffFile(file) as tiff:
        found: dict[str, Any] = tifffile.xml2dict(tiff.ome_metadata or "")["OME"]["Image"]["Pixels"]
        return found


@pytest.mark.parametrize("dialect", MAKERS)
def test_pixels_and_their_size_are_those_of_the_image(folder, segment, dialect):
    """Times, channels and volumes are where they were, without padding; the TIFFs know how large a pixel is."""
    shape = (3, 1 if dialect in NO_CHANNELS else 2, 9, 21, 26) if dialect in SERIES else (1, 1, 9, 21, 26)
    folder.axes, folder.shape = "tczyx", shape
    folder.make_project()
    pixels = pixels_of(*shape, dtype="u2" if dialect == "bigdataviewer" else "u1")

    expected = [tifffile.imread(file) for file in segment(lambda file: plain(file, pixels))]
    assert len({array.tobytes() for array in expected}) == shape[0]
    found = segment(lambda file: MAKERS[dialect](file, pixels))
    np.testing.assert_array_equal([tifffile.imread(file) for file in found], expected)
    told = ome_pixels(found[0])
    if dialect in SIZELESS:
        return
    assert [told[f"PhysicalSize{axis}"] for axis in "ZYX"] == pytest.approx(PIXEL_SIZES)
    assert told["PhysicalSizeXUnit"] == "µm"


@pytest.mark.parametrize(
    ("dialect", "path"),
    [
        ("bigdataviewer", "t{t:05d}/s01/0/cells"),
        ("imaris", "DataSet/ResolutionLevel 0/TimePoint */Channel 1/Data"),
    ],
)
def test_one_image_of_several_is_segmented_by_its_path(folder, segment, dialect, path):
    """A set-up, or a channel, at all of its times."""
    folder.axes, folder.shape = "tczyx", (2, 1, 9, 21, 26)
    folder.make_project()
    pixels = pixels_of(2, 3, 9, 21, 26, dtype="u2" if dialect == "bigdataviewer" else "u1")
    expected = [tifffile.imread(file) for file in segment(lambda file: plain(file, pixels[:, 1:2]))]
    folder.values = {"internal_path": path}
    found = segment(lambda file: MAKERS[dialect](file, pixels))
    np.testing.assert_array_equal([tifffile.imread(file) for file in found], expected)


@pytest.mark.parametrize("writer", SAMPLES)
def test_what_the_fields_own_writers_wrote_gives_the_same_pixels(folder, segment, writer):
    """Files that are not by this project: see their folder."""
    folder.axes, (folder.shape, dtype) = "tczyx", SAMPLES[writer]
    folder.make_project()
    expected = segment(lambda file: plain(file, pixels_of(*folder.shape, dtype=dtype)))
    expected = [tifffile.imread(file) for file in expected]
    found = segment(WRITTEN / f"{writer}.h5")
    np.testing.assert_array_equal([tifffile.imread(file) for file in found], expected)


def test_sizes_of_a_tagged_image_reach_the_tiffs(folder, segment):
    """Where the tags have none, those that Fiji and others write beside them are used; its pixels stay the same."""
    folder.axes, folder.shape = "tczyx", (2, 1, 9, 21, 26)
    folder.make_project()

    def with_sizes(file: h5py.File) -> None:
        plain(file, pixels_of(*folder.shape))
        file["exported_data"].attrs["element_size_um"] = PIXEL_SIZES

    bare = segment(lambda file: plain(file, pixels_of(*folder.shape)))
    assert "PhysicalSizeX" not in ome_pixels(bare[0])
    expected = [tifffile.imread(file) for file in bare]
    found = segment(with_sizes)
    assert [ome_pixels(found[0])[f"PhysicalSize{axis}"] for axis in "ZYX"] == pytest.approx(PIXEL_SIZES)
    np.testing.assert_array_equal([tifffile.imread(file) for file in found], expected)


@pytest.mark.parametrize("kind", ["missing", "linked", "smaller"])
def test_a_later_time_point_that_is_not_like_the_first_is_refused(folder, kind, tmp_path):
    """The check looks at the first; the node, which reads them all, never makes up pixels nor leaves the file."""
    folder.axes, folder.shape = "tczyx", (3, 1, 9, 21, 26)
    folder.make_project()
    last = "DataSet/ResolutionLevel 0/TimePoint 2/Channel 0"
    with h5py.File(tmp_path / "other.h5", "w") as other:
        other["Data"] = pixels_of(12, 24, 32)
    with h5py.File(folder.image, "w") as file:
        MAKERS["imaris"](file, pixels_of(3, 1, 9, 21, 26))
        del file[f"{last}/Data"]
        if kind == "linked":
            file[f"{last}/Data"] = h5py.ExternalLink(str(tmp_path / "other.h5"), "Data")
        if kind == "smaller":
            file[f"{last}/Data"] = pixels_of(8, 16, 24)
    assert folder.run().code == contract.EXIT_BAD_IMAGE
    assert f"{last}/Data" in folder.report().sentence
