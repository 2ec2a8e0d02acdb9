"""TIFFs that are made of what ilastik exported have its pixels, in the order of its own TIFFs."""

import json
import os
import shutil
import subprocess
from itertools import pairwise
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import tifffile
from PIL import Image

from batch_ops.task.export_plan import export_plan
from node.colours import colour_of
from node.rewrite import rewrite
from node.write_tiff import STRIP_BYTES, Look, Pixels, write_tiff
from pixel_engine.axes import axistags_json
from tests.deploy.pool.conftest import REPOSITORY

# Written by the real ilastik.
EXPORTED = REPOSITORY / "tests/data/ilastik/cells2d/expected/input.tiff"
IMAGEJ = Path(__file__).with_name("OpenInImageJ.java")
# Debian's package libij-java puts it there.
JAR = Path(os.environ.get("IMAGEJ_JAR", "/usr/share/java/ij.jar"))


class Exported:
    """An image of these axes, what ilastik exported of it to HDF5, and the TIFFs that are made of that."""

    def __init__(self, folder: Path, axes: str, shape: tuple[int, ...], channels: int = 1, called: str = "") -> None:
        self.folder, self.plan = folder, export_plan(axes, shape, channels=channels)
        whole = axes if "c" in axes else f"{axes}c"
        size = {**dict(zip(axes, shape, strict=True)), "c": channels}
        data = np.random.default_rng(7).integers(1, 200, [size[axis] for axis in whole]).astype("uint8")
        with h5py.File(folder / "image.h5", "w") as file:
            made = file.create_dataset("data", data=np.zeros(shape, "uint8"))
            made.attrs.update(axistags=axistags_json(called or axes, {"x": 0.25, "y": 0.5}))
            made.attrs["axis_units"] = '{"x": "um", "y": "nm"}'
        with h5py.File(folder / "export.h5", "w") as file:
            chunks = tuple(min(3, length) for length in data.shape)
            made = file.create_dataset("exported_data", data=data, chunks=chunks)
            made.attrs["axistags"] = axistags_json((called or axes) + whole[len(axes) :], {})
        full = data.reshape(*data.shape, *(1 for axis in "tzcyx" if axis not in whole))
        order = whole + "".join(axis for axis in "tzcyx" if axis not in whole)
        self.pages = full.transpose([order.index(axis) for axis in "tzcyx"])
        self.order: dict[str, Any] = {
            "image": str(folder / "image.h5"),
            "dataset": "data",
            "axes": axes,
            "read_as": called or axes,
            "planes": "",
            "source": [str(folder / "export.h5")],
            "compressed": False,
            "objects": None,
            "pages": self.plan.pages_per_file,
            "page_shape": self.plan.page_shape,
            "targets": [str(folder / f"made{index}.tiff") for index in range(self.plan.files)],
        }


@pytest.mark.parametrize("at_once", [2**26, 300])
@pytest.mark.parametrize(
    ("axes", "shape", "channels"),
    [
        ("yx", (7, 9), 1),
        ("xyc", (7, 9, 2), 3),
        ("zyx", (5, 7, 9), 1),
        ("tyxzc", (3, 7, 9, 5, 2), 2),
        ("cxzyt", (1, 9, 5, 7, 3), 2),
    ],
)
def test_an_export_to_hdf5_becomes_ilastiks_own_tiffs(tmp_path, axes, shape, channels, at_once):
    """Whatever the order of its axes, and however little is read at once; a file for each time point of stacks."""
    exported = Exported(tmp_path, axes, shape, channels)
    rewrite(exported.order, at_once)
    files = [tifffile.TiffFile(target) for target in exported.order["targets"]]
    found = np.stack([page.asarray() for file in files for page in file.pages])
    assert (found == exported.pages.reshape(found.shape)).all()
    for file in files:
        assert len(file.pages) == exported.plan.pages_per_file
        assert file.series[0].axes.lower().replace("s", "c") == exported.plan.axes
        assert file.ome_metadata
        for said in ('PhysicalSizeX="0.25"', 'PhysicalSizeXUnit="µm"', 'PhysicalSizeY="0.0005"'):
            assert said in file.ome_metadata
        file.close()


def test_planes_that_were_taken_for_time_points_are_planes(tmp_path):
    """As they are of the image."""
    exported = Exported(tmp_path, "zyx", (5, 7, 9), called="tyx")
    rewrite({**exported.order, "planes": "z"})
    with tifffile.TiffFile(exported.order["targets"][0]) as file:
        assert file.series[0].axes == "ZYX"
        assert (file.asarray() == exported.pages[0, :, 0]).all()


def test_an_export_that_is_not_what_was_planned_is_no_result(tmp_path):
    """Nothing is made of it."""
    exported = Exported(tmp_path, "zyx", (5, 7, 9))
    with pytest.raises(ValueError, match=r"5, 7, 9.* were exported"):
        rewrite({**exported.order, "pages": 6})
    assert not list(tmp_path.glob("*.tiff"))


