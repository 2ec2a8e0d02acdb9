"""What a run is expected to take of its node. A first guess from measured runs; it never refuses a file. Pure.

Measured with ilastik 1.4.2 on two cores (exports to TIFF): 10 x 300 x 275 x 50 with 21 features took 95 CPU seconds
and 420 MB, a plane of 2048 x 2048 with 49 features 32 s and 1,363 MB, a stack of 20 such planes with features in 3D
to sigma 5 8.7 GB. TIFFs are computed page by page: what a page needs counts, not what the image has.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from batch_ops.image.axes import sizes
from batch_ops.image.facts import WINDOW_RATIO, ProjectFacts
from batch_ops.image.page_memory import VALUE_BYTES
from batch_ops.task.run_plan import Forecast, ImageDescription
from batch_ops.task.tool import ToolProfile
from batch_ops.task.tool_input import memory_bytes

_BASE_BYTES = 350 * 10**6
_START_SECONDS = 4.0
# In 3D, the planes of the filter's window are held about this often for each thread.
_COPIES_IN_3D = 26
_CPU_SECONDS_PER_VALUE = 1.5e-7


@dataclass(frozen=True, slots=True)
class _Work:
    page: int
    planes: int
    voxels: int
    columns: int


def forecast(
    images: Sequence[ImageDescription], project: ProjectFacts, threads: int, tool: ToolProfile | None = None
) -> Forecast:
    """Estimate peak memory (within about a quarter) and seconds of work (within a factor of 2.5) with these threads.

    The images are segmented one after the other. Unknown for one that was not checked.
    """
    if not all(image.is_known for image in images):
        return Forecast()
    if tool:
        # Its profile says what it takes, and nobody how long.
        return Forecast(max(memory_bytes(tool, image) or 0 for image in images))
    each = [_of_image(image, project, threads) for image in images]
    return Forecast(max(memory for memory, _ in each), math.ceil(sum(seconds for _, seconds in each)))


def _of_image(image: ImageDescription, project: ProjectFacts, threads: int) -> tuple[int, float]:
    """Estimate bytes and seconds."""
    work = _work(image, project)
    per_pixel = VALUE_BYTES * (work.columns + len(project.classes) * threads)
    window = work.page * work.planes * _COPIES_IN_3D * threads if work.planes > 1 else 0
    cpu_seconds = work.voxels * work.columns * _CPU_SECONDS_PER_VALUE
    return _BASE_BYTES + work.page * per_pixel + window, _START_SECONDS + cpu_seconds / threads


def _work(image: ImageDescription, project: ProjectFacts) -> _Work:
    size = sizes(image.read_as, image.shape_read)
    reach = math.ceil(WINDOW_RATIO * project.sigma_3d) if size["z"] > 1 else 0
    return _Work(
        page=size["y"] * size["x"],
        planes=min(size["z"], 2 * reach + 1),
        voxels=size["t"] * size["z"] * size["y"] * size["x"],
        columns=project.feature_columns(size["c"], size["z"]),
    )
