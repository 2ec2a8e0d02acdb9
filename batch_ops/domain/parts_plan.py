"""Whether an image is computed in parts, in how many and along which axis. Pure.

Time points need nothing of one another. Slabs need a halo, as far as the largest filter reaches, so that there are
fewer of them: half of what a slab reads is at least its own.
"""

import math

from batch_ops.domain.settings import Settings
from batch_ops.image.axes import sizes
from batch_ops.image.facts import WINDOW_RATIO, ProjectFacts
from batch_ops.task.parts import CUT_AXES, MOST_PARTS, Division
from batch_ops.task.run_plan import Forecast, ImageDescription

# Beyond the smoothing of the image, filters reach three pixels further; and one for rounding.
_FILTERS_REACH = 4
# A volume of a single plane would be filtered in 2D.
_LEAST_SLAB = 2
# Each part fetches the whole file first. It should not take longer than its computing.
_FETCHED_BYTES_PER_SECOND = 1e8


def halo(axis: str, project: ProjectFacts) -> int:
    """Return how far around it, in pixels along an axis, the features of a pixel may look."""
    if axis == "t":
        return 0
    sigma = project.sigma_3d if axis == "z" else max(project.sigma_3d, project.sigma_2d)
    return math.ceil(WINDOW_RATIO * sigma) + _FILTERS_REACH if sigma else 0


def parts_wanted(foreseen: Forecast, length: int, settings: Settings) -> int:
    """Return in how many parts a run should be computed so that each takes as long as the settings say; 1 = in one."""
    part = min(settings.part_time, settings.wall_clock / 2).total_seconds()
    if not part or foreseen.seconds is None or foreseen.seconds < 2 * part:
        return 1
    return min(MOST_PARTS, math.ceil(foreseen.seconds / max(part, length / _FETCHED_BYTES_PER_SECOND)))


def cut_of(image: ImageDescription, project: ProjectFacts, wanted: int, *, asked: bool = False) -> Division | None:
    """Cut a known image along t, else z, else y, into as many parts as are wanted, or can be; None for a single one.

    `asked`: somebody wants that number, whatever the halo costs.
    """
    if wanted < 2 or image.has_joined_planes:
        # Planes of several time points lie in one copy, and come back in one file.
        return None
    size = sizes(image.axes, image.shape)
    most: dict[str, int] = {}
    for axis in CUT_AXES:
        if axis in ("t", image.planes):
            most[axis] = size[axis]
        elif not image.planes:
            most[axis] = size[axis] // (_LEAST_SLAB if asked else max(_LEAST_SLAB, 2 * halo(axis, project)))
    enough = [axis for axis, number in most.items() if number >= wanted]
    axis = enough[0] if enough else max(most, key=lambda one: most[one])
    number = min(wanted, most[axis], MOST_PARTS)
    if number < 2:
        return None
    around = 0 if axis in ("t", image.planes) else min(halo(axis, project), size[axis])
    return Division(axis, size[axis], number, around)
