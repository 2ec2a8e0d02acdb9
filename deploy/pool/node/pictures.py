"""The pictures of a good run. Never a reason for failure: what can't be drawn is a warning."""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path

from batch_ops.task import pictures
from batch_ops.task.contract import TaskEnvironment
from batch_ops.task.output import Output
from batch_ops.task.outputs import PNG, Role
from batch_ops.task.pictures import Contrast
from batch_ops.task.run_plan import RunWarning
from batch_ops.task.strict_json import plain_line
from node import draw
from node.aside import NoAnswer, ask_aside
from node.execution import Execution
from node.files import md5_of
from node.image import LocalImage
from node.measured import pixels_of

LEAST_SECONDS = 120.0


def make_pictures(
    execution: Execution, image: LocalImage, results: list[Output], task: TaskEnvironment
) -> tuple[list[Output], Contrast | None]:
    """Draw the image and what was found in it, beside the results; return the pictures as outputs, and the contrast
    of the image itself.

    It may take a quarter of ilastik's time, or LEAST_SECONDS.
    """
    if not task.pictures:
        return [], None
    folder = execution.partial / image.described.folder
    segmentations = [output for output in results if output.role is Role.SEGMENTATION]
    order = {
        **pixels_of(execution, image, segmentations),
        "folder": str(folder),
        "pictures": task.pictures,
        "objects": task.objects,
    }
    try:
        (folder / pictures.FOLDER).mkdir()
        answer = ask_aside(draw.__name__, order, max(LEAST_SECONDS, execution.seconds.get("ilastik", 0.0) / 4))
        contrast = Contrast.read(answer["contrast"])
        made = [path for path in (pictures.PREVIEW, pictures.OVERLAY, pictures.SMALL) if path in answer["pictures"]]
        return [_output(execution, folder / path) for path in made], contrast
    except (NoAnswer, OSError, KeyError, TypeError, pictures.PicturesError) as exc:
        with suppress(OSError):
            shutil.rmtree(folder / pictures.FOLDER)
        reason = plain_line(f"There are no pictures of it: {exc}")
        execution.warn(RunWarning("no-pictures", f"{reason.rstrip('.')}."), image.described.folder)
        return [], None


def _output(execution: Execution, file: Path) -> Output:
    path = file.relative_to(execution.partial).as_posix()
    return Output(path, Role.PICTURE, PNG, file.stat().st_size, md5_of(file))
