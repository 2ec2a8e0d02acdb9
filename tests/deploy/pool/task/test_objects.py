"""What a task counts in its results, in real processes: never a reason for a failure."""

import csv
from datetime import UTC, datetime

import numpy as np
import pytest
import tifffile

from batch_ops.task.objects import CountedClass, ObjectsWanted
from batch_ops.task.outputs import Role
from node.execution import Execution
from node.measured import add_label_images

WANTED = ObjectsWanted((CountedClass(1, "Cell"),)).to_json()


def test_the_table_of_objects_comes_with_the_results(folder):
    """As an output with a role, and the numbers in the manifest."""
    folder.values = {"objects": WANTED}
    ended = folder.run()
    assert ended.code == 0, ended.printed
    manifest = folder.manifest()
    [table] = [output for output in manifest.outputs if output.role is Role.TABLE]
    with (folder.wd / "out" / manifest.execution / table.path).open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["t"], row["pixels"], row["touches_border"]) for row in rows] == [("0", "90", "1"), ("1", "90", "1")]
    assert manifest.counts
    assert [one.objects for one in manifest.counts.classes] == [(1, 1)]
    assert "objects" in manifest.seconds


def test_label_images_come_where_they_are_wanted(folder):
    """As outputs of their own role, with pages and axes; values are the ids of the table."""
    folder.values = {"objects": ObjectsWanted((CountedClass(1, "Cell"),), label_image=True).to_json()}
    ended = folder.run()
    assert ended.code == 0, ended.printed
    manifest = folder.manifest()
    [image] = [output for output in manifest.outputs if output.role is Role.LABELS]
    segmentations = [output for output in manifest.outputs if output.role is Role.SEGMENTATION]
    pages = sum(output.pages for output in segmentations)
    assert (image.path, image.pages, image.axes) == ("labels/class_1.tiff", pages, f"t{segmentations[0].axes}")
    place = folder.wd / "out" / manifest.execution
    found = tifffile.imread(place / image.path)
    segmentation = np.concatenate([np.atleast_3d(tifffile.imread(place / one.path)) for one in segmentations])
    assert ((found > 0) == (segmentation.reshape(found.shape) == 1)).all()
    assert [np.count_nonzero(page == 1) for page in found.reshape(2, -1)] == [90, 90]


def test_label_images_that_can_not_be_made_are_a_warning(tmp_path):
    """No half of one is left."""
    execution = Execution(tmp_path, "20260301T120000Z-0", datetime(2026, 3, 1, tzinfo=UTC))
    place = tmp_path / "labels"
    place.mkdir()
    assert add_label_images(execution, "", {"labels": str(place)}) == []
    assert [warning.code for warning in execution.told_warnings] == ["no-label-image"]
    assert not place.exists()


@pytest.mark.parametrize("schema", [0, 2])
def test_who_knows_no_counts_gets_none(folder, schema):
    """The app of before reads the manifest that it knows; the table is an output as any other, where it knows those."""
    folder.values = {"objects": WANTED, "manifest_schema": schema}
    assert folder.run().code == 0
    manifest = folder.manifest()
    assert (manifest.schema, manifest.counts) == (schema or 1, None)
    assert any(output.path == "objects.csv" for output in manifest.outputs) == (schema == 2)


def test_objects_that_can_not_be_counted_are_a_warning(folder):
    """The results are there; no half of a table is."""
    folder.values = {"objects": WANTED}
    folder.extra = {"COUNT_BAND_BYTES": "no number"}
    ended = folder.run()
    assert ended.code == 0, ended.printed
    manifest = folder.manifest()
    [warning] = [warning for warning in manifest.warnings if warning.code == "not-counted"]
    assert "no number" in warning.sentence
    assert manifest.counts is None
    assert all(output.role is not Role.TABLE for output in manifest.outputs)
    assert not list((folder.wd / "out" / manifest.execution).glob("*.csv"))
