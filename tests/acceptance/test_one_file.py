"""A file on its way through the real processes: from the upload to its results, or to a sentence why not."""

import io
import json
import math
import zlib

import pytest
import tifffile
from PIL import Image
from scipy import ndimage

from batch_ops.domain import naming
from batch_ops.task.pictures import OVERLAY, PREVIEW, SMALL
from tests.acceptance.lab import NODE_PRICE


def test_a_dropped_image_is_segmented(lab):
    """Upload -> one task -> TIFFs with the project's labels, provenance, log; row SUCCEEDED; staging empty."""
    name = "with pictures/well A1.h5"
    lab.project("with pictures")
    etag = lab.image(name, seed=1)
    row = lab.wait(name)
    assert row["state"] == "SUCCEEDED", row["reason"]
    results = lab.results(name)
    pictures = {PREVIEW, OVERLAY, SMALL}
    others = {"objects.csv", "provenance.json", "ilastik.log"}
    assert set(results) == {"well_A10.tiff", "well_A11.tiff"} | others | pictures
    pages = tifffile.imread(io.BytesIO(results["well_A10.tiff"]))
    assert pages.shape == (16, 22, 24)
    assert set(pages.ravel()) == {1, 2}
    provenance = json.loads(results["provenance.json"])
    assert provenance["input"]["etag"] == etag
    assert {f["name"]: f["length"] for f in provenance["files"]} == {
        leaf: len(data) for leaf, data in results.items() if leaf.endswith(".tiff")
    }
    # What another reader says of the files that ilastik wrote.
    for output in (output for output in provenance["outputs"] if output["role"] == "segmentation"):
        with tifffile.TiffFile(io.BytesIO(results[output["path"]])) as tiff:
            assert (output["pages"], output["axes"]) == (len(tiff.pages), tiff.series[0].axes.lower())
    assert {output["path"] for output in provenance["outputs"]} == results.keys() - {"provenance.json"}
    for picture in pictures:
        assert Image.open(io.BytesIO(results[picture])).format == "PNG"
    # As another library counts them in the pixels that came back.
    [counts] = json.loads(row["object_counts"])["classes"]
    stacks = [tifffile.imread(io.BytesIO(results[leaf])) for leaf in ("well_A10.tiff", "well_A11.tiff")]
    assert counts["objects"] == [ndimage.label(stack == counts["label"])[1] for stack in stacks]
    assert len(results["objects.csv"].splitlines()) == 1 + sum(counts["objects"])
    [task] = lab.tasks(name)
    seconds = (task.execution_info.end_time - task.execution_info.start_time).total_seconds()
    assert (row["node_kind"], row["cost_currency"]) == ("dedicated", "USD")
    # To the second.
    assert row["cost_micro"] == pytest.approx(seconds * NODE_PRICE / 3600 * 1e6, abs=NODE_PRICE / 3600 * 1e6)
    assert lab.staged(name) == []


ANY_NAMES = ["Zellkerne/größe µm 'it' \"is\" 細胞.h5", "default/$(touch pwned);`id`&|>x.h5", "default/100% #1?.h5"]


@pytest.fixture(scope="module")
def strange_names(lab):
    """Images of all these names, dropped at once."""
    for name in ANY_NAMES:
        form = {"output": "ome-zarr"} if name.startswith("default/") else {"output": "compressed-tiff", "palette": True}
        lab.project(naming.project_of(name), pictures=False, **form)
        lab.image(name, seed=2)


@pytest.mark.parametrize("name", ANY_NAMES)
def test_any_name_will_do(lab, strange_names, name):
    """Unicode, spaces, quotes and shell characters go all the way, and nothing of them is run."""
    row = lab.wait(name)
    assert row["state"] == "SUCCEEDED", row["reason"]
    assert "provenance.json" in lab.results(name)


def test_results_come_in_the_form_that_their_project_asks_for(lab, strange_names):
    """Named by provenance and opened by others, with the same values."""
    name = ANY_NAMES[0]
    lab.wait(name)
    results = lab.results(name)
    outputs = json.loads(results["provenance.json"])["outputs"]
    paths = [output["path"] for output in outputs if output["role"] == "segmentation"]
    assert sorted(paths) == sorted(path for path in results if path.endswith(".tiff"))
    for path in paths:
        assert path.endswith(".ome.tiff")
        with tifffile.TiffFile(io.BytesIO(results[path])) as tiff:
            assert (tiff.pages.first.photometric, tiff.pages.first.compression) == (3, 8)
            assert set(tiff.asarray().ravel()) == {1, 2}


