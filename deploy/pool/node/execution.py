"""One run of the task script: its folders, its timings, and its report."""

from __future__ import annotations

import datetime
import os
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from batch_ops.image.several import at_most, of_images
from batch_ops.task import contract, manifest, outputs, true_success
from batch_ops.task.certificate import EngineUse
from batch_ops.task.output import Output
from batch_ops.task.parts import PartRun
from batch_ops.task.pictures import Contrast
from batch_ops.task.report import MAX_LAST_LINES, MAX_SENTENCE_CHARS, Report
from batch_ops.task.run_plan import RunWarning
from batch_ops.task.segmented import SegmentedImage
from batch_ops.task.strict_json import plain_line
from node.files import md5_of, say

INSTALLER = "install.sh"  # two folders above an ilastik that is installed when a task needs it
_PACKAGES = "lib/python3*/site-packages/ilastik-*.dist-info"


@dataclass
class Execution:
    """What is known about this run of the script so far; the report is made from it in any case."""

    root: Path
    name: str
    started: datetime.datetime
    seconds: dict[str, float] = field(default_factory=dict)
    task: contract.TaskEnvironment | None = None
    ilastik_exit_code: int | None = None
    log_lines: tuple[str, ...] = ()
    command: list[str] = field(default_factory=list)
    # Of each image, where the engine was asked for.
    engines: list[EngineUse] = field(default_factory=list)
    # Of which the image was put together.
    parts: list[PartRun] = field(default_factory=list)
    # Each with the folders of the images that it is about.
    _warnings: dict[RunWarning, list[str]] = field(default_factory=dict)

    @property
    def partial(self) -> Path:
        return self.root / contract.PARTIAL_FOLDER / self.name

    @property
    def out(self) -> Path:
        return self.root / contract.OUT_FOLDER / self.name

    @property
    def logs(self) -> Path:
        return self.root / contract.LOGS_FOLDER / self.name

    def warn(self, warning: RunWarning, folder: str = "") -> None:
        """Note something about the run, or an image of several, that is no failure, but its owner should know."""
        folders = self._warnings.setdefault(warning, [])
        if folder:
            folders.append(folder)
        say(f"Warning: {folder}{': ' if folder else ''}{warning.sentence}")

    @property
    def told_warnings(self) -> list[RunWarning]:
        """What was noted, each once."""
        return [
            replace(warning, sentence=of_images(warning.sentence, folders)) if folders else warning
            for warning, folders in self._warnings.items()
        ]

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        begin = time.monotonic()
        try:
            yield
        finally:
            self.seconds[name] = round(self.seconds.get(name, 0.0) + time.monotonic() - begin, 3)


def publish(
    execution: Execution,
    task: contract.TaskEnvironment,
    image_md5: str,
    images: Sequence[SegmentedImage],
    class_pixels: Sequence[int],
    results: list[Output],
    contrast: Contrast | None,
    version: str,
) -> None:
    """Write the manifest beside the verified outputs, then publish everything in one step.

    `image_md5`: of the file; the command is that of its first image. `version`: of what computed them.
    """
    log = execution.logs / contract.LOG_NAME
    if log.exists():
        length, md5 = log.stat().st_size, md5_of(log)
        results = [*results, Output(log.name, outputs.Role.LOG, outputs.TEXT, length, md5)]
    content = manifest.Manifest(
        execution=execution.name,
        task_id=task.task_id,
        run=task.run,
        attempt=task.attempt,
        correlation_id=task.correlation_id,
        node=os.environ.get("AZ_BATCH_NODE_ID", ""),
        started=_utc(execution.started),
        finished=_utc(datetime.datetime.now(datetime.timezone.utc)),
        seconds=dict(execution.seconds),
        ilastik_version=version,
        command=tuple(execution.command),
        project_sha256=task.project_digest,
        image=manifest.ManifestImage(task.image_name, task.image_etag, task.image_length, image_md5),
        outputs=tuple(results),
        warnings=tuple(map(manifest.as_warning, at_most(execution.told_warnings))),
        counts=images[0].counts if len(images) == 1 else None,
        class_pixels=tuple(class_pixels),
        images=tuple(images),
        contrast=contrast,
        engines=tuple(dict.fromkeys(execution.engines)),
        parts=tuple(execution.parts),
    )
    (execution.partial / contract.MANIFEST_NAME).write_bytes(content.for_reader_of(task.manifest_schema).to_json())
    execution.out.parent.mkdir(parents=True, exist_ok=True)
    execution.partial.rename(execution.out)


def report(execution: Execution, outcome: true_success.TaskOutcome) -> Report:
    """Return the content of outcome.json. What was warned of before a failure leads the last lines of the log."""
    task = execution.task
    warned = () if outcome.succeeded else at_most(execution.told_warnings)
    warnings = tuple(plain_line(f"Warning: {warning.sentence}") for warning in warned)
    lines, room = execution.log_lines, MAX_LAST_LINES - len(warnings)
    # Those that matter most come first, the end of the log last.
    kept = lines if len(lines) <= room else (*lines[: room // 2], *lines[room // 2 - room :])
    return Report(
        kind=outcome.word,
        exit_code=outcome.exit_code,
        sentence=plain_line(outcome.sentence, MAX_SENTENCE_CHARS),
        execution=execution.name,
        started=_utc(execution.started),
        finished=_utc(datetime.datetime.now(datetime.timezone.utc)),
        seconds=execution.seconds,
        last_lines=(*warnings, *kept),
        ilastik_exit_code=execution.ilastik_exit_code,
        task_id=task.task_id if task else "",
        correlation_id=task.correlation_id if task else "",
        node=os.environ.get("AZ_BATCH_NODE_ID", ""),
    )


def ilastik_version(home: Path, task: contract.TaskEnvironment) -> str:
    """Ask the installation (a file VERSION, conda's or Python's records), else the task's environment.

    One that is not installed yet has its VERSION beside its installer.
    """
    above = home.parent.parent
    homes = (home, above) if (above / INSTALLER).is_file() else (home,)
    for place in homes:
        with suppress(OSError, UnicodeDecodeError):
            return plain_line((place / "VERSION").read_text().strip(), 100)
    for record in sorted([*home.glob("conda-meta/ilastik-*.json"), *home.glob(_PACKAGES)]):
        match = re.match(r"ilastik(?:-core)?-([0-9][^-]*?)(?:-|\.dist-info)", record.name)
        if match:
            return match[1]
    return task.ilastik_version or "unknown"


def _utc(moment: datetime.datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"
