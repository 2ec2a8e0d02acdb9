"""What Fiji's HDF5 plugin saves, by the names that it proposes and the sizes of pixels that it writes."""

from dataclasses import replace

import h5py
import numpy as np
import pytest

from batch_ops.image.facts import Accepted, ImageOptions, Refused, Undecided
from batch_ops.task.run_plan import AxesSource
from tests.fakes.dialects import MAKERS, PIXEL_SIZES, fiji_without_time, pixels_of
from tests.unit.inspection.conftest import PROJECT_3D, axistags

pytestmark = pytest.mark.asyncio(loop_scope="module")
_THIN = replace(PROJECT_3D, sigma_3d=0.3, columns=None)
_FLAT = replace(_THIN, spatial_dimensions=2, sigma_3d=0.0)


async def test_volumes_with_tags_of_their_own_are_not_by_the_plugin_of_fiji(look):
    """It writes none; what they say is not overruled by how they are called."""

    def build(file: h5py.File) -> None:
        MAKERS["fiji"](file, pixels_of(2, 1, 14, 21, 26))
        file["t0/channel0"].attrs["axistags"] = axistags("xyz")

    assert isinstance(await look(build), Refused)


@pytest.mark.parametrize("change", ["", "no sizes", "another dataset", "tags"])
async def test_channels_without_time_are_one_image(look, change):
    """Where nothing else is there, and each has the sizes that the plugin writes; such names alone say nothing."""

    def build(file: h5py.File) -> None:
        fiji_without_time(file, pixels_of(1, 2, 14, 21, 26))
        if change == "no sizes":
            del file["channel1"].attrs["element_size_um"]
        if change == "another dataset":
            file["other"] = file["channel0"][()]
        if change == "tags":
            file["channel0"].attrs["axistags"] = axistags("zyx")

    verdict = await look(build, replace(PROJECT_3D, channels=2, columns=10))
    if change:
        assert isinstance(verdict, Refused), verdict
        assert "channel0 (14 x 21 x 26), channel1" in verdict.sentence
        return
    assert isinstance(verdict, Accepted), verdict
    image = verdict.image
    assert (image.reader, image.axes, image.shape) == ("fiji", "tczyx", (1, 2, 14, 21, 26))


def _one(path: str, shape: tuple[int, ...]):
    def build(file: h5py.File) -> None:
        file.create_dataset(path, data=np.zeros(shape, "u1")).attrs["element_size_um"] = PIXEL_SIZES

    return build


@pytest.mark.parametrize(
    ("path", "shape", "project", "axes"),
    [
        ("t0/channel0", (4, 21, 26), replace(_THIN, axes="xyz"), "zyx"),
        ("channel0", (4, 21, 26), replace(_THIN, axes="xyz"), "zyx"),
        ("channel0", (4, 21, 26), replace(_THIN, axes="", channels=None, spatial_dimensions=None), "zyx"),
        ("t0/channel0", (21, 26), replace(_FLAT, axes="xyc"), "yx"),
    ],
)
async def test_one_volume_is_zyx_however_thin_it_is(look, path, shape, project, axes):
    """With a warning; who configures its axes knows better."""
    verdict = await look(_one(path, shape), project)
    assert isinstance(verdict, Accepted), verdict
    assert (verdict.image.axes, verdict.image.axes_source) == (axes, AxesSource.ASSUMED)
    assert "Fiji's HDF5 plugin" in verdict.warnings[0].sentence
    said = await look(_one(path, (30, 21, 26)[-len(shape) :]), project, ImageOptions(axes=axes[::-1]))
    assert (said.image.axes, said.image.axes_source) == (axes[::-1], AxesSource.CONFIGURATION)


async def test_three_columns_may_be_colours_and_slices_may_be_times(look):
    """The plugin stores colours last; whoever trained on time is asked, and so is whoever has another dataset."""
    verdict = await look(_one("t0/channel0", (21, 26, 3)), replace(_FLAT, axes="yxc", channels=3))
    assert isinstance(verdict, Accepted), verdict
    assert (verdict.image.axes, "plugin" in verdict.warnings[0].sentence) == ("yxc", False)
    assert isinstance(await look(_one("t0/channel0", (6, 21, 26)), replace(_FLAT, axes="tyx")), Undecided)
    assert isinstance(await look(_one("data", (4, 21, 26)), _THIN), Undecided)
