"""Files of other programs on the node: the pixels of the results are those of the same image as a plain tagged file."""

import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import tifffile

from batch_ops.task import contract
from batch_ops.task.run_plan import AxesSource, ImageDescription, image_to_json
from local_cloud.demo.volumes import axistags_json
from tests.deploy.pool.conftest import REPOSITORY, STAND_IN
from tests.fakes.dialects import (
    MAKERS,
    NO_CHANNELS,
    PIXEL_SIZES,
    SERIES,
    SIZELESS,
    fiji_without_time,
    pixels_of,
    plain,
)
from tests.fakes.tiffs import KINDS, SHAPE
from tests.fakes.tiffs import pixels as tiff_pixels

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


@pytest.fixture
def expected(engine_pixels, tmp_path):
    """A function that gives the results of these pixels in a plain tagged file."""

    def run(pixels):
        with h5py.File(tmp_path / "plain.h5", "w") as file:
            plain(file, pixels)
        return engine_pixels(tmp_path / "plain.h5", "exported_data")

    return run


def ome_pixels(file: Path) -> dict[str, Any]:
    """What a TIFF says of its pixels in OME's XML."""
    with tifffile.TiffFile(file) as tiff:
        found: dict[str, Any] = tifffile.xml2dict(tiff.ome_metadata or "")["OME"]["Image"]["Pixels"]
        return found


@pytest.mark.parametrize("dialect", MAKERS)
def test_pixels_and_their_size_are_those_of_the_image(folder, segment, expected, dialect):
    """Times, channels and volumes are where they were, without padding; the TIFFs know how large a pixel is."""
    shape = (3, 1 if dialect in NO_CHANNELS else 2, 9, 21, 26) if dialect in SERIES else (1, 1, 9, 21, 26)
    folder.axes, folder.shape = "tczyx", shape
    folder.make_project()
    pixels = pixels_of(*shape, dtype="u2" if dialect == "bigdataviewer" else "u1")

    right = expected(pixels)
    assert len({array.tobytes() for array in right}) == shape[0]
    found = segment(lambda file: MAKERS[dialect](file, pixels))
    np.testing.assert_array_equal([tifffile.imread(file) for file in found], right)
    told = ome_pixels(found[0])
    if dialect in SIZELESS:
        return
    assert [told[f"PhysicalSize{axis}"] for axis in "ZYX"] == pytest.approx(PIXEL_SIZES)
    assert told["PhysicalSizeXUnit"] == "µm"


def test_channels_without_time_are_one_image(folder, segment, expected):
    """As Fiji's plugin names them where there is no time."""
    folder.axes, folder.shape = "tczyx", (1, 2, 9, 21, 26)
    folder.make_project()
    pixels = pixels_of(*folder.shape)
    (found,) = segment(lambda file: fiji_without_time(file, pixels))
    np.testing.assert_array_equal([tifffile.imread(found)], expected(pixels))
    assert [ome_pixels(found)[f"PhysicalSize{axis}"] for axis in "ZYX"] == pytest.approx(PIXEL_SIZES)


@pytest.mark.parametrize(
    ("dialect", "path"),
    [
        ("bigdataviewer", "t{t:05d}/s01/0/cells"),
        ("imaris", "DataSet/ResolutionLevel 0/TimePoint */Channel 1/Data"),
    ],
)
def test_one_image_of_several_is_segmented_by_its_path(folder, segment, expected, dialect, path):
    """A set-up, or a channel, at all of its times."""
    folder.axes, folder.shape = "tczyx", (2, 1, 9, 21, 26)
    folder.make_project()
    pixels = pixels_of(2, 3, 9, 21, 26, dtype="u2" if dialect == "bigdataviewer" else "u1")
    folder.values = {"internal_path": path}
    found = segment(lambda file: MAKERS[dialect](file, pixels))
    np.testing.assert_array_equal([tifffile.imread(file) for file in found], expected(pixels[:, 1:2]))


