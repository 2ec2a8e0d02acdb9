"""The TIFFs that an image becomes: their number, pages and names."""

import json
import math
from dataclasses import asdict

import h5py
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_ops.task.export_plan import SEQUENCE, ExportPlan, PlanError, export_plan, order_of_results
from batch_ops.task.outputs import planned_outputs
from batch_ops.task.stored_export import StoredExport, StoredExportError


@pytest.mark.parametrize("case", ["nuclei3d", "stack2dfeatures", "cells2d"])
def test_the_plan_is_what_ilastik_really_wrote(reference, case):
    """Names, pages, page shape of ilastik's own TIFFs; the estimate of a file's length is above, by < 5 %."""
    info = json.loads((reference / case / "expected_tiff_info.json").read_text())
    with h5py.File(reference / case / "input.h5") as file:
        dataset = file["volume/data"]
        axes = "".join(axis["key"] for axis in json.loads(dataset.attrs["axistags"])["axes"])
        plan = export_plan(axes, dataset.shape)

    [planned] = planned_outputs("input", "Simple Segmentation", plan)
    assert planned.paths == tuple(tiff["name"] for tiff in info)
    for tiff in info:
        assert plan.pages_per_file == tiff["pages"]
        assert plan.page_shape == tuple(tiff["page_shape"])
        assert tiff["bytes"] <= plan.bytes_per_file <= 1.05 * tiff["bytes"]
        [(_, written_axes, _)] = tiff["series"]
        assert plan.axes == written_axes.lower()


@pytest.mark.parametrize(
    ("axes", "shape", "expected"),
    [
        ("yx", (5, 4), ("multipage tiff", 1, 1, (5, 4))),
        ("xyc", (5, 4, 3), ("multipage tiff", 1, 1, (4, 5))),
        ("zyx", (3, 5, 4), ("multipage tiff", 1, 3, (5, 4))),
        ("tyx", (6, 5, 4), ("multipage tiff", 1, 6, (5, 4))),
        ("txyzc", (1, 4, 5, 3, 1), ("multipage tiff", 1, 3, (5, 4))),
        ("txyzc", (2, 4, 5, 1, 1), ("multipage tiff", 1, 2, (5, 4))),
        ("txyzc", (2, 1, 5, 3, 1), ("multipage tiff", 1, 6, (5, 1))),
        ("txyzc", (2, 4, 5, 3, 1), ("multipage tiff sequence", 2, 3, (5, 4))),
        ("tzyx", (2, 3, 5, 4), ("multipage tiff sequence", 2, 3, (5, 4))),
        ("ctzyx", (3, 2, 3, 5, 4), ("multipage tiff sequence", 2, 3, (5, 4))),
        # ilastik steps along the first long axis: here that would be one file a z, not a t.
        ("ztyx", (3, 2, 5, 4), ("multipage tiff", 1, 6, (5, 4))),
    ],
)
def test_a_sequence_needs_four_long_axes_of_which_t_is_the_first(axes, shape, expected):
    """Everything else becomes one file with a page for each t and z; the image's channels do not count."""
    plan = export_plan(axes, shape)
    assert (plan.output_format, plan.files, plan.pages_per_file, plan.page_shape) == expected


@pytest.mark.parametrize(
    ("axes", "shape", "channels", "order"),
    [
        ("ztyx", (3, 2, 5, 4), 1, "tzyxc"),
        ("xyzt", (4, 5, 3, 2), 1, "tzyxc"),
        ("ctzyx", (3, 2, 3, 5, 4), 2, "tzyxc"),
        ("ctzyx", (3, 2, 3, 5, 4), 1, ""),
        ("tzyx", (2, 3, 5, 4), 2, ""),
        ("ztyx", (1, 2, 5, 4), 1, ""),
        ("zyxt", (3, 5, 4, 1), 2, ""),
    ],
)
def test_a_series_of_volumes_is_written_with_time_first(axes, shape, channels, order):
    """One file for each time point, whatever the order of the image's axes; others need no order."""
    assert order_of_results(axes, shape, channels) == order
    plan = export_plan(axes, shape, channels=channels, stored=StoredExport().ordered_as(order))
    assert plan.is_sequence is (min(shape) > 1)
    assert StoredExport(axis_order="zyx").ordered_as(order).axis_order == "zyx"


REGION = StoredExport(region_start=(0, 4, 5, 6, 0), region_stop=(2, 30, 33, 20, 1))


@pytest.mark.parametrize(
    ("axes", "shape", "stored", "channels", "expected"),
    [
        # Seen with the real one: 18 pages instead of 22.
        ("txyzc", (2, 38, 34, 22, 1), REGION, 1, ("multipage tiff sequence", 2, 18, (28, 14), "zyx", 0)),
        ("tzyx", (9, 8, 7, 6), StoredExport((7, 0, 0, 0, 0)), 1, ("multipage tiff sequence", 2, 8, (7, 6), "zyx", 7)),
        ("tzyx", (9, 8, 7, 6), StoredExport((), (1, 0, -1, 4, 0)), 1, ("multipage tiff", 1, 8, (7, 4), "zyx", 0)),
        (
            "txyz",
            (6, 40, 30, 1),
            StoredExport((2, 5, 10, 0), (-1, 25, 20, 1)),
            1,
            ("multipage tiff", 1, 4, (20, 10), "tyx", 0),
        ),
        ("zyx", (3, 5, 4), StoredExport((0, 0, 0, 1), (0, 0, 0, 2)), 2, ("multipage tiff", 1, 3, (5, 4), "zyx", 0)),
        (
            "ztyx",
            (3, 2, 5, 4),
            StoredExport(axis_order="tzyxc"),
            1,
            ("multipage tiff sequence", 2, 3, (5, 4), "zyx", 0),
        ),
        ("tzyx", (2, 3, 5, 4), StoredExport(axis_order="zyxct"), 1, ("multipage tiff", 1, 6, (5, 4), "tzyx", 0)),
        ("zyx", (3, 5, 4), StoredExport(axis_order="xyz"), 1, ("multipage tiff", 1, 3, (5, 4), "zyx", 0)),
    ],
)
def test_stored_settings_change_what_comes_out(axes, shape, stored, channels, expected):
    """A region counts the axes in which ilastik computes; an order of axes says along which a sequence runs."""
    plan = export_plan(axes, shape, channels=channels, stored=stored)
    told = (plan.output_format, plan.files, plan.pages_per_file, plan.page_shape, plan.axes, plan.first)
    assert told == expected
    assert (
        export_plan(
            axes, shape, channels=channels, stored=StoredExport.from_json(json.loads(json.dumps(asdict(stored))))
        )
        == plan
    )


