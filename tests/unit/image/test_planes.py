"""A classifier trained in 2D on the planes of a stack, one by one."""

from dataclasses import replace

import pytest

from batch_ops.domain.parts_plan import cut_of
from batch_ops.image.facts import Accepted, ImageOptions
from batch_ops.task.export_plan import export_plan
from batch_ops.task.run_plan import image_from_json, image_to_json
from tests.unit.image.test_image_rules import TRAINED_2D, dataset, judge, words

PLANES = ImageOptions(per_plane=True)


@pytest.fixture
def flat(h5):
    """A project that was trained on planes, without time."""
    return replace(h5.project, **TRAINED_2D, axes="yxc")


@pytest.mark.parametrize(
    ("axes", "shape", "read_as"),
    [
        ("zyx", (20, 30, 40), "tyx"),
        ("xyzc", (40, 30, 20, 1), "xytc"),
        ("tzyxc", (1, 20, 30, 40, 1), "ztyxc"),
        ("yx", (30, 40), "yx"),
        ("tyx", (20, 30, 40), "tyx"),
    ],
)
def test_ilastik_takes_the_planes_of_a_stack_for_time_points(flat, axes, shape, read_as):
    """What the image is stays what it is; its tags are written anew, and the node is told so."""
    verdict = judge(dataset(shape, axes), flat, PLANES)
    assert (verdict.image.axes, verdict.image.read_as) == (axes, read_as)
    assert verdict.image.tagged == (read_as == axes)
    assert image_from_json(image_to_json(verdict.image)) == verdict.image
    assert [w.code for w in verdict.warnings] == {"tyx": ["time-or-z"], "yx": []}.get(axes, ["per-plane"])


@pytest.mark.parametrize(
    ("shape", "trained", "axes", "read_as"),
    [
        ((20, 30, 40), {"axes": "yxc"}, "zyx", "tyx"),
        ((20, 30, 40), {"axes": "tyx"}, "zyx", "tyx"),
        ((30, 40, 3), {"axes": "yxc", "channels": 3}, "yxc", "yxc"),
        ((20, 30, 40, 3), {"axes": "yxc", "channels": 3}, "zyxc", "tyxc"),
    ],
)
def test_an_untagged_stack_needs_no_question(flat, shape, trained, axes, read_as):
    """Whether z or t counts its planes, each is segmented by itself."""
    verdict = judge(dataset(shape, None), replace(flat, **trained), PLANES)
    assert isinstance(verdict, Accepted), verdict
    assert (verdict.image.axes, verdict.image.read_as) == (axes, read_as)


@pytest.mark.parametrize(
    ("axes", "shape", "read_as", "shape_read"),
    [
        ("tzyx", (3, 20, 30, 40), "tyx", (60, 30, 40)),
        ("xyzt", (40, 30, 20, 3), "txy", (60, 40, 30)),
        ("ztyxc", (20, 3, 30, 40, 1), "tyxc", (60, 30, 40, 1)),
    ],
)
def test_planes_of_several_time_points_come_one_after_the_other(flat, axes, shape, read_as, shape_read):
    """All z of the first t, then of the next; they need a plain copy, and become one file."""
    verdict = judge(dataset(shape, axes), flat, PLANES)
    image = verdict.image
    assert (image.read_as, image.shape_read, image.tagged, image.exported_as) == (read_as, shape_read, False, "")
    assert image_from_json(image_to_json(image)) == image
    assert verdict.copy_bytes > 0
    assert "20 planes along z at each of its 3 time points" in verdict.warnings[0].sentence
    plan = export_plan(image.axes, image.shape, one_file=image.has_joined_planes)
    assert (plan.files, plan.pages_per_file, plan.axes) == (1, 60, "tzyx")
    assert cut_of(image, flat, 4) is None


def test_in_3d_there_is_nothing_to_take_apart(flat, h5):
    """Which is said; and without `per_plane` it is named."""
    assert 'have "per_plane" set' in words(judge(dataset(), flat))
    verdict = judge(dataset(), h5.project, PLANES)
    assert (verdict.image.planes, verdict.warnings[0].code) == ("", "per-plane-not-used")


def test_z_that_fiji_took_for_time_is_named(h5):
    """The refusal of a stack of planes says where they may come from; so does that of times that were taken for z."""
    trained = replace(h5.project, **TRAINED_2D, axes="tyxc")
    assert "time points that Fiji took for z" in words(judge(dataset((20, 30, 40), "zyx"), trained))
    assert "Fiji" not in words(judge(dataset((20, 30, 40), "zyx"), replace(trained, axes="yxc")))
    assert "its 20 time points are z slices that Fiji took for time" in words(
        judge(dataset((20, 1, 30, 40), "tzyx"), h5.project)
    )


def test_time_that_somebody_has_named_is_no_slip_of_fiji(flat):
    """Configured or confirmed axes, and those of a pattern, are said by whoever knows the image."""
    planes = dataset((20, 30, 40), None)
    assert judge(planes, flat, ImageOptions(axes="tyx")).warnings == ()
    confirmed = judge(planes, replace(flat, axes="xyc"), ImageOptions(confirmed="tyx"))
    assert [warning.code for warning in confirmed.warnings] == ["axes-confirmed"]
    stacked = judge(dataset((20, 30, 40), "yx", stacked="t"), flat)
    assert (stacked.image.axes, stacked.warnings) == ("tyx", ())
