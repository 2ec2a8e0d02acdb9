"""What the pages of a file ask of a node's memory, and which of them ilastik never begins with."""

from collections.abc import Sequence

from batch_ops.domain.export_choice import exported_values, kept_export, planned_export
from batch_ops.domain.project import Project
from batch_ops.domain.settings import Settings
from batch_ops.image.axes import sizes
from batch_ops.image.facts import GB
from batch_ops.image.page_memory import page_bytes
from batch_ops.task.certificate import CERTIFIED
from batch_ops.task.export_plan import HDF5
from batch_ops.task.plain_text import plain
from batch_ops.task.run_plan import ImageDescription

# A node has more memory than its task slots are given, but never so much more: beyond it, the wall is certain.
_NEVER_TIMES = 1.5


def may_use_engine(project: Project, settings: Settings) -> bool:
    """Return whether the pixel engine may compute the images of a project: never in the place of another tool."""
    return not project.tool and (project.config.engine or settings.engine) == CERTIFIED


def is_beyond_walls(project: Project, settings: Settings) -> bool:
    """Return whether no page is too large: the engine may compute it, and is certified for such exports.

    Nothing is certified of exports that are changed by what the project stores.
    """
    return may_use_engine(project, settings) and not kept_export(project).has_effect


def page_need(images: Sequence[ImageDescription], project: Project, settings: Settings, threads: int) -> int:
    """Return the free memory in bytes below which none of the images is begun with; 0: there is no such wall.

    Where ilastik exports to HDF5 it goes block by block, and waits for no page.
    """
    if is_beyond_walls(project, settings):
        return 0
    return max((need for need, _ in _needs(images, project, settings, threads)), default=0)


def memory_fault(name: str, images: Sequence[ImageDescription], project: Project, settings: Settings) -> str:
    """Return a sentence if ilastik would wait for ever on any node there is, even with one thread."""
    if project.tool or is_beyond_walls(project, settings):
        return ""
    need, image = max(_needs(images, project, settings, threads=1), key=lambda one: one[0], default=(0, None))
    room = max(settings.slot_memory_mb * settings.slots_per_node, settings.large_slot_memory_mb) * 2**20
    if image is None or need <= _NEVER_TIMES * room:
        return ""
    size = sizes(image.read_as, image.shape)
    engine = (
        "Keep no export settings of its project"
        if may_use_engine(project, settings)
        else 'Set "engine" to "certified" in the configuration of its project'
    )
    return (
        f"'{plain(name)}' has pages of {size['y']:,} x {size['x']:,} pixels, and ilastik never begins with such a page "
        f"where less than {need / GB:,.1f} GB of memory are free; tasks here have {room / GB:,.1f} GB at most. "
        f"{engine}: the pixel engine computes it in little memory. "
        "Or cut the image into smaller pages, or ask for larger nodes, and then: files retry --force."
    )


def _needs(
    images: Sequence[ImageDescription], project: Project, settings: Settings, threads: int
) -> list[tuple[int, ImageDescription]]:
    channels, _ = exported_values(project, settings)
    plans = [(image, planned_export(image, project, settings)) for image in images]
    return [
        (page_bytes(image, project.facts, threads, plan.page_shape, channels) or 0, image)
        for image, plan in plans
        if plan.export_format != HDF5
    ]
