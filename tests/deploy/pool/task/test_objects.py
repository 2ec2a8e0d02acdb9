"""What a task counts in its results, in real processes: never a reason for a failure."""

import csv

import pytest

from batch_ops.task.objects import CountedClass, ObjectsWanted
from batch_ops.task.outputs import Role

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