def test_an_export_that_lacks_blocks_is_no_result(tmp_path):
    """They would read as pixels of nothing, in a file of the right shape."""
    exported = Exported(tmp_path, "zyx", (5, 7, 9))
    with h5py.File(tmp_path / "export.h5", "r+") as file:
        whole = file["exported_data"]
        said, shape = whole.attrs["axistags"], whole.shape
        del file["exported_data"]
        made = file.create_dataset("exported_data", shape, "uint8", chunks=(1, 7, 9, 1))
        made.attrs["axistags"] = said
        made[:4] = 1
    with pytest.raises(ValueError, match="only 4 of 5 blocks were exported"):
        rewrite(exported.order)
    assert not list(tmp_path.glob("*.tiff"))


@pytest.mark.parametrize(
    ("axes", "shape", "channels"), [("zyx", (5, 7, 9), 1), ("tyxzc", (3, 7, 9, 5, 2), 2), ("cxzyt", (1, 9, 5, 7, 3), 2)]
)
def test_tiffs_become_one_dataset(tmp_path, axes, shape, channels):
    """Each pixel under its time point, plane and channel; sizes of pixels and their units are told."""
    exported = Exported(tmp_path, axes, shape, channels)
    rewrite(exported.order)
    target = tmp_path / "made.h5.new"
    rewrite({**exported.order, "source": exported.order["targets"], "targets": [str(target)]})
    with h5py.File(target) as file:
        made = file["exported_data"]
        assert (made[()].transpose(0, 1, 4, 2, 3) == exported.pages).all()
        told = json.loads(axistags_json("tzyxc", {"x": 0.25, "y": 0.0005}))
        assert json.loads(made.attrs["axistags"]) == told
        assert json.loads(made.attrs["axis_units"]) == {"x": "um", "y": "um"}


def made_of(folder: Path, **order: Any) -> Path:
    """What becomes of ilastik's own TIFF."""
    target = folder / "made.ome.tiff"
    with tifffile.TiffFile(EXPORTED) as tiff:
        planned = {"pages": len(tiff.pages), "page_shape": tiff.pages.first.shape}
    rewrite(
        {"source": [str(EXPORTED)], "targets": [str(target)], "compressed": False, "objects": None, **planned, **order}
    )
    return target


@pytest.mark.parametrize("compressed", [True, False])
@pytest.mark.parametrize("objects", [None, [], [2]])
def test_a_tiff_of_ilastik_keeps_its_values_and_what_it_says(tmp_path, compressed, objects):
    """Compressed or coloured, in strips, without a predictor; another reader sees the colours too."""
    made = made_of(tmp_path, compressed=compressed, objects=objects)
    with tifffile.TiffFile(made) as new, tifffile.TiffFile(EXPORTED) as old:
        assert new.ome_metadata == old.ome_metadata
        assert (new.asarray() == old.asarray()).all()
        first = new.pages.first
        assert (first.is_tiled, first.predictor, first.compression) == (False, 1, 8 if compressed else 1)
        classes = old.asarray()
    assert (made.stat().st_size < EXPORTED.stat().st_size / 4) == compressed
    with Image.open(made) as picture:
        assert (np.asarray(picture) == classes[0]).all()
        assert picture.mode == ("L" if objects is None else "P")
        if objects is not None:
            colours = np.asarray(picture.convert("RGB"))
            seen = {label: tuple(colours[classes[0] == label][0].tolist()) for label in (1, 2)}
            gray = (64, 64, 64)
            assert seen == ({1: gray, 2: colour_of(0)} if objects else {1: colour_of(0), 2: colour_of(1)})


def test_classic_tiff_is_left_only_where_it_is_too_small(tmp_path):
    """By what was written, as how far it can be compressed shows only then; nothing of the first try is left."""
    noise = np.random.default_rng(1).integers(0, 256, (3, 700, 900)).astype("uint8")

    def write(data: np.ndarray, limit: int) -> bool:
        def rows(step: int):
            assert step * 900 <= STRIP_BYTES
            for page in data:
                for first, last in pairwise([*range(0, 700, step), 700]):
                    yield page[first:last]

        is_big = write_tiff(path, Pixels((3, 700, 900), "uint8", rows, b"three pages"), Look(compressed=True), limit)
        with tifffile.TiffFile(path) as tiff:
            assert tiff.is_bigtiff == is_big
            assert (tiff.asarray() == data).all()
        return is_big

    path = tmp_path / "a.tiff"
    assert write(noise, 1_000_000)
    assert not write(noise, 4_000_000)
    assert not write(noise // 250, 1_000_000)


@pytest.mark.slow
def test_imagej_opens_them(tmp_path):
    """Debian's, without a plugin: pixels and colours."""
    if not (shutil.which("javac") and JAR.exists()):
        pytest.skip("This machine has no ImageJ: install libij-java and a JDK.")
    made = made_of(tmp_path, compressed=True, objects=[2])
    classes = tifffile.imread(EXPORTED)
    opened = subprocess.run(
        ["java", "-Djava.awt.headless=true", "-cp", JAR, IMAGEJ, made], capture_output=True, text=True, timeout=60
    )
    pages, rows, columns = classes.shape
    told = [f"{columns}x{rows}x{pages}", str(int(classes.sum())), "404040", "00ff50"]
    assert opened.stdout.split() == told, opened.stderr
