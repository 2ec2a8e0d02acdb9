"""What a run promises, and where its files may lie."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from batch_ops.domain import naming
from batch_ops.task.export_plan import EXPORT_SOURCES, export_plan
from batch_ops.task.outputs import MAX_PATH_CHARS, TIFF, PlannedOutput, Role, double_of, path_fault, planned_outputs

SEGMENTATION = export_plan("tzyx", (12, 3, 5, 4))


def test_a_segmentation_is_promised_file_by_file():
    """One TIFF a time point, with what is in each."""
    [output] = planned_outputs("nuclei", "Simple Segmentation", SEGMENTATION)
    assert (output.role, output.media_type) == (Role.SEGMENTATION, TIFF)
    assert (output.pages, output.axes, output.page_shape) == (3, "zyx", (5, 4))
    assert output.paths[:2] == ("nuclei00.tiff", "nuclei01.tiff")
    assert len(output.paths) == output.files == 12


def test_every_export_has_its_role():
    """Whatever ilastik is told to export."""
    plan = export_plan("zyx", (3, 5, 4))
    outputs = [output for source in EXPORT_SOURCES for output in planned_outputs("a", source, plan)]
    assert [output.role for output in outputs] == [Role.SEGMENTATION, Role.PROBABILITIES, Role.UNCERTAINTY]


def test_a_single_file_has_no_number():
    """A volume without time becomes one TIFF of the image's name."""
    [output] = planned_outputs("a", "Simple Segmentation", export_plan("zyx", (3, 5, 4)))
    assert (output.paths, output.axes) == (("a.tiff",), "zyx")


def test_roles_are_words_on_the_wire():
    """Stored in manifests and provenance: none may change."""
    words = {"segmentation", "probabilities", "uncertainty", "labels", "table", "picture", "log"}
    assert {str(role) for role in Role} == words


@pytest.mark.parametrize(
    "path",
    [
        *("", "/a.tiff", "../a.tiff", "a/../b.tiff", "./a", "a//b", "a/", "C:/a", "a:b", "a\\b.tiff", "\\\\host\\a"),
        *("a\n", "a\0", "a\x1b[31m", "a b", "ä.tiff", "a\u202eb", "a?.tiff", "a*", ".hidden", "-option", "a."),
        *("provenance.json", "PROBLEM.txt", "Problem.TXT", "manifest.json", "pictures/manifest.json"),
        *("a/.zgroup", "a.zarr/.hidden", "a.zarr/b.zarr/0", "a.zarr/../b", "a.zarr/1/2/3/4/5/6/7/8/9/0", ".zarr/0"),
        *("b.h5/b.tiff", "b.H5/b.tiff", "1/2/3/4/a.tiff", "a" * (MAX_PATH_CHARS + 1)),
    ],
)
def test_a_path_that_could_lead_elsewhere_is_refused(path):
    """Out of the folder, onto another file, into the folder of another image, or too long for a blob."""
    assert path_fault(path)


ZARR = ("a.zarr/.zattrs", "s01/a.b.zarr/0/0/0/12/0/1", "a.zarr/0/zarr.json", "a.zarr/0/c/0/0/0/0/0")


@pytest.mark.parametrize(
    "path", ["a.tiff", "A-1_2.ome.tiff", "pictures/t0.png", "1/2/3/a.csv", "a" * MAX_PATH_CHARS, *ZARR]
)
def test_plain_relative_paths_are_allowed(path):
    """Letters, digits, dots within the name, and folders."""
    assert path_fault(path) == ""


@example("n" * 1000)
@given(st.text(max_size=1024))
def test_every_result_has_a_name_that_a_blob_can_have(name):
    """The longest path fits below the folder of any image."""
    assert len(naming.results_folder(name)) + MAX_PATH_CHARS <= 1024


@given(st.text(), st.sampled_from([3, 10_000]))
def test_what_ilastik_writes_has_an_allowed_path(name, times):
    """Whatever an image is called."""
    [output] = planned_outputs(naming.nickname(name), "Probabilities", export_plan("tzyx", (times, 2, 2, 2)))
    assert path_fault(output.paths[-1]) == ""


@pytest.mark.parametrize(
    ("paths", "double"),
    [
        (["a.tiff", "b.tiff", "pictures/a.tiff"], ""),
        (["a.tiff", "b.tiff", "A.TIFF"], "A.TIFF"),
        (["a/b.png", "A/B.png"], "A/B.png"),
        (["a", "A/b.png"], "A/b.png"),
        (["a/b/c.png", "a/B"], "a/B"),
        (["a/b.png", "a/c.png"], ""),
    ],
)
def test_paths_are_different_on_every_disk(paths, double):
    """Windows and macOS are blind to case, and a file can't also be a folder."""
    assert double_of(paths) == double


def test_what_is_no_image_has_no_pages():
    """Tables and pictures say no more than role, path and type."""
    table = PlannedOutput(Role.TABLE, "objects.csv", "text/csv")
    assert (table.paths, table.pages, table.axes) == (("objects.csv",), 0, "")
