"""Does an image fit its project? The rules alone, without files."""

from dataclasses import replace
from itertools import permutations

import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st

from batch_ops.image.facts import Accepted, CheckLimits, ImageOptions, ProjectFacts, Refused, Undecided
from batch_ops.image.image_rules import judge_image
from batch_ops.image.readings import BadFindings, Dataset, Images, image_findings
from batch_ops.image.several import judge as judge_several
from batch_ops.task.run_plan import AxesSource
from batch_ops.task.stored_export import StoredExport
from tests.unit.inspection.conftest import axistags
from tests.unit.inspection.parser.standins import ACCEPTED


def dataset(shape=(2, 20, 30, 40, 1), axes="tzyxc", **changes):
    values = {
        "path": "data",
        "shape": shape,
        "dtype": "uint8",
        "item_bytes": 1,
        "offset": None,
        "filters": ((1, "deflate"),),
        "axistags": axistags(axes) if axes else None,
        "tags_readable": True,
        "tags_plain": True,
    }
    return Dataset(**(values | changes))


def judge(found, project, options=None, size=10**6, limits=None):
    return judge_image("x.h5", size, found, project, options or ImageOptions(), limits or CheckLimits())


def words(verdict):
    assert isinstance(verdict, Refused), verdict
    return verdict.sentence


@pytest.fixture
def project(h5):
    return h5.project


@pytest.fixture
def old(project):
    """A project that stores neither axes nor which scales are 2D."""
    return replace(project, axes="", channels=None, spatial_dimensions=None, chooses_2d=False)


def test_axes_may_stand_in_any_order(project):
    """The task reads the image by its own tags, so that no order of t, z, y, x and c is another image."""
    size = {"t": 2, "z": 20, "y": 30, "x": 40, "c": 1}
    for order in permutations("tzyxc"):
        verdict = judge(dataset(tuple(size[letter] for letter in order), "".join(order)), project)
        assert isinstance(verdict, Accepted), order
        assert (verdict.image.axes, verdict.warnings) == ("".join(order), ())


@pytest.mark.parametrize(
    ("axes", "shape"),
    [("zyxc", (20, 30, 40, 1)), ("tzyx", (2, 20, 30, 40)), ("zyx", (20, 30, 40)), ("xyz", (40, 30, 20))],
)
def test_axes_of_one_pixel_may_be_missing(project, axes, shape):
    """An image without time is one time point, one without channels has one."""
    assert judge(dataset(shape, axes), project).image.shape == shape


@pytest.mark.parametrize("axes", ["zyx", "yxz", "zyxc"])
def test_axes_that_the_training_images_lack_may_be_there(project, axes):
    """Each time point is segmented by itself; the channels must be as many as in training."""
    flat = replace(project, axes=axes)
    assert isinstance(judge(dataset(), flat), Accepted)
    assert "3 channels" in words(judge(dataset((2, 20, 30, 40, 3)), flat))


def test_a_plane_does_not_fit_a_3d_project(project):
    """Its z is missing, not of one pixel, but that is the same."""
    assert "is 2D (one z slice)" in words(judge(dataset((30, 40), "yx"), project))


TRAINED_2D = {"spatial_dimensions": 2, "sigma_3d": 0.0, "columns": None}


@pytest.mark.parametrize(
    ("shape", "trained", "taken"),
    [
        ((30, 40), {**TRAINED_2D, "axes": "yxc"}, "yx"),
        ((30, 40, 3), {**TRAINED_2D, "axes": "yxc", "channels": 3}, "yxc"),
        ((20, 30, 40), {"axes": "tzyxc"}, "zyx"),
        ((20, 30, 40), {"axes": "zyx"}, "zyx"),
        ((20, 30, 40, 3), {"axes": "zyxc", "channels": 3, "columns": None}, "zyxc"),
        ((6, 20, 30, 40), {"axes": "tzyx"}, "tzyx"),
        ((6, 20, 30, 40), {"axes": "tzyxc"}, "tzyx"),
        ((6, 20, 30, 40, 1), {"axes": "tzyxc"}, "tzyxc"),
    ],
)
def test_an_untagged_image_gets_the_one_order_that_fits(project, shape, trained, taken):
    """As its training images, or as ilastik has it; a warning says so, and how to say otherwise."""
    verdict = judge(dataset(shape, None), replace(project, **trained))
    assert (verdict.image.axes, verdict.image.tagged, verdict.image.axes_source) == (taken, False, AxesSource.ASSUMED)
    (warning,) = verdict.warnings
    assert warning.code == "axes-assumed"
    assert f"taken for {taken}" in warning.sentence
    assert 'set "axes"' in warning.sentence


