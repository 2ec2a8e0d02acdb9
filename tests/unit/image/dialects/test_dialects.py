"""Files of other programs, through the real parser: recognised by their structure, and cut to their true size."""

import io
from dataclasses import replace

import h5py
import numpy as np
import pytest

from batch_ops.image import read_pattern
from batch_ops.image.dialects import tiff
from batch_ops.image.dialects.read_file import DIALECTS, read_file
from batch_ops.image.facts import Accepted, ImageOptions, Refused, Undecided
from batch_ops.image.readings import PLAIN_READER
from batch_ops.image.views import COPIED_READERS
from batch_ops.task.run_plan import AxesSource
from tests.fakes.dialects import MAKERS, NO_CHANNELS, SERIES, UNSAID, pixels_of
from tests.unit.inspection.conftest import PROJECT_3D, axistags, make_h5

pytestmark = pytest.mark.asyncio(loop_scope="module")
_OF_MATLAB = {"MATLAB_class": np.bytes_(b"double")}
_FLAT = replace(PROJECT_3D, spatial_dimensions=2, sigma_3d=0.0, columns=None)


async def test_readers_that_need_a_plain_copy_are_known_without_the_library():
    """The room that it takes is planned where nothing may import HDF5."""
    copied = {name for name, dialect in DIALECTS.items() if dialect.parts is not None}
    assert copied | {read_pattern.READER, tiff.READER} == COPIED_READERS


@pytest.mark.parametrize("dialect", MAKERS)
async def test_a_dialect_is_known_by_its_structure(look, dialect):
    """Nobody configures anything; its axes are said by the format, and its true size is what counts."""
    shape = (3, 1, 14, 21, 26) if dialect in SERIES else (1, 1, 14, 21, 26)
    verdict = await look(lambda file: MAKERS[dialect](file, pixels_of(*shape)))
    assert isinstance(verdict, Accepted), verdict
    image = verdict.image
    source = AxesSource.ASSUMED if dialect in UNSAID else AxesSource.TAGS
    assert (image.reader, image.axes_source, image.tagged) == (dialect, source, False)
    size = dict(zip(image.axes, image.shape, strict=True))
    said = "zyx" if dialect not in SERIES else "tzyx" if dialect in NO_CHANNELS else "tczyx"
    assert size == {axis: n for axis, n in zip("tczyx", shape, strict=True) if axis in said}
    assert bool(verdict.warnings) == (dialect in UNSAID)


@pytest.mark.parametrize(
    ("shape", "project", "likely"),
    [
        ((6, 9, 21, 26), PROJECT_3D, "tzxy"),
        ((3, 40, 30), replace(_FLAT, axes="yxc", channels=3), "cxy"),
        ((6, 40, 30), replace(_FLAT, axes="tyxc"), "txy"),
    ],
)
async def test_an_array_of_matlab_that_is_no_stack_is_asked_about(look, shape, project, likely):
    """Colours and times: nothing is usual there; what is proposed has x before y, as it is stored in columns."""
    build = lambda file: file.create_dataset("s", data=np.zeros(shape)).attrs.update(_OF_MATLAB)  # noqa: E731
    verdict = await look(build, project)
    assert isinstance(verdict, Undecided), verdict
    assert (verdict.likely, f"such as {likely}" in verdict.sentence) == (likely, True)
    assert ("MATLAB" in verdict.sentence) == (len(shape) == 4)


def _labelled(labels: str, **attributes: str):
    def build(file: h5py.File) -> None:
        made = file.create_dataset("s", data=np.zeros((30, 21, 26), "u1"))
        made.attrs.update(attributes)
        for dimension, label in zip(made.dims, labels, strict=True):
            dimension.label = label

    return build


async def test_names_of_axes_that_nobody_knows_are_asked_about(look):
    """Frames are no z, whatever fits the project; offsets of pixels are what they are of."""

    def build(*axes: str):
        def made(file: h5py.File) -> None:
            MAKERS["nexus"](file, pixels_of(1, 1, 14, 21, 26))
            file["entry/data"].attrs["axes"] = axes

        return made

    verdict = await look(build("frame_number", "y", "x"))
    assert isinstance(verdict, Undecided), verdict
    assert "names that it gives its axes" in verdict.sentence
    verdict = await look(build("z", "y_pixel_offset", "x_pixel_offset"))
    assert isinstance(verdict, Accepted), verdict
    assert (verdict.image.axes, verdict.image.axes_source) == ("zyx", AxesSource.TAGS)


