"""A manifest of today, one of schema 1 and a report, and changed ones."""

import dataclasses
import json

from batch_ops.task.manifest import Manifest, ManifestImage
from batch_ops.task.objects import ClassCount, ObjectCounts
from batch_ops.task.output import Output
from batch_ops.task.outputs import TEXT, TIFF, Role
from batch_ops.task.pictures import Contrast
from batch_ops.task.report import Report
from batch_ops.task.run_plan import RunWarning
from batch_ops.task.segmented import SegmentedImage

MANIFEST = Manifest(
    execution="20261122T085551Z-1f0c3a9e",
    task_id="nuclei-abc-1-1",
    run=1,
    attempt=1,
    correlation_id="c-1",
    node="tvm-1",
    started="2026-11-22T08:55:51Z",
    finished="2026-11-22T08:56:02Z",
    seconds={"ilastik": 9.45, "prepare": 0},
    ilastik_version="1.4.2",
    command=("run_ilastik.sh", "--headless"),
    project_sha256="ab" * 32,
    image=ManifestImage("lab/it's α.h5", '"0x8D"', 10, "cd" * 16),
    outputs=(
        Output("a0.tiff", Role.SEGMENTATION, TIFF, 345320, "ef" * 16, 40, "zyx"),
        Output("pictures/A.png", Role.PICTURE, "image/png", 2**33, "01" * 16),
        Output("ilastik.log", Role.LOG, TEXT, 0, "ab" * 16),
    ),
    warnings=(RunWarning("axes", "The axes are those of the configuration."),),
    counts=ObjectCounts("px", 2, (ClassCount(2, "Zelle", (12, 0), (340.0, 0)),)),
    class_pixels=(2**40, 340),
    contrast=Contrast("float32", ((-0.5, 1e300), (0.0, 1.0))),
    images=(SegmentedImage("", "a/b", "s", "zyx", (40, 5, 4), "uint8"),),
)
OLD = dataclasses.replace(
    MANIFEST,
    outputs=tuple(Output(f"a{i}.tiff", None, TIFF, 345320, "ef" * 16, 40) for i in range(2)),
    warnings=(),
    counts=None,
    class_pixels=(),
    contrast=None,
    images=(),
    schema=1,
)
REPORT = Report(
    kind="NO_OUTPUT",
    exit_code=81,
    sentence="ilastik ended without an error, but nothing is there.",
    execution="20261122T085551Z-1f0c3a9e",
    started="2026-11-22T08:55:51Z",
    finished="2026-11-22T08:56:02Z",
    seconds={"total": 11.0},
    last_lines=("INFO one", "INFO two"),
    ilastik_exit_code=0,
    task_id="nuclei-abc-1-1",
)


def changed(value: Manifest | Report, **changes: object) -> bytes:
    """The JSON of a manifest or report with some top-level values replaced."""
    return json.dumps({**json.loads(value.to_json()), **changes}).encode()


def with_file(**changes: object) -> bytes:
    """The manifest of schema 1 with its first file changed."""
    first, second = json.loads(OLD.to_json())["files"]
    return changed(OLD, files=[{**first, **changes}, second])


def with_output(**changes: object) -> bytes:
    """The manifest with its first output changed."""
    first, *others = json.loads(MANIFEST.to_json())["outputs"]
    return changed(MANIFEST, outputs=[{**first, **changes}, *others])