def test_an_ome_zarr_comes_whole(lab, strange_names):
    """All files that provenance names, with every pixel of the segmentation."""
    lab.wait(name := ANY_NAMES[1])
    results = lab.results(name)
    outputs = json.loads(results["provenance.json"])["outputs"]
    paths = {output["path"] for output in outputs if output["role"] == "segmentation"}
    assert paths == {path for path in results if ".zarr/" in path}
    [said] = [json.loads(results[path]) for path in paths if path.endswith("/.zarray")]
    chunks = [zlib.decompress(results[path]) for path in paths if path.rpartition("/")[2].isdigit()]
    assert sum(map(len, chunks)) == math.prod(said["chunks"]) * len(chunks) >= math.prod(said["shape"])
    assert set(b"".join(chunks)) == {1, 2}


@pytest.mark.slow
def test_a_truncated_file_is_rejected(lab):
    """A cut-off upload never costs a task; row and PROBLEM.txt say how many bytes of how many; the blob stays."""
    name = "default/cut.h5"
    lab.image(name)
    blob = lab.blobs.get_blob_client("input", name)
    whole = blob.download_blob().readall()
    lab.wait(name, "SUCCEEDED")
    lab.upload(name, whole[: len(whole) // 2])
    row = lab.wait(name, "REJECTED")
    assert f"{len(whole) // 2:,}" in row["reason"]
    assert len(blob.download_blob().readall()) == len(whole) // 2
    results = lab.results(name)
    assert set(results) == {"PROBLEM.txt"}
    assert row["reason"] in results["PROBLEM.txt"].decode()


@pytest.mark.slow
def test_an_untagged_image(lab):
    """Without axistags the project's configured axes are taken, and the uploaded blob stays as it is."""
    lab.project("untagged", axes="txyzc", pictures=False)
    name = "untagged/raw.h5"
    etag = lab.image(name, seed=6, tagged=False)
    row = lab.wait(name)
    assert row["state"] == "SUCCEEDED", row["reason"]
    assert len([leaf for leaf in lab.results(name) if leaf.endswith(".tiff")]) == 2
    assert lab.blobs.get_blob_client("input", name).get_blob_properties().etag.strip('"') == etag


@pytest.mark.slow
def test_a_2d_image(lab, cells2d):
    """A single plane and time point becomes one TIFF of one page."""
    lab.project("flat", cells2d)
    name = "flat/plane.h5"
    lab.image(name, seed=7, shape=(1, 40, 36, 1, 1))
    row = lab.wait(name)
    assert row["state"] == "SUCCEEDED", row["reason"]
    assert tifffile.imread(io.BytesIO(lab.results(name)["plane.tiff"])).shape == (36, 40)
    # The next picture of the folder has the contrast of this one.
    other = "flat/next.h5"
    lab.image(other, seed=8, shape=(1, 40, 36, 1, 1))
    lab.wait(other, "SUCCEEDED")
    first, second = (json.loads(lab.results(one)["provenance.json"])["contrast"] for one in (name, other))
    assert (first["of_folder"], second["of_folder"]) == (None, first["own"])


EXITS_1, DOES_NOTHING, HANGS = "default/exit-one.h5", "default/nothing.h5", "hurry/hang.h5"


@pytest.fixture(scope="module")
def misbehaved(lab):
    """Images of which ilastik makes nothing good, dropped at once."""
    lab.project("hurry", wall_clock_minutes=0.1)
    for name in (EXITS_1, DOES_NOTHING, HANGS):
        lab.image(name)


@pytest.mark.slow
def test_a_task_that_exits_1(lab, misbehaved):
    """Tried once more, then FAILED with ilastik's own words in row and PROBLEM.txt; the log stays in staging."""
    name = EXITS_1
    row = lab.wait(name)
    assert (row["state"], row.get("kind"), row["attempt"]) == ("FAILED", "COMMAND", 2)
    assert "not to my taste" in row["reason"]
    assert "not to my taste" in lab.results(name)["PROBLEM.txt"].decode()
    assert any(blob.endswith("ilastik.log") for blob in lab.staged(name))


def test_a_task_that_does_nothing(lab, misbehaved):
    """Exit code 0 without output is no success."""
    name = DOES_NOTHING
    row = lab.wait(name)
    assert (row["state"], row.get("kind")) == ("FAILED", "NO_OUTPUT")
    assert set(lab.results(name)) == {"PROBLEM.txt"}


def test_a_task_that_takes_too_long(lab, misbehaved):
    """Killed at its wall clock limit, FAILED with the limit."""
    name = HANGS
    row = lab.wait(name)
    assert (row["state"], row.get("kind")) == ("FAILED", "TIMEOUT"), row["reason"]
    assert "0.1 minutes" in row["reason"]
    assert len(lab.tasks(name)) == 1
