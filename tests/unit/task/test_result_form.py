"""What becomes of ilastik's files: rules."""

import pytest

from batch_ops.task.export_plan import export_plan
from batch_ops.task.outputs import planned_outputs
from batch_ops.task.result_form import AS_EXPORTED, COMPRESSED_TIFF, HDF5, HDF5_TYPE, TIFF, ResultForm, ResultFormError


@pytest.mark.parametrize(
    ("form", "text"),
    [
        (AS_EXPORTED, ""),
        (ResultForm(TIFF, palette=True), "tiff palette"),
        (ResultForm(COMPRESSED_TIFF), "compressed-tiff"),
        (ResultForm(COMPRESSED_TIFF, palette=True), "compressed-tiff palette"),
        (ResultForm("ome-zarr"), "ome-zarr"),
        (ResultForm("ome-zarr-0.5"), "ome-zarr-0.5"),
    ],
)
def test_a_form_is_written_for_the_node_and_read_there(form, text):
    """In a word or two; nothing at all where ilastik's own files are wanted."""
    assert str(form) == text
    assert ResultForm.read(text) == form


@pytest.mark.parametrize("text", ["n5", "tiff colours", "palette", "tiff palette palette", " tiff"])
def test_an_unknown_form_is_no_form(text):
    """Of a later version, or damaged."""
    with pytest.raises(ResultFormError):
        ResultForm.read(text)


def test_people_get_files_of_the_same_pages_with_another_name():
    """Of a sequence each file becomes one; what can't be compressed takes a little more room than before."""
    exported = planned_outputs("a.b", "Simple Segmentation", export_plan("tzyx", (11, 2, 50, 40)))
    assert AS_EXPORTED.outputs(exported) == exported
    [one], [before] = ResultForm(COMPRESSED_TIFF).outputs(exported), exported
    assert (one.paths[0], one.paths[-1]) == ("a.b00.ome.tiff", "a.b10.ome.tiff")
    assert (one.pages, one.page_shape, one.axes, one.role) == (2, (50, 40), "zyx", before.role)
    assert one.total_bytes > before.total_bytes
    [whole] = ResultForm(HDF5).outputs(exported)
    assert (whole.paths, whole.pages, whole.media_type) == (("a.b.h5",), 0, HDF5_TYPE)
    assert whole.total_bytes > before.total_bytes
    assert [output.path for output in ResultForm(TIFF, palette=True).outputs(exported)] == [before.path]


def test_a_zarr_is_one_folder():
    """For all files of a sequence; its name leaves room for the paths of its chunks."""
    exported = planned_outputs("b" * 60, "Simple Segmentation", export_plan("tzyx", (11, 2, 50, 40)))
    [whole] = ResultForm("ome-zarr").outputs(exported)
    assert (whole.paths, whole.pages, whole.is_zarr) == ((f"{'b' * 40}.zarr",), 0, True)
    assert whole.total_bytes > exported[0].total_bytes