@pytest.mark.parametrize(
    ("shape", "trained", "why", "likely"),
    [
        ((20, 30, 2), {"axes": "zyx"}, "its 2 could be z slices as well as channels", "zyx"),
        ((3, 30, 40), {"axes": "zyx"}, "its 3 could be z slices as well as channels", "zyx"),
        ((20, 30, 40), {**TRAINED_2D, "axes": "tyx"}, "time could be taken for z", "tyx"),
        ((20, 30, 40), {"spatial_dimensions": None}, "does not say what its training images were like", "zyx"),
        ((3, 30, 40), {**TRAINED_2D, "axes": "yxc", "channels": 3}, "no usual order of axes fits its project", "cyx"),
        ((4, 20, 30, 40), {"axes": "tzyxc"}, "no usual order of axes fits its project", "tzyx"),
        ((20, 30, 40, 2), {"axes": "zyxc"}, "no usual order of axes fits its project", "tzyx"),
    ],
)
def test_somebody_is_asked_where_time_z_and_channels_could_be_taken_for_each_other(
    project, shape, trained, why, likely
):
    """Never guessed from a shape: what is confirmed for the kind is taken, with a warning, and else nothing."""
    verdict = judge(dataset(shape, None), replace(project, **trained))
    assert isinstance(verdict, Undecided)
    assert why in verdict.sentence
    assert (verdict.image.shape, verdict.image.axes, verdict.likely) == (shape, "", likely)
    answered = ImageOptions(confirmed=likely)
    said = judge(dataset(shape, None), replace(project, **(trained | {"columns": None, "sigma_3d": 0.0})), answered)
    assert f"taken for {likely}" in said.warnings[0].sentence
    assert "do not fit" in words(judge(dataset(shape, None), project, ImageOptions(confirmed="yx")))


@pytest.mark.parametrize(
    ("shape", "trained", "why"),
    [
        ((6, 20, 30, 40, 1), {"axes": "txyzc"}, "txyzc (as its project's training images) and tzyxc (as ilastik"),
        (
            (6, 40, 30, 20),
            {"axes": "txyzc"},
            "txyz (as its project's training images) and tzyx (as most programs",
        ),
        (
            (40, 30, 3),
            {**TRAINED_2D, "axes": "xyc", "channels": 3},
            "xyc (as its project's training images) and yxc",
        ),
        ((40, 30, 20), {"axes": "xyz"}, "xyz (as its project's training images) and zyx (as ilastik has it) both fit"),
        ((30, 40), {"axes": "zyx"}, "no usual order of axes fits"),
        ((20, 30, 40, 2), {"axes": "zyxc", "channels": 3}, "no usual order of axes fits"),
    ],
)
def test_an_untagged_image_is_never_guessed(project, shape, trained, why):
    """Where two orders fit and give other pixels, or none does, it is refused with the reason."""
    said = words(judge(dataset(shape, None), replace(project, **trained)))
    assert why in said
    assert 'set "axes" in the configuration of its project' in said


def test_any_axes_fit_a_project_that_stores_none(old):
    """An old project takes the image's own."""
    assert judge(dataset((20, 30, 40), "zyx"), old).image.axes == "zyx"


def test_channels_must_be_the_training_images(project, old):
    """From the stored shape, or from the number of features that the classifier takes."""
    found = dataset((2, 20, 30, 40, 3))
    assert "3 channels, but its project was trained on 1 channel" in words(judge(found, project))
    assert "3 channels, but its project was trained on 1 channel" in words(judge(found, old))


