"""What a page of an image asks of ilastik: with too little free memory for one it waits for ever, without a word."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from pathlib import Path

from batch_ops.image.facts import ProjectFacts, Refused
from batch_ops.image.page_memory import page_bytes
from batch_ops.task import contract, true_success
from batch_ops.task.export_plan import HDF5, ExportPlan, exported
from batch_ops.task.run_plan import ImageDescription
from node.files import refuse

MEMINFO = Path("/proc/meminfo")
ENGINE_HAS_NO_WALL = (
    'With "engine": "certified" in the configuration of its project, the pixel engine computes such images in little '
    "memory."
)


@dataclass(frozen=True)
class Page:
    """What ilastik may do with the pages of an image: `threads` of it, at least one.

    `need`: bytes that have to be free with that many; `free`: those that are; None where unknown or of no account.
    `is_over`: it needs more than that, or than the task may have.
    """

    threads: int
    need: int | None = None
    free: int | None = None
    is_over: bool = False

    @property
    def fault(self) -> str:
        """Say why ilastik would never begin; empty where it would."""
        if self.need is None or self.free is None or self.free >= self.need:
            return ""
        return (
            f"it waits for ever where less than {true_success.size(self.need)} of memory are free for a page of this "
            f"image, and this node has {true_success.size(self.free)} now"
        )


def page_of(
    project: ProjectFacts | Refused,
    task: contract.TaskEnvironment,
    image: ImageDescription,
    plan: ExportPlan,
    meminfo: Path = MEMINFO,
) -> Page:
    """Choose so many of the task's threads as its share of the free memory takes: each holds a part of the page.

    Nothing is known of a project that only ilastik understands, or where the node does not tell what is free; exports
    to HDF5 wait for no page.
    """
    if isinstance(project, Refused) or plan.export_format == HDF5:
        return Page(task.threads)
    free = free_bytes(meminfo)
    channels, _ = exported(task.export_source, len(project.classes))
    room = min(task.ram_mb * 2**20, sys.maxsize if free is None else free)
    for threads in range(task.threads, 0, -1):
        need = page_bytes(image, project, threads, plan.page_shape, channels) or 0
        if need <= room:
            return Page(threads, need, free)
    return Page(1, need, free, is_over=True)


def refuse_page(page: Page, more: str = "") -> None:
    """Refuse an image that ilastik would never begin with: the watchdog would say so in ten minutes."""
    if page.fault:
        refuse(contract.EXIT_STALLED, f"ilastik was not started: {page.fault}.{more and ' '}{more}")


def free_bytes(meminfo: Path) -> int | None:
    """Read the memory that can be had without swapping, which is what ilastik goes by; None if it is not known."""
    try:
        found = re.search(r"(?m)^MemAvailable:\s+(\d+) kB$", meminfo.read_text())
    except OSError:
        return None
    return int(found[1]) * 1024 if found else None
