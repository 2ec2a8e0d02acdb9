"""Files of other programs, through the real parser: recognised by their structure, and cut to their true size."""

import h5py
import numpy as np
import pytest
import pytest_asyncio

from batch_ops.image.facts import Accepted, Refused, Undecided
from batch_ops.inspection.checker import ImageChecker
from batch_ops.task.run_plan import AxesSource
from tests.fakes.dialects import MAKERS, SERIES, UNSAID, pixels_of
from tests.unit.inspection.conftest import PROJECT_3D, CountingReader, make_h5

pytestmark = pytest.mark.asyncio(loop_scope="module")
_OF_MATLAB = {"MATLAB_class": np.bytes_(b"double")}
MOST_READS, MOST_BYTES = 24, 2**20


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def look():
    """The verdict on what `build` writes; what it read is noted in the reader."""
    async with ImageChecker() as checker:

        async def run(build, project=PROJECT_3D):
            reader = CountingReader(make_h5(build))
            verdict = await checker.check_image("x.h5", reader, project)
            assert len(reader.reads) <= MOST_READS
            assert sum(length for _, length in reader.reads) <= MOST_BYTES
            return verdict

        yield run


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
    assert size == {axis: n for axis, n in zip("tczyx", shape, strict=True) if axis in "zyx" or dialect in SERIES}
    assert bool(verdict.warnings) == (dialect in UNSAID)


async def test_an_array_of_matlab_with_more_dimensions_is_asked_about(look):
    """Planes, channels and times: nothing is usual there."""
    verdict = await look(lambda file: file.create_dataset("s", data=np.zeros((6, 9, 21, 26))).attrs.update(_OF_MATLAB))
    assert isinstance(verdict, Undecided), verdict
    assert "MATLAB" in verdict.sentence


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
        (_without_size, "does not hold an image of"),
    ],
    ids=["no pixels", "larger than what is stored"],
)
async def test_a_dialect_that_is_not_whole_is_refused(look, build, words):
    """What is missing is never taken for black."""
    verdict = await look(build)
    assert isinstance(verdict, Refused), verdict
    assert words in verdict.sentence