def test_single_z_does_not_fit_a_3d_project(project, old):
    """From the stored shape, or from the number of features."""
    found = dataset((2, 1, 30, 40, 1))
    assert "is 2D" in words(judge(found, project))
    assert "is 2D" in words(judge(found, old))


def test_volume_does_not_fit_a_2d_project(project):
    """Nor the other way round."""
    flat = replace(project, spatial_dimensions=2)
    assert "is 3D (20 z slices)" in words(judge(dataset(), flat))


def test_old_project_filters_a_single_slice_in_2d(old):
    """Without stored choice a single z is filtered in 2D, and z's length does not matter."""
    flat = replace(old, columns=old.feature_columns(1, 1))
    assert isinstance(judge(dataset((2, 1, 30, 40, 1)), flat), Accepted)


@pytest.mark.parametrize("axis", ["z", "y", "x"])
@given(sigma=st.sampled_from([0.3, 0.7, 1.0, 1.6, 3.5, 5.0, 10.0]))
def test_every_spatial_axis_holds_the_largest_filter(axis, sigma):
    """ceil(3.5 sigma) + 1 pixels, not one fewer; 3 or 4 along x, which only the smallest ask for, are never enough."""
    needed = {0.3: 3, 0.7: 4, 1.0: 5, 1.6: 7, 3.5: 14, 5.0: 19, 10.0: 36}[sigma]
    facts = ProjectFacts("1.4.2", "", "zyx", None, None, (), sigma, 0.0, True, 1, 0, 0, None)
    for length, fits in ((needed, True), (needed - 1, False)):
        shape = tuple(length if letter == axis else 50 for letter in "zyx")
        verdict = judge(dataset(shape, "zyx"), facts)
        assert isinstance(verdict, Accepted) == (fits and (axis != "x" or length > 4))
        if not fits:
            assert f"needs at least {needed}" in words(verdict)


def test_filters_in_2d_leave_z_alone():
    """A scale filtered in 2D asks for y and x only."""
    facts = ProjectFacts("1.4.2", "", "zyx", None, None, (), 0.3, 10.0, True, 1, 0, 0, None)
    assert isinstance(judge(dataset((3, 36, 36), "zyx"), facts), Accepted)
    assert "along y" in words(judge(dataset((3, 35, 36), "zyx"), facts))


def test_results_beyond_4_gb_are_no_reason_to_refuse(project):
    """What classic TIFF can't hold becomes a BigTIFF on the node."""
    facts = replace(project, columns=None)
    assert isinstance(judge(dataset((1, 1200, 2000, 2000, 1)), facts, size=10**9), Accepted)


def can_be_laid_out(width, path):
    """Ask the library with which ilastik writes TIFFs, as ilastik does (t, z, c, y, x)."""
    try:
        with tifffile.TiffWriter(path, byteorder="<", ome=True) as writer:
            writer.write(shape=(2, 20, 1, 4, width), dtype="uint8", metadata={"axes": "TZCYX"})
    except ValueError:
        return False
    return True


@pytest.mark.parametrize("width", range(3, 7))
def test_widths_that_are_taken_for_colours_are_refused(project, tmp_path, width):
    """A filter of the smallest scale fits into 3 pixels, and the TIFF library refuses just 3 and 4 columns."""
    facts = replace(project, sigma_3d=0.3, sigma_2d=0.0)
    wide, region = dataset((2, 20, 4, width, 1)), StoredExport(region_stop=(0, 0, 0, width, 0))
    cut = judge(dataset(), facts, ImageOptions(export=region))
    for verdict, remedy in ((judge(wide, facts), "upload an image"), (cut, "save the project with a region")):
        assert isinstance(verdict, Accepted) == can_be_laid_out(width, tmp_path / "made.tiff")
        if isinstance(verdict, Refused):
            assert f"{width} pixels wide" in verdict.sentence
            assert f"{remedy} that is at least 5" in verdict.sentence.replace(" for its export", "")


