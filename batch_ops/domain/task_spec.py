"""A claimed run -> the Batch task that computes it. Pure.

No name from outside is part of the command line, of a local path or of a shell's text: the image becomes
`image/<nickname>.h5`, everything else travels in environment variables.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta

from batch_ops.domain import naming
from batch_ops.domain.file_record import FileRecord
from batch_ops.domain.settings import Settings
from batch_ops.task import contract
from batch_ops.task.certificate import EngineRole
from batch_ops.task.export_plan import SEGMENTATION
from batch_ops.task.failure_kinds import FailureKind
from batch_ops.task.manifest import SCHEMA
from batch_ops.task.parts import Region, TaskParts, parts_prefix
from batch_ops.task.plain_text import plain
from batch_ops.task.run_plan import ImageDescription, ToolChoice, image_to_json, images_to_json
from batch_ops.task.tool import VARIABLE


@dataclass(frozen=True, slots=True)
class ResourceFile:
    """One blob, or all blobs of a container under a prefix, brought to the node before the task starts."""

    path: str
    http_url: str = ""
    container_url: str = ""
    blob_prefix: str = ""


@dataclass(frozen=True, slots=True)
class OutputFile:
    """Files that the node uploads when the task has ended: always, or on success only."""

    pattern: str
    container_url: str
    path: str
    always: bool


@dataclass(frozen=True, slots=True)
class TaskSpec:
    """An Azure Batch task; every file is transferred with the pool's managed identity `identity` (a resource id)."""

    id: str
    display_name: str
    command_line: str
    identity: str
    environment: tuple[tuple[str, str], ...]
    resource_files: tuple[ResourceFile, ...]
    output_files: tuple[OutputFile, ...]
    wall_clock: timedelta
    retention: timedelta
    required_slots: int = 1


def _memory_failures(record: FileRecord) -> int:
    """Count how often the run had too little memory: each thread takes its share, so the next try has half of them."""
    return record.tries.of(FailureKind.OUT_OF_MEMORY)


def slots_of(record: FileRecord, settings: Settings) -> int:
    """Return how many task slots of its node the record's current attempt takes."""
    return settings.slots_per_node if record.placement.alone and not _is_large(record, settings) else 1


def _is_large(record: FileRecord, settings: Settings) -> bool:
    return bool(settings.large_pool_id) and record.placement.pool_id == settings.large_pool_id


def _certificates(record: FileRecord, settings: Settings, url: Callable[[str, str], str]) -> ResourceFile:
    """Bring what there is when the task begins, not only what there was when it was made."""
    prefix = f"{record.plan.tool.project_digest}/"
    return ResourceFile("frozen", container_url=url(settings.frozen_container, ""), blob_prefix=prefix)


def _of_tool(tool: ToolChoice) -> dict[str, str]:
    """Say which tool it is, where it is not ilastik."""
    return {VARIABLE: tool.tool_profile} if tool.tool_profile else {}


def _of_region(image: ImageDescription, region: Region) -> ImageDescription:
    return replace(image, shape=region.of_shape(image.axes, image.shape))


def _results_of_parts(record: FileRecord, parts: TaskParts, staging: str) -> list[ResourceFile]:
    """Bring what the tasks of all parts have stored, and nothing of a join that failed: few entries for many parts."""
    own = record.placement.task_id
    return [
        ResourceFile(contract.PARTS_FOLDER, container_url=staging, blob_prefix=parts_prefix(own, attempt))
        for attempt in parts.used_attempts
    ]


def task_spec(
    record: FileRecord,
    settings: Settings,
    url: Callable[[str, str], str],
    role: EngineRole = EngineRole.NONE,
    parts: TaskParts | None = None,
) -> TaskSpec:
    """Describe the task of the record's current attempt. `url(container, blob)` returns percent-encoded URLs.

    `role`: what it may do about the pixel engine; then there is a blob in the folder of its certificates. `parts`:
    which part of the image it computes, or joins; of a part, the record is as `part_runs.as_run` gives it.
    """
    image, region = record.plan.image, parts.region if parts else None
    nickname = naming.nickname(record.name)
    tool, profile = record.plan.tool, record.plan.tool.profile
    is_large, slots = _is_large(record, settings), slots_of(record, settings)
    memory_mb = settings.large_slot_memory_mb if is_large else settings.slot_memory_mb
    environment = contract.TaskEnvironment(
        nickname=nickname,
        internal_path=image.internal_path,
        axes="" if image.tagged else image.axes,
        export_source=tool.export_source or SEGMENTATION,
        image_name=record.image_blob,
        image_etag=record.image.etag,
        image_length=record.image.length,
        project_digest=record.plan.tool.project_digest,
        correlation_id=record.correlation_id,
        task_id=record.placement.task_id,
        run=record.run,
        attempt=record.placement.attempt,
        threads=max(1, settings.slot_threads * slots >> (0 if is_large else _memory_failures(record))),
        ram_mb=memory_mb * slots,
        ilastik_version=record.plan.tool.ilastik_version,
        image_description=image_to_json(_of_region(image, region) if region else image),
        whole_node=int(not is_large and slots == settings.slots_per_node),
        manifest_schema=SCHEMA,
        planes="" if image.is_known else image.planes,
        # Of an image in parts, what is made of the whole is made where they are joined.
        objects=record.plan.objects.to_json() if record.plan.objects and not region else "",
        pictures=record.plan.pictures.to_json() if record.plan.pictures and not region else "",
        keep_export=int(bool(record.plan.tool.export_settings)),
        more_images=images_to_json(record.plan.more_images),
        confirmed=record.plan.confirmed,
        engine=str(role),
        result_form="" if region else record.plan.tool.result_form,
        parts=parts.to_json() if parts else "",
        channels=record.plan.wanted_channels,
    )
    staging = url(settings.staging_container, "")
    return TaskSpec(
        id=record.placement.task_id,
        display_name=plain(record.name, 200),
        command_line=f"/bin/bash {settings.task_scripts}run_task.sh",
        identity=settings.pool_identity,
        environment=tuple(sorted({**environment.to_env(), **_of_tool(tool)}.items())),
        resource_files=(
            # Batch keeps the whole blob name below `path`, hence the folder of the command line.
            ResourceFile(path=".", container_url=url(settings.tools_container, ""), blob_prefix=settings.task_scripts),
            ResourceFile(path=f"image/{nickname}.h5", http_url=url(settings.input_container, record.image_blob)),
            ResourceFile(
                path=profile.project_file if profile else contract.PROJECT_FILE,
                http_url=url(
                    settings.frozen_container,
                    naming.frozen_blob(tool.project_digest, profile.suffix if profile else naming.PROJECT_SUFFIX),
                ),
            ),
            *([_certificates(record, settings, url)] if role is not EngineRole.NONE else ()),
            *(_results_of_parts(record, parts, staging) if parts and not region else ()),
        ),
        output_files=tuple(
            OutputFile(o.pattern, staging, f"{record.placement.task_id}{o.folder}", o.always)
            for o in (*contract.OUTPUT_FILES, *([contract.HIDDEN_FILES] if environment.form.ngff else ()))
        ),
        wall_clock=record.plan.wall_clock,
        retention=settings.task_retention,
        required_slots=slots,
    )
