"""What the XML beside a BigDataViewer file says of its set-ups; two of these files are by others' writers."""

from dataclasses import replace
from pathlib import Path

import pytest

from batch_ops.image.companion import MAX_BYTES, Companion, CompanionError, SetUp, parse
from batch_ops.image.facts import Accepted, CheckLimits, ImageOptions, Refused
from batch_ops.image.readings import Dataset, Images
from batch_ops.image.setups import Beside, judge_setups
from batch_ops.image.several import at_most, judge
from batch_ops.task.manifest import MAX_WARNINGS
from batch_ops.task.run_plan import RunWarning
from batch_ops.task.segmented import MAX_IMAGES
from tests.unit.inspection.conftest import PROJECT_3D

WRITTEN = Path(__file__).parents[2] / "data/dialects"
VOXEL = (("z", 1.5, "um"), ("y", 0.3, "um"), ("x", 0.2, "um"))
TWO = replace(PROJECT_3D, channels=2, columns=None)


def image(scene: str) -> Dataset:
    path = f"t{{t:05d}}/{scene}/0/cells"
    found = Dataset(path, (2, 14, 21, 26), "uint16", 2, None, (), None, True, True)
    return replace(found, reader="bigdataviewer", axes="tzyx", scene=scene)


def companion(*others: str, shape: tuple[int, ...] = (14, 21, 26)) -> Companion:
    """A set-up of each of two channels for each of these tiles."""
    each = [(tile, channel) for tile in others for channel in ("0", "1")]
    setups = (SetUp(number, shape, VOXEL, channel, (("tile", tile),)) for number, (tile, channel) in enumerate(each))
    return Companion({one.number: one for one in setups})


def judged(count: int, beside: Beside, project=PROJECT_3D):
    found = Images(tuple(image(f"s{number:02d}") for number in range(count)))
    return judge_setups("a.h5", 10**6, found, beside, project, ImageOptions(), CheckLimits())


@pytest.mark.parametrize(("file", "unit"), [("npy2bdv_channels", "um"), ("pybdv_setups", "micrometer")])
def test_the_xml_of_others_writers_is_understood(file, unit):
    """Sizes of pixels and voxels, and that the set-ups differ in their channel only."""
    setups = parse((WRITTEN / f"{file}.xml").read_bytes()).setups
    assert sorted(setups) == [0, 1]
    assert setups[1].shape == (9, 21, 26)
    assert setups[1].voxel == tuple((axis, size, unit) for axis, size, _ in VOXEL)
    assert (setups[0].channel, setups[1].channel) == ("0", "1")
    assert setups[0].others == setups[1].others


DOCUMENT = "<SpimData><SequenceDescription><ViewSetups>{}</ViewSetups></SequenceDescription></SpimData>"
ONE = "<ViewSetup><id>0</id></ViewSetup>"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x89HDF",
        b"<SpimData>",
        DOCUMENT.format("").encode(),
        DOCUMENT.format(ONE * 2).encode(),
        DOCUMENT.format("<ViewSetup><id>-1</id></ViewSetup>").encode(),
        DOCUMENT.format("<ViewSetup><id>1</id><id>2</id></ViewSetup>").encode(),
        DOCUMENT.format("<a>" * 100 + "</a>" * 100).encode(),
        b"<!DOCTYPE lolz>" + DOCUMENT.format(ONE).encode(),
        b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>' + DOCUMENT.format("&a;").encode(),
        DOCUMENT.format(ONE).encode() + b" " * MAX_BYTES,
    ],
    ids=range(11),
)
def test_hostile_xml_is_refused(content):
    """No entities, no document without an end, nothing twice."""
    with pytest.raises(CompanionError):
        parse(content)


def test_set_ups_get_the_sizes_of_their_voxels():
    """And stay images by themselves where the project knows one channel."""
    verdict = judged(2, Beside(companion("0")))
    assert isinstance(verdict, Accepted)
    assert [one.folder for one in verdict.images] == ["s00", "s01"]
    assert {one.pixel_sizes for one in verdict.images} == {VOXEL}
    assert verdict.warnings == ()


def test_set_ups_are_channels_only_where_the_xml_says_so():
    """Those of one tile are one image; of the other tile another."""
    verdict = judged(4, Beside(companion("0", "1")), TWO)
    assert isinstance(verdict, Accepted), verdict
    assert [(one.internal_path, one.folder) for one in verdict.images] == [
        ("t{t:05d}/s00+s01/0/cells", "s00-s01"),
        ("t{t:05d}/s02+s03/0/cells", "s02-s03"),
    ]
    assert {(one.axes, one.shape) for one in verdict.images} == {("tczyx", (2, 2, 14, 21, 26))}
    alone = judged(2, Beside(companion("0")), TWO)
    assert isinstance(alone, Accepted)
    assert [one.folder for one in alone.images] == [""]


@pytest.mark.parametrize(
    "beside",
    [Beside(fault="there is no 'a.xml'"), Beside(companion("0", shape=(1, 2, 3))), Beside(Companion({0: SetUp(0)}))],
    ids=["missing", "of another size", "of other set-ups"],
)
def test_without_its_own_xml_nothing_is_guessed(beside):
    """Each set-up by itself, with a warning; what would need the channels is refused and says where they stand."""
    verdict = judged(2, beside)
    assert isinstance(verdict, Accepted)
    assert [warning.code for warning in verdict.warnings] == ["no-companion"]
    assert {one.pixel_sizes for one in verdict.images} == {()}
    refused = judged(2, beside, TWO)
    assert isinstance(refused, Refused)
    assert "only its XML says" in refused.sentence


def test_more_warnings_than_a_run_has_are_counted():
    """The last one says how many are not told."""
    warnings = [RunWarning("saturation", str(number)) for number in range(12)]
    assert at_most(warnings[:MAX_WARNINGS]) == tuple(warnings[:MAX_WARNINGS])
    told = at_most(warnings)
    assert len(told) == MAX_WARNINGS
    assert told[-1] == RunWarning("more-warnings", "There are 3 more warnings like these.")


def test_images_that_no_row_could_note_are_refused():
    """Each with a long path of its own and sizes of its own: more text than a row's column takes."""
    found = tuple(replace(image(f"s{number:02d}"), path=f"{number:03d}" + "p" * 200) for number in range(MAX_IMAGES))
    verdict = judge("a.h5", 10**6, Images(found), PROJECT_3D, ImageOptions(), CheckLimits())
    assert isinstance(verdict, Refused)
    assert "too many and too unlike" in verdict.sentence
    assert isinstance(judged(3, Beside()), Accepted)
