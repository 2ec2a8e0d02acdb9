"""TIFFs through the real parser, which sees nothing of them but the ranges that it asks for."""

from dataclasses import replace

import pytest

from batch_ops.image.facts import Accepted, Refused, Undecided
from batch_ops.task.run_plan import AxesSource
from tests.fakes.tiffs import KINDS, SHAPE, written
from tests.unit.inspection.conftest import PROJECT_3D, CountingReader

pytestmark = pytest.mark.asyncio(loop_scope="module")


def project(axes: str):
    """One that was trained on images with these axes."""
    dimensions, channels = (3 if "z" in axes else 2), (SHAPE[1] if "c" in axes else 1)
    return replace(PROJECT_3D, axes=axes, channels=channels, spatial_dimensions=dimensions, columns=None, sigma_3d=0.0)


@pytest.mark.parametrize("kind", KINDS)
async def test_every_kind_is_accepted_without_configuration(check, kind):
    """In one or two reads; the axes of a stack of pages are assumed, with a warning, where one order fits."""
    write, axes, is_said = KINDS[kind]
    reader = CountingReader(write())
    verdict = await check(reader, project(axes), name="x.tif")
    assert isinstance(verdict, Accepted), verdict
    assert sorted(verdict.image.axes) == sorted(axes)
    assert verdict.image.axes_source is (AxesSource.TAGS if is_said else AxesSource.ASSUMED)
    assert [warning.code for warning in verdict.warnings] == ([] if is_said else ["axes-assumed"])
    assert (verdict.image.reader, verdict.image.internal_path, verdict.image.tagged) == ("tiff", "series0", False)
    assert len(reader.reads) <= 2


async def test_pages_without_a_name_may_be_anything(check):
    """For a classifier of planes they could be times, slices or channels: somebody is asked; a page stays a page."""
    data = written("zyx", metadata=None)
    asked = await check(data, project("yx"))
    assert isinstance(asked, Undecided)
    assert asked.likely.endswith("yx")
    assert isinstance(await check(data, project("yx"), axes="tyx"), Accepted)
    wrong = await check(data, project("yx"), axes="yxt")
    assert isinstance(wrong, Refused)
    assert "have to come last" in wrong.sentence


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (written("yx", compression="lzma"), "compressed with LZMA"),
        (written("yx")[:-100], "is damaged"),
        (b"II*\0" + bytes(1000), "is damaged"),
        (b"MM\0+" + b"\xff" * 1000, "is damaged"),
    ],
)
async def test_what_can_not_be_read_is_said(check, data, words):
    """By its name, before a machine is paid for."""
    verdict = await check(data, project("yx"), name="x.tif")
    assert isinstance(verdict, Refused)
    assert words in verdict.sentence
    assert "HDF5" not in verdict.sentence
