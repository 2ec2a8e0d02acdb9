"""What an execution of a task leaves in staging, written as the task script writes it."""

import hashlib
from collections.abc import Mapping
from typing import Any

from batch_ops.task.contract import TaskEnvironment
from batch_ops.task.export_plan import export_plan
from batch_ops.task.manifest import SCHEMA, Manifest, ManifestImage
from batch_ops.task.noticed import warnings_to_json
from batch_ops.task.objects import ClassCount, ObjectCounts
from batch_ops.task.output import Output
from batch_ops.task.outputs import TEXT, TIFF, PlannedOutput, Role, outputs_by_folder, planned_outputs
from batch_ops.task.pictures import Contrast
from batch_ops.task.report import Report
from batch_ops.task.run_plan import ImageDescription, RunWarning
from batch_ops.task.segmented import SegmentedImage
from tests.fakes import FakeBlobs
from tests.fakes.check import IMAGE

LOG = b"all is well\n"
# What stands beside the TIFFs where a test wants it: by the end of its name.
_OTHERS = {".png": (Role.PICTURE, "image/png"), ".csv": (Role.TABLE, "text/csv"), ".log": (Role.LOG, TEXT)}
_STARTED, _FINISHED = "2026-03-01T12:00:00Z", "2026-03-01T12:01:00Z"


def md5(data: bytes) -> str:
    """In hex, as in manifests."""
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def images_of(task: TaskEnvironment) -> tuple[ImageDescription, ...]:
    """The images of a task; one that was not checked is as those that were."""
    return task.images if task.image.is_known else (IMAGE,)


def promised(task: TaskEnvironment) -> PlannedOutput:
    """The TIFFs that come of a task's images, which are alike."""
    planned = (
        (one.folder, planned_outputs(task.nickname, task.export_source, export_plan(one.axes, one.shape)))
        for one in images_of(task)
    )
    return outputs_by_folder(planned)[0]


def output(path: str, length: int, digest: str, schema: int = SCHEMA, pages: int = 8) -> Output:
    """A file of this name, a TIFF with so many pages."""
    for ending, (role, media_type) in _OTHERS.items():
        if path.endswith(ending):
            return Output(path, role, media_type, length, digest)
    if schema == 1:
        return Output(path, None, TIFF, length, digest, pages)
    return Output(path, Role.SEGMENTATION, TIFF, length, digest, pages, "zyx")


def manifest(task_id: str, execution: str, image: ManifestImage, outputs: tuple[Output, ...], **changes: Any) -> bytes:
    """The manifest of a whole execution; `changes` are fields that are not as usual."""
    usual = {"run": 1, "attempt": 1, "correlation_id": "c", "node": "node-1", "project_sha256": "0" * 64}
    times = {"started": _STARTED, "finished": _FINISHED, "seconds": {"ilastik": 60.0}}
    program = {"ilastik_version": "1.4.2", "command": ("run_ilastik.sh",)}
    more: dict[str, Any] = times | program | usual | changes
    return Manifest(execution=execution, task_id=task_id, image=image, outputs=outputs, **more).to_json()


def counts_of(task: TaskEnvironment) -> ObjectCounts | None:
    """Ten objects of the class 1, twenty of 2, and so on, of ten pixels each; None where nothing is to be counted."""
    wanted = task.wanted_objects
    classes = (ClassCount(one.label, one.name, (10 * one.label,), (100.0 * one.label,)) for one in wanted.classes)
    return ObjectCounts("px", wanted.min_size, tuple(classes)) if wanted.classes else None


def contrast_of(task: TaskEnvironment, image: bytes) -> Contrast | None:
    """From 0 to the number of the image's bytes; None where nothing is to be drawn."""
    return Contrast("uint8", ((0.0, float(len(image))),)) if task.pictures else None


class Staged:
    """One execution on a node, whose scripts write manifests of this schema. What a node uploads has no MD5."""

    def __init__(
        self, blobs: FakeBlobs, task_id: str, execution: str, node: str = "node-1", schema: int = SCHEMA
    ) -> None:
        self._blobs, self._task_id, self._execution, self._node = blobs, task_id, execution, node
        self._schema = schema

    def output(self, path: str, data: bytes) -> None:
        """One file."""
        self._put(path, data)

    def manifest(
        self,
        task: TaskEnvironment,
        files: Mapping[str, bytes],
        image: bytes,
        warnings: tuple[RunWarning, ...] = (),
        **more: Any,
    ) -> None:
        """The manifest over these files and the log, which segment this content of the image."""
        named = files if self._schema == 1 else {**files, "ilastik.log": LOG}
        pages = promised(task).pages
        text = manifest(
            self._task_id,
            self._execution,
            ManifestImage(task.image_name, task.image_etag, task.image_length, md5(image)),
            tuple(output(path, len(data), md5(data), self._schema, pages) for path, data in named.items()),
            run=task.run,
            attempt=task.attempt,
            correlation_id=task.correlation_id,
            node=self._node,
            project_sha256=task.project_digest,
            warnings=warnings,
            counts=counts_of(task) if self._schema > 2 and len(images_of(task)) == 1 else None,
            images=tuple(SegmentedImage.of(one, counts_of(task)) for one in images_of(task) * (self._schema > 5)),
            contrast=contrast_of(task, image) if self._schema > 4 else None,
            schema=self._schema,
            **more,
        )
        self._put("manifest.json", text)

    def log(self) -> None:
        """ilastik's log."""
        self._put("ilastik.log", LOG, "logs/")

    def outcome(
        self, kind: str, sentence: str, exit_code: int, *last_lines: str, warnings: tuple[RunWarning, ...] = ()
    ) -> None:
        """How the execution failed, and what it was warned of."""
        report = Report(
            kind=kind,
            exit_code=exit_code,
            sentence=sentence,
            execution=self._execution,
            started=_STARTED,
            finished=_FINISHED,
            seconds={},
            last_lines=last_lines,
            task_id=self._task_id,
        )
        self._put("outcome.json", report.to_json(), "logs/")
        if warnings:
            self._put("warnings.json", warnings_to_json(warnings), "logs/")

    def _put(self, leaf: str, data: bytes, folder: str = "") -> None:
        self._blobs.upload("staging", f"{self._task_id}/{folder}{self._execution}/{leaf}", data, md5=False)
