"""What is measured of a good run's results. Never a reason for failure: what can't be had is a warning."""

from __future__ import annotations

from contextlib import suppress

from batch_ops.task.contract import PROJECT_FILE
from batch_ops.task.objects import OBJECTS_NAME, ObjectsWanted
from batch_ops.task.output import Output
from batch_ops.task.outputs import TABLE, Role
from batch_ops.task.run_plan import RunWarning
from batch_ops.task.strict_json import ManifestError, plain_line
from node import measure
from node.aside import NoAnswer, ask_aside
from node.execution import Execution
from node.files import md5_of
from node.image import LINK, LocalImage
from node.measure import Found

LEAST_SECONDS = 300.0


def pixels_of(execution: Execution, image: LocalImage, segmentations: list[Output]) -> dict[str, object]:
    """Say for an order to a process aside where the pixels are: those of the image, and those of its results."""
    return {
        "image": str(execution.root / LINK),
        "dataset": image.argument[len(LINK) :].lstrip("/"),
        "axes": image.axes,
        "read_as": image.described.read_as,
        "files": [str(execution.partial / output.path) for output in segmentations],
        "pages": segmentations[0].pages if segmentations else 0,
    }


def measure_results(
    execution: Execution, image: LocalImage, classes: int, results: list[Output], wanted: ObjectsWanted
) -> tuple[list[Output], Found]:
    """Look at the pixels of image and results: count objects into a table beside them, warn of what looks wrong.

    Returns the table as an output, and what was found.
    It may take as long as ilastik did, or LEAST_SECONDS.
    """
    segmentations = [output for output in results if output.role is Role.SEGMENTATION]
    folder = image.described.folder
    name = f"{folder}/{OBJECTS_NAME}" if folder else OBJECTS_NAME
    table = execution.partial / name
    order = {
        **pixels_of(execution, image, segmentations),
        "per_plane": bool(image.described.planes),
        "project": str(execution.root / PROJECT_FILE),
        "classes": classes,
        "table": str(table),
        "wanted": wanted.to_json(),
    }
    try:
        told = ask_aside(measure.__name__, order, max(LEAST_SECONDS, execution.seconds.get("ilastik", 0.0)))
        found = Found.read(told)
    except (NoAnswer, ManifestError) as exc:
        with suppress(OSError):
            table.unlink()
        reason = plain_line(f"Its objects were not counted, nor its pixels looked at: {exc}")
        execution.warn(RunWarning("not-counted", f"{reason.rstrip('.')}."), folder)
        return [], Found()
    for warning in found.warnings:
        execution.warn(warning, folder)
    if found.counts is None:
        return [], found
    return [Output(name, Role.TABLE, TABLE, table.stat().st_size, md5_of(table))], found