def test_the_set_ups_of_a_file_are_segmented_one_by_one(folder, segment):
    """Each in its folder, with the pixels of the same image in a file of its own, and a table of its own objects."""
    folder.axes, folder.shape = "tczyx", (2, 1, 9, 21, 26)
    folder.make_project()
    folder.values = {"objects": '{"classes":[{"label":1,"name":"Cell"}],"min_size":0,"pixel_size_um":[]}'}
    pixels = pixels_of(2, 2, 9, 21, 26, dtype="u2")
    expected, tables, counts = [], [], []
    for setup in (0, 1):
        files = segment(lambda file, setup=setup: plain(file, pixels[:, setup : setup + 1]))
        expected += [tifffile.imread(file) for file in files]
        tables.append((files[0].parent / "objects.csv").read_text())
        counts.append(folder.manifest().counts)
        shutil.rmtree(folder.wd / "out")
    found = segment(lambda file: MAKERS["bigdataviewer"](file, pixels))
    np.testing.assert_array_equal([tifffile.imread(file) for file in found], expected)
    places = [file.relative_to(found[0].parents[1]).as_posix() for file in found]
    assert places == ["s00/nuclei0.tiff", "s00/nuclei1.tiff", "s01/nuclei0.tiff", "s01/nuclei1.tiff"]
    assert [(file.parent / "objects.csv").read_text() for file in found[::2]] == tables
    manifest = folder.manifest()
    assert [(one.folder, one.internal_path, one.axes, one.shape) for one in manifest.images] == [
        (name, f"t{{t:05d}}/{name}/0/cells", "tzyx", (2, 9, 21, 26)) for name in ("s00", "s01")
    ]
    assert ([one.counts for one in manifest.images], manifest.counts) == (counts, None)
    log = (folder.wd / "logs" / manifest.execution / "ilastik.log").read_text()
    assert log.count("Completed Batch Processing") == 2
    tiffs, copy = 4 * (9 * (21 * 26 + 256) + 4096), 2 * 9 * 21 * 26 * 2
    assert (folder.wd / "running").read_text() == str(tiffs + copy)


def test_if_one_image_of_a_file_fails_nothing_is_published(folder):
    """The sentence says which; what the others gave is no result."""
    folder.axes, folder.shape = "tczyx", (2, 1, 9, 21, 26)
    folder.make_project()
    folder.ilastik("if '/s01/' in pattern: sys.exit(1)\nwrite(shape=(9, 21, 26))")
    with h5py.File(folder.image, "w") as file:
        MAKERS["bigdataviewer"](file, pixels_of(2, 2, 9, 21, 26, dtype="u2"))
    ended = folder.run()
    assert (ended.code, folder.report().sentence.startswith("s01: ilastik ended with exit code 1")) == (1, True)
    assert folder.uploads_on_success() == []
    assert folder.tiffs() == []


def test_no_volume_leads_out_of_its_file(folder):
    """At a time that the check does not look at: whatever is there, even a pipe without an end, is not opened."""
    folder.axes, folder.shape = "tczyx", (40, 1, 5, 16, 17)
    folder.make_project()
    pipe = folder.wd / "image/other.h5"
    with h5py.File(folder.image, "w") as file:
        MAKERS["bigdataviewer"](file, pixels_of(40, 2, 5, 16, 17, dtype="u2"))
        del file["t00001/s00/0/cells"]
        file["t00001/s00/0/cells"] = h5py.ExternalLink(str(pipe), "/data")
    os.mkfifo(pipe)
    ended = folder.run(seconds=60)
    assert (ended.code, "t00001/s00/0/cells" in folder.report().sentence) == (contract.EXIT_BAD_IMAGE, True)


def test_sizes_that_stand_beside_the_file_reach_the_tiffs(folder, segment):
    """The check has read them in the XML of BigDataViewer, which is not on the node."""
    folder.axes, folder.shape = "tczyx", (1, 1, 9, 21, 26)
    folder.make_project()
    sizes = tuple((axis, size, "um") for axis, size in zip("zyx", PIXEL_SIZES, strict=True))
    described = ImageDescription("t{t:05d}/s00/0/cells", "tzyx", False, (1, 9, 21, 26), "uint16", AxesSource.TAGS)
    described = replace(described, reader="bigdataviewer", scene="s00", pixel_sizes=sizes)
    folder.values = {"image_description": image_to_json(described)}
    found = segment(lambda file: MAKERS["bigdataviewer"](file, pixels_of(*folder.shape, dtype="u2")))
    assert [ome_pixels(found[0])[f"PhysicalSize{axis}"] for axis in "ZYX"] == pytest.approx(PIXEL_SIZES)