@pytest.mark.parametrize(
    ("labels", "attributes", "axes", "warned"),
    [
        ("xzy", {}, "xzy", "axes-of-its-own"),
        ("xzy", {"axistags": axistags("zyx")}, "zyx", ""),
        ("zyz", {}, "zyx", ""),
        ("zrq", {}, "zyx", ""),
        ("zct", {}, "zyx", ""),
    ],
)
async def test_labels_of_dimensions_are_tags(look, labels, attributes, axes, warned):
    """Those that HDF5 itself has a place for; axistags count more, and labels that make no image count as none."""
    verdict = await look(_labelled(labels, **attributes), options=ImageOptions(axes="zyx"))
    assert isinstance(verdict, Accepted), verdict
    assert verdict.image.axes == axes
    assert "".join(warning.code for warning in verdict.warnings) == warned


async def test_stacked_arrays_of_matlab_are_stored_in_columns_too(look):
    """What the first of them says counts for all."""

    def build(file: h5py.File) -> None:
        for number in (1, 2):
            file.create_dataset(f"s{number}", data=np.zeros((14, 21, 26), "u1")).attrs.update(_OF_MATLAB)

    verdict = await look(build, options=ImageOptions(internal_path="s{t}"))
    assert isinstance(verdict, Accepted), verdict
    assert (verdict.image.axes, verdict.image.shape, verdict.image.reader) == ("tzxy", (2, 14, 21, 26), "pattern")


_SETUPS = pixels_of(2, 3, 14, 21, 26, dtype="u2")
_PATTERN = "t{t:05d}/s01/0/cells"


async def test_what_was_described_as_a_plain_dataset_stays_one():
    """By an app that knew no dialects, whose tasks get today's scripts."""
    with h5py.File(io.BytesIO(make_h5(lambda file: MAKERS["bigdataviewer"](file, _SETUPS)))) as file:
        found = read_file(file, "t00000/s00/0/cells", 2000, PLAIN_READER)
    assert (found["finding"], found["shape"]) == ("dataset", [14, 21, 26])


async def test_set_ups_of_bigdataviewer_are_images_by_themselves(look):
    """All of them are segmented, each in the folder of its name; the node finds each by its path again."""
    verdict = await look(lambda file: MAKERS["bigdataviewer"](file, _SETUPS))
    assert isinstance(verdict, Accepted), verdict
    assert [(image.folder, image.scene) for image in verdict.images] == [(s, s) for s in ("s00", "s01", "s02")]
    assert {(image.shape, image.dtype, image.axes) for image in verdict.images} == {((2, 14, 21, 26), "uint16", "tzyx")}
    assert verdict.images[1].internal_path == _PATTERN


@pytest.mark.parametrize(("said", "dtype"), [("int16", "int16"), ("uint16", "uint16"), ("", "uint16")])
async def test_numbers_of_a_set_up_are_signed_only_where_it_says_so(look, said, dtype):
    """BigDataViewer has stored them as signed ones ever, and says nothing, or what they are."""

    def build(file: h5py.File) -> None:
        MAKERS["bigdataviewer"](file, _SETUPS[:, :1])
        if said:
            file["s00"].attrs["dataType"] = said

    assert (await look(build)).image.dtype == dtype


async def test_a_set_up_that_does_not_fit_is_named(look):
    """All are segmented or none is."""

    def build(file: h5py.File) -> None:
        MAKERS["bigdataviewer"](file, _SETUPS)
        for time in ("t00000", "t00001"):
            del file[f"{time}/s01/0/cells"]
            file[f"{time}/s01/0/cells"] = np.zeros((2, 21, 26), "i2")

    verdict = await look(build)
    assert isinstance(verdict, Refused), verdict
    assert "x.h5 (image s01) has 2 z slices" in verdict.sentence


@pytest.mark.parametrize(
    ("trained", "path", "shape"),
    [
        ((), _PATTERN, (2, 14, 21, 26)),
        ((), "/t00001/s01/0/cells", (1, 14, 21, 26)),
        ((), "t*/s01/1/cells", (2, 14, 11, 13)),
        (("t00001/s01/0/cells",), None, (2, 14, 21, 26)),
        ((), "t{t:05d}/s01+s02/0/cells", (2, 2, 14, 21, 26)),
        ((), "t{t:05d}/s{c:02d}/0/cells", (2, 3, 14, 21, 26)),
    ],
    ids=["configured", "one time point", "a lower level", "trained on", "as channels", "all as channels"],
)
async def test_one_set_up_is_named_by_configuration_or_training(look, trained, path, shape):
    """All of its time points, or the one that is named; its numbers are unsigned in any case.

    What the path of the training images leaves out is said.
    """
    channels = shape[1] if len(shape) == 5 else 1
    project = replace(PROJECT_3D, trained_paths=trained, channels=channels, columns=None)
    verdict = await look(lambda file: MAKERS["bigdataviewer"](file, _SETUPS), project, ImageOptions(internal_path=path))
    assert isinstance(verdict, Accepted), verdict
    image = verdict.image
    scene = {1: "s01", 2: "s01+s02", 3: "s00+s01+s02"}[channels]
    assert (image.reader, image.scene, image.dtype, image.shape) == ("bigdataviewer", scene, "uint16", shape)
    assert [warning.code for warning in verdict.warnings] == (["datasets-passed-over"] if trained else [])


