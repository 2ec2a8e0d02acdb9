"""What is measured of a good run's results. Never a reason for failure: what can't be had is a warning."""

from __future__ import annotations

import json
import subprocess
from contextlib import suppress

from batch_ops.task.manifest import Output
from batch_ops.task.objects import OBJECTS_NAME, ObjectCounts, ObjectsWanted
from batch_ops.task.outputs import TABLE, Role
from batch_ops.task.run_plan import RunWarning
from batch_ops.task.strict_json import ManifestError, plain_line
from node import count
from node.aside import run_aside
from node.execution import Execution
from node.files import md5_of
from node.image import LINK, LocalImage

LEAST_SECONDS = 300.0


class NotMeasured(Exception):
    """Why there is no table."""


def count_objects(
    execution: Execution, image: LocalImage, results: list[Output], wanted: ObjectsWanted
) -> tuple[list[Output], ObjectCounts | None]:
    """Write the table of objects beside the results; return it as an output, and the counts.

    It may take as long as ilastik did, or LEAST_SECONDS.
    """
    segmentations = [output for output in results if output.role is Role.SEGMENTATION]
    if not wanted.classes or not segmentations:
        return [], None
    table = execution.partial / OBJECTS_NAME
    order = {
        "image": str(execution.root / LINK),
        "dataset": image.argument[len(LINK) :].lstrip("/"),
        "axes": image.axes,
        "read_as": image.described.read_as,
        "files": [str(execution.partial / output.path) for output in segmentations],
        "pages": segmentations[0].pages,
        "table": str(table),
        "wanted": wanted.to_json(),
    }
    try:
        counts = _counted(order, max(LEAST_SECONDS, execution.seconds.get("ilastik", 0.0)))
    except NotMeasured as exc:
        with suppress(OSError):
            table.unlink()
        reason = plain_line(f"Its objects were not counted: {exc}")
        execution.warn(RunWarning("not-counted", f"{reason.rstrip('.')}."))
        return [], None
    return [Output(OBJECTS_NAME, Role.TABLE, TABLE, table.stat().st_size, md5_of(table))], counts


def _counted(order: dict[str, object], seconds: float) -> ObjectCounts:
    """Have them counted. Raises `NotMeasured`."""
    try:
        ended = run_aside(count.__name__, order, seconds)
    except subprocess.TimeoutExpired as exc:
        raise NotMeasured(f"it took longer than {seconds / 60:.0f} minutes") from exc
    except OSError as exc:
        raise NotMeasured(str(exc)) from exc
    if ended.returncode:
        said = ended.stderr.strip().splitlines() or [f"it ended with exit code {ended.returncode} without a word"]
        raise NotMeasured(said[-1])
    try:
        return ObjectCounts.read(json.loads(ended.stdout))
    except (ValueError, ManifestError) as exc:
        raise NotMeasured(str(exc)) from exc
