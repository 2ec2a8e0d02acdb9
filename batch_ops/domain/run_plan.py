"""What a run of an image with a project is: its key, the values for its node, its needs of the node. Pure."""

import hashlib
import json
from dataclasses import replace
from datetime import datetime, timedelta

from batch_ops.domain import naming
from batch_ops.domain.blob import Blob
from batch_ops.domain.file_record import FileRecord, State
from batch_ops.domain.project import Project
from batch_ops.domain.record_parts import RunPlan
from batch_ops.domain.settings import Settings
from batch_ops.image.facts import ImageFacts, ImageOptions
from batch_ops.task.export_plan import EXPORT_SOURCES, export_plan
from batch_ops.task.plain_text import plain


def export_source(project: Project, settings: Settings) -> str:
    """Return what ilastik exports: the project's own choice, else the system's."""
    return project.config.export_source or settings.export_source


def image_options(project: Project, settings: Settings) -> ImageOptions:
    """Return what the check of an image has to know about the run."""
    channels, bytes_per_value = _exported(project, settings)
    return ImageOptions(
        internal_path=project.config.internal_path,
        axes=project.config.axes,
        output_channels=channels,
        bytes_per_value=bytes_per_value,
    )


def _exported(project: Project, settings: Settings) -> tuple[int, int]:
    """Return channels and bytes per value of the export."""
    per_class, bytes_per_value = EXPORT_SOURCES[export_source(project, settings)]
    return len(project.facts.classes) if per_class else 1, bytes_per_value


def run_key(record: FileRecord, project: Project, settings: Settings) -> str:
    """Compute the digest of what a run computes from: image, classifier, effective settings, ilastik.

    The image is identified by its Content-MD5 if it has one: editing its properties changes the ETag, but not the
    run.
    """
    effective = (project.config.internal_path, project.config.axes, export_source(project, settings))
    key = [record.name, record.image.md5 or record.image.etag, project.digest, effective, settings.ilastik_version]
    return hashlib.sha256(json.dumps(key).encode()).hexdigest()


def claimed(
    fresh: FileRecord, project: Project, facts: ImageFacts | None, settings: Settings, now: datetime, reason: str
) -> FileRecord:
    """Add all that the task needs, with the ids of job and task: recovery never derives them again."""
    wall_clock = project.config.wall_clock or settings.wall_clock
    return replace(
        fresh,
        plan=RunPlan(
            run_key=run_key(fresh, project, settings),
            project_etag=project.etag,
            project_digest=project.digest,
            ilastik_version=settings.ilastik_version,
            internal_path=facts.internal_path if facts else project.config.internal_path or "",
            axes=facts.axes if facts else project.config.axes or "",
            tagged=facts.tagged if facts else not project.config.axes,
            shape=facts.shape if facts else (),
            export_source=export_source(project, settings),
            wall_clock=timedelta(seconds=max(1, round(wall_clock.total_seconds()))),
        ),
        placement=replace(
            fresh.placement,
            pool_id=settings.pool_id,
            job_id=naming.job_id(settings.job_prefix, settings.pool_id, now),
            task_id=naming.task_id(fresh.name, fresh.run, 1),
            attempt=1,
        ),
    ).to(State.SUBMITTING, now, reason)


def disk_fault(blob: Blob, facts: ImageFacts, project: Project, settings: Settings) -> str:
    """Return a sentence if image and TIFFs do not fit on the node's disk together (0: its size is unknown)."""
    if not settings.node_disk_gb:
        return ""
    channels, bytes_per_value = _exported(project, settings)
    plan = export_plan(facts.axes, facts.shape, channels=channels, bytes_per_value=bytes_per_value)
    # Tagging an untagged image takes another copy.
    need = (blob.length * (1 if facts.tagged else 2) + plan.files * plan.bytes_per_file) / 1e9
    if need <= settings.node_disk_gb:
        return ""
    return (
        f"'{plain(blob.name)}' and its TIFFs need {need:.1f} GB, but a node's disk has "
        f"{settings.node_disk_gb} GB; split the image, or ask for nodes with larger disks."
    )
