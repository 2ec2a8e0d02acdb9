"""The results of an image's parts, as the tasks of the parts have stored them, become those of the whole image."""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from batch_ops.image.axes import sizes
from batch_ops.task import contract, warning_kinds
from batch_ops.task.certificate import EngineUse
from batch_ops.task.export_plan import HDF5, ExportPlan, exported
from batch_ops.task.manifest import Manifest
from batch_ops.task.output import Output
from batch_ops.task.outputs import PlannedOutput
from batch_ops.task.parts import PartRun, Region
from batch_ops.task.segmented import MAX_IMAGES
from batch_ops.task.strict_json import ManifestError
from node.aside import NoAnswer, ask_aside
from node.execution import Execution
from node.files import is_disk_full, md5_of, refuse
from node.image import LocalImage
from node.tiffs import name_planes

FOLDER = contract.PARTS_FOLDER
# Not imported here: what it needs may be missing, which must stop no other task.
_JOIN = "node.part_join"
_LEAST_SECONDS = 600.0
_LEAST_BYTES_PER_SECOND = 2e6
_COPIED_AT_ONCE = 2**20


@dataclass(frozen=True)
class PartResult:
    """What one part became: `folder` has the files of its manifest; `log` is that of its ilastik, if there is one."""

    region: Region
    manifest: Manifest
    folder: Path
    log: Path

    @property
    def tiffs(self) -> tuple[Output, ...]:
        return self.manifest.tiffs


def find_parts(root: Path, task: contract.TaskEnvironment, image_md5: str) -> list[PartResult]:
    """Find the results of all parts of the image that this task joins; none for any other task.

    Refuses to go on without one of them, or with one of another image or project.
    """
    parts = task.of_parts
    if parts is None or parts.part:
        return []
    found = []
    for part, task_id in enumerate(parts.task_ids(task.task_id), start=1):
        result = _result(root / FOLDER / task_id, parts.cut.region(part))
        if result is None:
            refuse(contract.EXIT_STAGING_IN, f"Of {parts.cut.words(part)} not all results reached the node.")
        manifest = result.manifest
        if (manifest.task_id, manifest.project_sha256, manifest.image.md5) != (task_id, task.project_digest, image_md5):
            sentence = f"The results of {parts.cut.words(part)} are those of another image or project."
            refuse(contract.EXIT_STAGING_IN, sentence)
        found.append(result)
    return found


def _result(place: Path, region: Region) -> PartResult | None:
    """Return the first execution of a part's task that is here as a whole."""
    for path in sorted(place.glob(f"*/{contract.MANIFEST_NAME}")):
        with suppress(ManifestError, OSError):
            manifest = Manifest.parse(path.read_bytes())
            log = place / contract.LOGS_FOLDER / manifest.execution / contract.LOG_NAME
            if manifest.execution == path.parent.name and all(_is_whole(path.parent, one) for one in manifest.tiffs):
                return PartResult(region, manifest, path.parent, log)
    return None


def _is_whole(folder: Path, output: Output) -> bool:
    file = folder / output.path
    return file.stat().st_size == output.length and md5_of(file) == output.md5


def join_parts(
    execution: Execution,
    task: contract.TaskEnvironment,
    image: LocalImage,
    plan: ExportPlan,
    parts: Sequence[PartResult],
    promised: Sequence[PlannedOutput],
    classes: int,
) -> None:
    """Make what ilastik would have written of the whole image; take over what it said, and how it went."""
    folder = execution.partial / image.described.folder
    targets = [folder / path for output in promised for path in output.paths]
    if plan.is_sequence and parts[0].region.axis == "t":
        # Each of these files is a time point: they only get other names.
        for source, target in zip((part.folder / one.path for part in parts for one in part.tiffs), targets):
            os.link(source, target)
    else:
        is_t = bool(image.described.planes) and plan.export_format != HDF5
        _join(task, image, parts, targets, sum(output.total_bytes for output in promised), classes, planes=is_t)
        if is_t:
            name_planes(folder, promised, image.described)
    execution.ilastik_exit_code = 0
    execution.seconds["ilastik"] = round(sum(part.manifest.seconds.get("ilastik", 0.0) for part in parts), 3)
    execution.command = list(parts[0].manifest.command)
    for part in parts:
        told = part.manifest
        execution.parts.append(PartRun(told.task_id, told.execution, told.node, told.started, told.finished))
        for warning in told.warnings:
            # What is seen of the results is seen once more, of the whole.
            if warning.code == warning_kinds.ENGINE_DIFFERS:
                execution.warn(warning)
    execution.engines.extend(_engines(parts))
    _join_logs(execution, parts)


def _engines(parts: Sequence[PartResult]) -> list[EngineUse]:
    """Return what the parts say of the pixel engine: of all that found the same, one; differences first."""
    said = [use for part in parts for use in part.manifest.engines]
    said.sort(key=lambda use: use.made is None or use.made.is_equal)
    found: dict[object, EngineUse] = {}
    for use in said:
        found.setdefault((use.version, use.computed, use.certificate or use.reason, use.made is None), use)
    return list(found.values())[:MAX_IMAGES]


def _join(
    task: contract.TaskEnvironment,
    image: LocalImage,
    parts: Sequence[PartResult],
    targets: Sequence[Path],
    total_bytes: int,
    classes: int,
    *,
    planes: bool,
) -> None:
    channels, _ = exported(task.export_source, classes)
    order = {
        "targets": [str(target) for target in targets],
        "sizes": {**sizes(image.axes, image.shape), "c": channels},
        "planes": planes,
        "parts": [
            {
                "files": [str(part.folder / output.path) for output in part.tiffs],
                "pages": part.tiffs[0].pages,
                "axis": part.region.axis,
                "read": part.region.read,
                "kept": part.region.kept,
            }
            for part in parts
        ],
    }
    try:
        ask_aside(_JOIN, order, _LEAST_SECONDS + total_bytes / _LEAST_BYTES_PER_SECOND)
    except NoAnswer as exc:
        if is_disk_full(exc):
            raise OSError(errno.ENOSPC, str(exc)) from exc
        refuse(contract.EXIT_NO_OUTPUT, f"The results of the parts could not be joined: {exc}.")


def _join_logs(execution: Execution, parts: Sequence[PartResult]) -> None:
    """Write the logs of all parts one after the other; of a long one only its end."""
    room = contract.LOG_LIMIT_BYTES // len(parts) - 2 * _COPIED_AT_ONCE // len(parts)
    with (execution.logs / contract.LOG_NAME).open("wb") as log:
        for number, part in enumerate(parts, start=1):
            log.write(f"--- Part {number} of {len(parts)}: task {part.manifest.task_id}\n".encode())
            with suppress(OSError), part.log.open("rb") as own:
                own.seek(max(0, part.log.stat().st_size - room))
                while block := own.read(_COPIED_AT_ONCE):
                    log.write(block)