def test_a_region_of_a_sequence_has_the_numbers_of_its_time_points():
    """As wide as the last one's."""
    plan = export_plan("tzyx", (12, 8, 7, 6), stored=StoredExport((8, 0, 0, 0, 0), (10, 0, 0, 0, 0)))
    [planned] = planned_outputs("a", "Simple Segmentation", plan)
    assert planned.paths == ("a08.tiff", "a09.tiff")


@pytest.mark.parametrize(("dtype", "times"), [("uint16", 2), ("float64", 8), ("int8", 1)])
def test_a_stored_type_changes_the_length(dtype, times):
    """A segmentation has bytes otherwise."""
    plain, stored = (export_plan("yx", (500, 400), stored=one) for one in (StoredExport(), StoredExport(dtype=dtype)))
    assert stored.bytes_per_file - plain.bytes_per_file == 500 * 400 * (times - 1)


@pytest.mark.parametrize(
    ("stored", "words"),
    [
        (REGION, "a region of 5 axes for its export, and ilastik computes this image along 4"),
        (StoredExport((0, 7, 0, 0)), "has nothing of this image: it has 5 there"),
        (StoredExport((0, 0, 0, 1)), "along c"),
        (StoredExport(axis_order="yx"), "longer than 1 along z"),
        (StoredExport(axis_order="zyxx"), "none of"),
        (StoredExport(dtype="int64"), "the type 'int64'"),
        (StoredExport(unreadable="InputMin"), "something odd as InputMin"),
    ],
)
def test_what_can_not_be_exported_as_stored_is_told(stored, words):
    """ilastik would end with exit code 1, on a machine that was paid for."""
    with pytest.raises(StoredExportError, match=words):
        export_plan("zyx", (3, 5, 4), stored=stored)


def test_probabilities_have_a_page_for_each_class():
    """Channels of the export multiply the pages, and four bytes a value the length."""
    plan = export_plan("txyzc", (2, 400, 500, 3, 1), channels=2, bytes_per_value=4)
    assert (plan.files, plan.pages_per_file, plan.axes) == (2, 6, "zcyx")
    assert plan.bytes_per_file == pytest.approx(6 * 400 * 500 * 4, rel=0.01)


@pytest.mark.parametrize("files", [1, 2, 9, 10, 99, 100, 999, 1000, 12345])
def test_numbers_have_as_many_digits_as_ilastik_gives_them(files):
    """Zero-padded to ceil(log10(T + 1)) digits, so that names sort in the order of time."""
    [planned] = planned_outputs("n", "Simple Segmentation", ExportPlan(SEQUENCE, files, 2, (2, 2), 8, "zyx"))
    names = planned.paths
    digits = math.ceil(math.log10(files + 1))
    assert names[0] == f"n{'0' * digits}.tiff"
    assert list(names) == sorted(names)
    assert len(set(names)) == files


@given(st.permutations("tzyxc"), st.lists(st.integers(1, 6), min_size=5, max_size=5))
def test_a_plan_accounts_for_every_pixel_once(axes, shape):
    """Files x pages x page = t x z x y x x, whatever the order of the axes."""
    plan = export_plan("".join(axes), shape)
    sizes = {axis: shape[index] for index, axis in enumerate(axes)}
    rows, columns = plan.page_shape
    assert plan.files * plan.pages_per_file * rows * columns == math.prod(shape) // sizes["c"]
    assert plan.is_sequence == (plan.files > 1)


@pytest.mark.parametrize(
    ("axes", "shape"),
    [("zyx", (5, 4)), ("yxx", (5, 4, 3)), ("zx", (5, 4)), ("yxq", (5, 4, 3)), ("yx", (0, 4)), ("", ())],
)
def test_axes_that_describe_no_image_are_refused(axes, shape):
    """Unknown, repeated or missing letters, wrong number, empty images."""
    with pytest.raises(PlanError):
        export_plan(axes, shape)


def test_classic_tiff_ends_at_four_gigabytes():
    """Offsets have 32 bits, with room for tags: beyond that ilastik writes all of it to HDF5, of a sequence too."""
    small, large = export_plan("zyx", (2000, 1000, 2000)), export_plan("tzyx", (3, 2150, 1000, 2000))
    assert (small.fits_classic_tiff, small.export_format, small.bytes_between) == (True, "multipage tiff", 0)
    assert (large.fits_classic_tiff, large.export_format) == (False, "hdf5")
    assert large.bytes_between >= 3 * 2150 * 1000 * 2000