def test_who_knows_no_several_images_is_told_so(folder):
    """An app of before can't tell which results are whose; as it did itself, the node asks for one of them."""
    folder.axes, folder.shape = "tczyx", (2, 1, 9, 21, 26)
    folder.make_project()
    folder.values = {"manifest_schema": 3}
    with h5py.File(folder.image, "w") as file:
        MAKERS["bigdataviewer"](file, pixels_of(2, 2, 9, 21, 26, dtype="u2"))
    assert folder.run().code == contract.EXIT_BAD_IMAGE
    assert "name one in internal_path" in folder.report().sentence


def test_what_was_confirmed_counts_on_the_node_too(folder):
    """An image that the check did not get to, of a kind that somebody has spoken of."""
    folder.ilastik("write(1, (3, 5, 6))")
    with h5py.File(folder.image, "w") as file:
        file["a"] = np.zeros((3, 5, 6), "u1")
    assert folder.run().code == contract.EXIT_BAD_IMAGE
    folder.values = {"confirmed": '{"3 x n x n": "zyx"}'}
    ended = folder.run()
    assert ended.code == 0, ended.printed
    assert (folder.manifest().images[0].axes, folder.manifest().images[0].shape) == ("zyx", (3, 5, 6))


@pytest.mark.parametrize(
    "writer", ["npy2bdv", *(pytest.param(one, marks=pytest.mark.slow) for one in SAMPLES if one != "npy2bdv")]
)
def test_what_the_fields_own_writers_wrote_gives_the_same_pixels(folder, segment, expected, writer):
    """Files that are not by this project: see their folder."""
    folder.axes, (folder.shape, dtype) = "tczyx", SAMPLES[writer]
    folder.make_project()
    found = segment(WRITTEN / f"{writer}.h5")
    right = expected(pixels_of(*folder.shape, dtype=dtype))
    np.testing.assert_array_equal([tifffile.imread(file) for file in found], right)


def test_sizes_of_a_tagged_image_reach_the_tiffs(folder, segment, expected):
    """Where the tags have none, those that Fiji and others write beside them are used; its pixels stay the same."""
    folder.axes, folder.shape = "tczyx", (2, 1, 9, 21, 26)
    folder.make_project()

    def with_sizes(file: h5py.File) -> None:
        plain(file, pixels_of(*folder.shape))
        file["exported_data"].attrs["element_size_um"] = PIXEL_SIZES

    bare = segment(lambda file: plain(file, pixels_of(*folder.shape)))
    assert "PhysicalSizeX" not in ome_pixels(bare[0])
    found = segment(with_sizes)
    assert [ome_pixels(found[0])[f"PhysicalSize{axis}"] for axis in "ZYX"] == pytest.approx(PIXEL_SIZES)
    right = expected(pixels_of(*folder.shape))
    np.testing.assert_array_equal([tifffile.imread(file) for file in found], right)


def test_a_series_in_another_order_of_axes_is_a_tiff_for_each_time_point(folder, segment, expected):
    """As the same image is whose time comes first."""
    folder.axes, folder.shape = "tczyx", (2, 1, 9, 21, 26)
    folder.make_project()
    pixels = pixels_of(*folder.shape)

    def in_another_order(file: h5py.File) -> None:
        file["data"] = np.transpose(pixels, (2, 4, 1, 3, 0))
        file["data"].attrs["axistags"] = axistags_json("zxcyt")

    found = segment(in_another_order)
    assert [file.name for file in found] == ["nuclei0.tiff", "nuclei1.tiff"]
    np.testing.assert_array_equal([tifffile.imread(file) for file in found], expected(pixels))
    assert (folder.manifest().images[0].axes, folder.manifest().images[0].shape) == ("zxcyt", (9, 26, 1, 21, 2))


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


@pytest.mark.parametrize("kind", ["imagej hyperstack", "ome bigtiff in tiles"])
def test_a_tiff_has_the_pixels_of_the_plain_file(folder, segment, expected, tmp_path, kind):
    """Converted on the node, whatever the order of its pages; the sizes of its pixels reach the results."""
    folder.axes, folder.shape = "tczyx", SHAPE
    folder.make_project()
    (tmp_path / "written.tif").write_bytes(KINDS[kind][0]())
    found = segment(tmp_path / "written.tif")
    np.testing.assert_array_equal([tifffile.imread(file) for file in found], expected(tiff_pixels("tczyx")))
    if kind.startswith("imagej"):
        told = ome_pixels(found[0])
        assert [told[f"PhysicalSize{axis}"] for axis in "ZYX"] == pytest.approx([2.0, 0.2, 0.25])
