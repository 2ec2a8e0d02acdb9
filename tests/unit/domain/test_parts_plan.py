"""Which images are computed in parts, in how many and along which axis."""

from dataclasses import replace
from datetime import timedelta

import pytest

from batch_ops.domain.parts_plan import cut_of, halo, parts_wanted
from batch_ops.domain.settings import Settings
from batch_ops.task.parts import Division
from batch_ops.task.run_plan import Forecast, ImageDescription
from tests.fakes.check import PROJECT

SETTINGS = Settings("https://batch", "pool", "/identity")
# Features in 3D up to a sigma of 3.5 pixels, in 2D up to 5.
DEEP = replace(PROJECT, sigma_3d=3.5, sigma_2d=5.0)
FLAT = replace(PROJECT, sigma_3d=0.0, sigma_2d=5.0)


def image(axes: str, *shape: int, **more: str) -> ImageDescription:
    return ImageDescription("data", axes, True, shape, "uint8", **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("shown", "project", "wanted", "cut"),
    [
        # Time points come first, which need no halo.
        (image("tzyx", 500, 40, 300, 300), DEEP, 50, Division("t", 500, 50)),
        (image("xyzt", 300, 300, 40, 50), DEEP, 50, Division("t", 50, 50)),
        # There are too few: slabs along z, as thick as twice their halo at least.
        (image("tzyx", 2, 1000, 300, 300), DEEP, 4, Division("z", 1000, 4, 17)),
        (image("zyx", 1000, 300, 300), DEEP, 400, Division("z", 1000, 29, 17)),
        (image("zyx", 40, 900, 300), DEEP, 4, Division("y", 900, 4, 22)),
        # Filters in 2D see no other plane.
        (image("zyx", 40, 900, 300), FLAT, 20, Division("z", 40, 20)),
        (image("zyx", 40, 900, 300), FLAT, 30, Division("z", 40, 20)),
        (image("yx", 9000, 60_000), FLAT, 30, Division("y", 9000, 30, 22)),
        # A stack that is segmented plane by plane is cut between planes alone.
        (image("zyx", 40, 900, 300, planes="z"), FLAT, 60, Division("z", 40, 40)),
        # Never along x, and not where nothing can be cut.
        (image("yx", 40, 60_000), FLAT, 30, None),
        (image("tyx", 9, 40, 40), FLAT, 1, None),
        (image("tyx", 9, 40, 40), FLAT, 900, Division("t", 9, 9)),
        (image("tyx", 900, 40, 40), FLAT, 900, Division("t", 900, 500)),
    ],
)
def test_an_image_is_cut_where_it_costs_least(shown, project, wanted, cut) -> None:
    """Along t, else z, else y; into fewer parts than wanted where there is no room for more."""
    assert cut_of(shown, project, wanted) == cut


def test_whoever_asks_for_parts_gets_them_whatever_the_halo_costs() -> None:
    """Even slabs of two planes."""
    assert cut_of(image("zyx", 40, 60, 60), DEEP, 20, asked=True) == Division("z", 40, 20, 17)


def test_a_halo_is_as_far_as_features_look() -> None:
    """Smoothing with a window of 3.5 sigma, rounded up, and the filters after it."""
    assert [halo(axis, DEEP) for axis in "tzy"] == [0, 17, 22]
    assert [halo(axis, FLAT) for axis in "tzy"] == [0, 0, 22]


@pytest.mark.parametrize(
    ("seconds", "length", "settings", "parts"),
    [
        (1199, 1, SETTINGS, 1),
        (1200, 1, SETTINGS, 2),
        (6001, 1, SETTINGS, 11),
        (10**6, 1, SETTINGS, 500),
        (None, 1, SETTINGS, 1),
        # Fetching the whole file should not take longer than computing a part.
        (60_000, 300 * 10**9, SETTINGS, 20),
        (60_000, 1, replace(SETTINGS, part_time=timedelta()), 1),
        # A part has to end within the limit of time.
        (6000, 1, replace(SETTINGS, wall_clock=timedelta(minutes=10)), 20),
    ],
)
def test_a_part_takes_as_long_as_the_settings_say(seconds, length, settings, parts) -> None:
    """What takes less than two such parts is one task."""
    assert parts_wanted(Forecast(None, seconds), length, settings) == parts