@pytest.mark.parametrize(
    ("trained", "path", "shape"),
    [
        ((), "/DataSet/ResolutionLevel 0/TimePoint 1/Channel 2/Data", (1, 14, 21, 26)),
        ((), "DataSet/ResolutionLevel 1/TimePoint */Channel 2/Data", (2, 14, 11, 13)),
        (("DataSet/ResolutionLevel 0/TimePoint 0/Channel 2/Data",), None, (2, 14, 21, 26)),
    ],
    ids=["one volume", "a lower level", "trained on"],
)
async def test_one_channel_of_imaris_is_named_by_configuration_or_training(look, trained, path, shape):
    """Its padding is cut as ever."""
    project = replace(PROJECT_3D, trained_paths=trained)
    verdict = await look(lambda file: MAKERS["imaris"](file, _SETUPS), project, ImageOptions(internal_path=path))
    assert isinstance(verdict, Accepted), verdict
    assert (verdict.image.reader, verdict.image.axes, verdict.image.shape) == ("imaris", "tzyx", shape)
    assert "Channel 2" in verdict.image.internal_path
    assert ["Channel 0, Channel 1." in warning.sentence for warning in verdict.warnings] == [True] * bool(trained)


@pytest.mark.parametrize("dialect", ["imaris", "nexus", "bigdataviewer"])
async def test_what_stands_beside_a_layout_is_said_or_chosen(look, dialect):
    """Nothing but tables and masks is passed over in silence; where its project was trained, it is the one meant."""
    shape = (2, 2, 14, 21, 26) if dialect in SERIES else (1, 1, 14, 21, 26)

    def build(file: h5py.File) -> None:
        MAKERS[dialect](file, pixels_of(*shape))
        file["extra/other"] = np.zeros((14, 21, 26), "u1")
        file["table"] = np.zeros((500, 3))
        file["far"] = h5py.ExternalLink("elsewhere.h5", "/data")

    (warning,) = (await look(build, replace(PROJECT_3D, channels=None, columns=None))).warnings
    assert warning.code == "datasets-passed-over"
    assert "passed over: extra/other (14 x 21 x 26), far (a link out of the file)." in warning.sentence
    trained = await look(build, replace(PROJECT_3D, trained_paths=("extra/other",)))
    assert isinstance(trained, Undecided | Accepted), trained
    assert trained.image.internal_path == "extra/other"


def _broken_off(file: h5py.File) -> None:
    MAKERS["bigdataviewer"](file, pixels_of(2, 2, 14, 21, 26))
    del file["t00001/s01"]


def _interrupted(file: h5py.File) -> None:
    MAKERS["bigdataviewer"](file, pixels_of(4, 2, 14, 21, 26))
    del file["t00002/s00/0/cells"]


def _partition(file: h5py.File) -> None:
    MAKERS["bigdataviewer"](file, pixels_of(2, 1, 14, 21, 26))
    del file["t00001"]
    file["t00001"] = h5py.ExternalLink("other-01.h5", "/t00001")


def _without_time(file: h5py.File) -> None:
    MAKERS["bigdataviewer"](file, pixels_of(3, 1, 14, 21, 26))
    del file["t00001"]


def _without(name: str):
    def build(file: h5py.File) -> None:
        MAKERS["imaris"](file, pixels_of(2, 1, 14, 21, 26))
        del file[name]

    return build


def _without_size(file: h5py.File) -> None:
    MAKERS["imaris"](file, pixels_of(1, 1, 14, 21, 26))
    del file["DataSet/ResolutionLevel 0/TimePoint 0/Channel 0"].attrs["ImageSizeX"]
    file["DataSetInfo/Image"].attrs["X"] = np.frombuffer(b"99", "S1")


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (_without("DataSet/ResolutionLevel 0/TimePoint 0/Channel 0/Data"), "damaged"),
        (_without_time, "has nothing at 't00001'"),
        (_broken_off, "has nothing at 't00001/s01/0/cells'"),
        (_interrupted, "has nothing at 't00002/s00/0/cells'"),
        (_partition, "points to another file at 't00001'"),
        (_without_size, "does not hold an image of"),
    ],
    ids=[
        "no pixels",
        "a time point lacks",
        "the last one is not whole",
        "one between is not whole",
        "a time point elsewhere",
        "larger than what is stored",
    ],
)
async def test_a_dialect_that_is_not_whole_is_refused(look, build, words):
    """What is missing is never taken for black."""
    verdict = await look(build)
    assert isinstance(verdict, Refused), verdict
    assert words in verdict.sentence
