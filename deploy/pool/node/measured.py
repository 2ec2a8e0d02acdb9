"""What is measured of a good run's results. Never a reason for failure: what can't be had is a warning."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from batch_ops.task.contract import PROJECT_FILE
from batch_ops.task.objects import LABELS_FOLDER, OBJECTS_NAME, ObjectsWanted, labels_name
from batch_ops.task.output import Output
from batch_ops.task.outputs import TABLE, TIFF, Role
from batch_ops.task.run_plan import RunWarning
from batch_ops.task.strict_json import ManifestError, plain_line
from node import measure
from node.aside import NoAnswer, ask_aside
from node.execution import Execution
from node.files import md5_of
from node.image import LINK, LocalImage
from node.measure import Measurement

LEAST_SECONDS = 300.0
# By its name alone: it stands on numpy, which the task itself does without.
LABEL_IMAGES = "node.label_images"


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
) -> tuple[list[Output], Measurement]:
    """Look at the pixels of image and results: count objects into a table beside them, warn of what looks wrong.

    Returns the table and what else is wanted of the objects as outputs, and what was found.
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
        answer = ask_aside(measure.__name__, order, max(LEAST_SECONDS, execution.seconds.get("ilastik", 0.0)))
        found = Measurement.read(answer)
    except (NoAnswer, ManifestError) as exc:
        with suppress(OSError):
            table.unlink()
        reason = plain_line(f"Its objects were not counted, nor its pixels looked at: {exc}")
        execution.warn(RunWarning("not-counted", f"{reason.rstrip('.')}."), folder)
        return [], Measurement()
    for warning in found.warnings:
        execution.warn(warning, folder)
    if found.counts is None:
        return [], found
    written = [Output(name, Role.TABLE, TABLE, table.stat().st_size, md5_of(table))]
    if wanted.label_image:
        written += add_label_images(execution, folder, {**order, "labels": str(table.parent / LABELS_FOLDER)})
    return written, found


def add_label_images(execution: Execution, folder: str, order: Mapping[str, Any]) -> list[Output]:
    """Have the ids of the table's objects painted, in another process: without them the counts are there all the same.

    It may take as long as the counting.
    """
    place = Path(order["labels"])
    try:
        answer = ask_aside(LABEL_IMAGES, order, max(LEAST_SECONDS, execution.seconds.get("ilastik", 0.0)))
        outputs = []
        for label in answer["classes"]:
            path = "/".join(filter(None, (folder, labels_name(label))))
            file = execution.partial / path
            length, md5 = file.stat().st_size, md5_of(file)
            outputs.append(Output(path, Role.LABELS, TIFF, length, md5, answer["pages"], answer["axes"]))
    except (NoAnswer, OSError, KeyError, TypeError, ManifestError) as exc:
        shutil.rmtree(place, ignore_errors=True)
        reason = plain_line(f"The images of its objects' ids could not be made: {exc}")
        execution.warn(RunWarning("no-label-image", f"{reason.rstrip('.')}."), folder)
        return []
    return outputs
