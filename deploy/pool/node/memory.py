"""Whether ilastik would begin at all: with too little free memory for one page it waits for ever, without a word."""

from __future__ import annotations

import re
from pathlib import Path

from batch_ops.image.facts import ProjectFacts, Refused
from batch_ops.image.page_memory import page_bytes
from batch_ops.task import contract, true_success
from batch_ops.task.export_plan import exported
from batch_ops.task.run_plan import ImageDescription
from node.files import refuse

MEMINFO = Path("/proc/meminfo")


def check_memory(
    project: ProjectFacts | Refused,
    task: contract.TaskEnvironment,
    image: ImageDescription,
    page_shape: tuple[int, int] | None = None,
    meminfo: Path = MEMINFO,
) -> None:
    """Refuse an image for whose page this node has too little memory now: the watchdog would tell in ten minutes.

    Says nothing of a project that only ilastik understands, or where the node does not tell what is free.
    """
    free, need = free_bytes(meminfo), None
    if not isinstance(project, Refused):
        channels, _ = exported(task.export_source, len(project.classes))
        need = page_bytes(image, project, task.threads, page_shape, channels)
    if need is not None and free is not None and free < need:
        refuse(
            contract.EXIT_STALLED,
            f"ilastik was not started: it waits for ever where less than {true_success.size(need)} of memory are free "
            f"for a page of this image, and this node has {true_success.size(free)} now.",
        )


def free_bytes(meminfo: Path) -> int | None:
    """Read the memory that can be had without swapping, which is what ilastik goes by; None if it is not known."""
    try:
        found = re.search(r"(?m)^MemAvailable:\s+(\d+) kB$", meminfo.read_text())
    except OSError:
        return None
    return int(found[1]) * 1024 if found else None
