"""Results in another form than ilastik's, in a real process of the task script."""

import hashlib
import json
import shutil

import h5py
import numpy as np
import pytest
import tifffile

from batch_ops.task import contract
from batch_ops.task.export_plan import export_plan
from batch_ops.task.objects import CountedClass, ObjectsWanted
from batch_ops.task.outputs import Role, planned_outputs
from batch_ops.task.result_form import COMPRESSED_TIFF, HDF5, HDF5_TYPE, ResultForm
from pixel_engine.axes import axistags_json
from tests.deploy.pool.conftest import REPOSITORY, STAND_IN

CASE = REPOSITORY / "tests/data/ilastik/cells2d"
FORM = str(ResultForm(COMPRESSED_TIFF, palette=True))
COUNTED = ObjectsWanted((CountedClass(1, "Cell"),)).to_json()


def test_compressed_tiffs_take_the_place_of_ilastiks(folder):
    """Each of a sequence, with its pages and axes in the manifest; objects are counted all the same."""
    folder.values = {"result_form": FORM, "objects": COUNTED}
    ended = folder.run()
    assert ended.code == 0, ended.printed
    manifest = folder.manifest()
    found = [output for output in manifest.outputs if output.role is Role.SEGMENTATION]
    assert [output.path for output in found] == ["nuclei0.ome.tiff", "nuclei1.ome.tiff"]
    assert {(output.pages, output.axes) for output in found} == {(3, "zyx")}
    assert manifest.counts
    place = folder.wd / "out" / manifest.execution
    assert sorted(path.name for path in place.glob("nuclei*")) == [output.path for output in found]
    with tifffile.TiffFile(place / found[0].path) as tiff:
        assert tiff.series[0].axes == "ZYX"
        assert (tiff.asarray() == 1).all()
        assert (tiff.pages.first.photometric, tiff.pages.first.compression) == (3, 8)


def test_all_tiffs_become_one_file_in_hdf5(folder):
    """With axes, compressed; objects and pictures come of the TIFFs all the same."""
    folder.values = {"result_form": str(ResultForm(HDF5)), "objects": COUNTED}
    ended = folder.run()
    assert ended.code == 0, ended.printed
    manifest = folder.manifest()
    [found] = [output for output in manifest.outputs if output.role is Role.SEGMENTATION]
    assert (found.path, found.media_type, found.pages) == ("nuclei.h5", HDF5_TYPE, 0)
    assert manifest.counts
    assert not folder.tiffs()
    with h5py.File(folder.wd / "out" / manifest.execution / found.path) as file:
        made = file["exported_data"]
        assert (made.shape, made.compression) == ((2, 3, 5, 6, 1), "gzip")
        assert (made[()] == 1).all()
        assert [axis["key"] for axis in json.loads(made.attrs["axistags"])["axes"]] == list("tzyxc")


def test_a_form_of_a_later_version_is_not_guessed(folder):
    """The task was given wrong values."""
    folder.values = {"result_form": "n5"}
    assert folder.run().code == contract.EXIT_INTERNAL
    assert "'n5' is not known" in folder.report().sentence


@pytest.mark.slow
@pytest.mark.timeout(1000)
def test_results_beyond_4_gb_become_a_bigtiff(folder):
    """Of what ilastik exports to HDF5, plane by plane; its owner is told."""
    shape = (66, 8192, 8192)
    with h5py.File(folder.image, "w") as file:
        made = file.create_dataset("data", shape, "uint8", chunks=(1, 1024, 1024))
        made.attrs["axistags"] = axistags_json("zyx", {})
    folder.axes, folder.shape = "zyxc", (*shape, 1)
    folder.project.unlink()
    folder.make_project()
    folder.check()
    folder.ilastik(
        "made = h5py.File(pattern, 'w').create_dataset('exported_data', (66, 8192, 8192, 1), 'uint8', "
        "chunks=(32, 128, 128, 1), fillvalue=1)\n"
        f"made.attrs['axistags'] = {axistags_json('zyxc', {})!r}\nmade[65, 8191, 8191, 0] = 2\n"
    )
    ended = folder.run(seconds=900)
    assert ended.code == 0, ended.printed
    manifest = folder.manifest()
    [output] = [output for output in manifest.outputs if output.role is Role.SEGMENTATION]
    assert (output.path, output.pages, output.axes) == ("nuclei.tiff", 66, "zyx")
    assert "bigtiff" in [warning.code for warning in manifest.warnings]
    assert manifest.class_pixels == (66 * 8192**2 - 1, 1)
    with tifffile.TiffFile(folder.wd / "out" / manifest.execution / output.path) as tiff:
        assert tiff.is_bigtiff
        assert np.argwhere(tiff.pages[65].asarray() == 2).tolist() == [[8191, 8191]]


@pytest.mark.slow
def test_pixels_are_ilastiks_by_way_of_hdf5_too(folder):
    """Those that the real ilastik wrote as TIFF, with the stand-in's export, as if classic TIFF ended much earlier."""
    folder.extra = {"ILASTIK_HOME": str(STAND_IN)}
    shutil.copy(CASE / "input.h5", folder.image)
    shutil.copy(CASE / "project.ilp", folder.project)
    plan = folder.wd / "task/batch_ops/task/export_plan.py"
    text = plan.read_text()
    plan.write_text(text.replace("CLASSIC_TIFF_LIMIT_BYTES = 2**32 - 2**25", "CLASSIC_TIFF_LIMIT_BYTES = 100"))
    ended = folder.run()
    assert ended.code == 0, ended.printed
    manifest = folder.manifest()
    assert "--output_format=hdf5" in manifest.command
    made = folder.wd / "out" / manifest.execution / "nuclei.tiff"
    with tifffile.TiffFile(made) as new, tifffile.TiffFile(CASE / "expected/input.tiff") as old:
        assert new.series[0].axes == old.series[0].axes
        assert (new.asarray() == old.asarray()).all()


@pytest.mark.parametrize(("form", "root"), [("ome-zarr", ".zgroup"), ("ome-zarr-0.5", "zarr.json")])
def test_all_tiffs_become_one_ome_zarr(folder, form, root):
    """Every file of it is named with its digest; objects and pictures come of the TIFFs all the same."""
    folder.values = {"result_form": form, "objects": COUNTED}
    ended = folder.run()
    assert ended.code == 0, ended.printed
    manifest = folder.manifest()
    found = {output.path: output for output in manifest.outputs if output.role is Role.SEGMENTATION}
    assert {path.partition("/")[0] for path in found} == {"nuclei.zarr"}
    assert f"nuclei.zarr/{root}" in found
    place = folder.wd / "out" / manifest.execution
    written = {
        file.relative_to(place).as_posix(): file for file in (place / "nuclei.zarr").rglob("*") if file.is_file()
    }
    assert {path: (output.length, output.md5) for path, output in found.items()} == {
        path: (file.stat().st_size, hashlib.md5(file.read_bytes(), usedforsecurity=False).hexdigest())
        for path, file in written.items()
    }
    assert manifest.counts
    assert not folder.tiffs()
    [promise] = ResultForm(form).outputs(
        planned_outputs("nuclei", "Simple Segmentation", export_plan("tzyx", (2, 3, 5, 6)))
    )
    assert manifest.breaks([promise]) == ""