@pytest.mark.parametrize(
    ("changes", "copied"),
    [
        ({"axistags": None, "axes": "tzyxc"}, 0),
        ({"reader": "imaris", "axes": "tzyxc"}, 2),
        ({"filters": ((32001, "blosc"),)}, 2),
        ({"filters": ((32001, "blosc"),), "dtype": "bool", "item_bytes": 1}, 1),
    ],
    ids=["tags are written in place", "a dialect", "what only the node decompresses", "bytes"],
)
def test_what_the_node_has_to_copy_is_known(project, changes, copied):
    """Its pixels then lie on the disk once more, without compression."""
    verdict = judge(dataset(**{"dtype": "uint16", "item_bytes": 2} | changes), project)
    assert isinstance(verdict, Accepted), verdict
    assert verdict.copy_bytes == copied * 48_000


def test_images_of_a_file_are_copied_one_after_the_other(project):
    """What counts is the largest, whatever compresses them."""
    several = Images(tuple(dataset((times, 20, 30, 40, 1), path=f"s{times}", scene=f"s{times}") for times in (2, 3)))
    verdict = judge_several("x.h5", 10**6, several, project, ImageOptions(), CheckLimits())
    assert isinstance(verdict, Accepted), verdict
    assert verdict.copy_bytes == 3 * 24_000


def test_contiguous_pixels_must_lie_in_the_file(project):
    """What begins inside and ends outside is damaged, however whole the file claims to be."""
    pixels = 2 * 20 * 30 * 40
    assert isinstance(judge(dataset(offset=2048), project, size=2048 + pixels), Accepted)
    assert "damaged" in words(judge(dataset(offset=2048), project, size=2047 + pixels))


def test_an_image_beyond_the_limit_is_refused(project):
    """However few bytes it takes in its file."""
    limits = CheckLimits(max_declared_bytes=2 * 20 * 30 * 40)
    assert isinstance(judge(dataset(), project, limits=limits), Accepted)
    assert "the limit is" in words(judge(dataset((3, 20, 30, 40, 1)), project, limits=limits))


def test_sizes_beyond_what_compression_can_do_are_refused(project):
    """1,100 times the file's length, beside a gigabyte that may simply be empty."""
    facts = replace(project, columns=None)
    found = dataset((2, 4, 1000, 1000, 1000 // 4), dtype="uint8")
    facts = replace(facts, sigma_3d=0.3, channels=None)
    declared = 2 * 10**9
    enough = (declared - 2**30) // 1100 + 1
    assert isinstance(judge(found, facts, size=enough), Accepted)
    assert "far too few" in words(judge(found, facts, size=enough - 2))


def test_tags_of_odd_types_are_written_anew(project):
    """Right letters with types that vigra would not take for the same: the task has to write them."""
    verdict = judge(dataset(axistags=axistags("tzyxc", c=2)), project)
    assert (verdict.image.axes, verdict.image.tagged) == ("tzyxc", False)


def test_configured_axes_do_not_override_tags(project):
    """The file knows best."""
    options = ImageOptions(axes="tzxyc")
    assert judge(dataset(), project, options).image.axes == "tzyxc"


@pytest.mark.parametrize(
    "change",
    [
        {"shape": "x"},
        {"shape": [-1]},
        {"shape": [True, 2]},
        {"dtype": 3},
        {"filters": [["a", "b"]]},
        {"axistags": 3},
        {"offset": "x"},
        {"finding": None},
    ],
)
def test_findings_of_wrong_kinds_are_noticed(change):
    """The parser has met a hostile file; what it says is not trusted."""
    assert isinstance(image_findings(ACCEPTED), Dataset)
    with pytest.raises(BadFindings):
        image_findings(ACCEPTED | change)


def test_facts_survive_the_table(project):
    """What is kept of a project comes back the same, and is small."""
    many = replace(project, classes=tuple("\N{GREEK SMALL LETTER SIGMA}" * 40 for _ in range(20)))
    assert ProjectFacts.from_json(many.to_json()) == many
    assert len(many.to_json().encode()) <= 4096
