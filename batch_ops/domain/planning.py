"""What a run of an image with a project is: the values for its node, and what it needs of the node. Pure."""

import json
import shlex
from dataclasses import replace
from datetime import datetime, timedelta

from batch_ops.domain import naming
from batch_ops.domain.export_choice import export_source, exported_values, kept_export, planned_export, result_form
from batch_ops.domain.file_record import FileRecord, State
from batch_ops.domain.forecast import forecast
from batch_ops.domain.foreground import objects_wanted
from batch_ops.domain.node_disk import joining_gb, most_gb
from batch_ops.domain.node_memory import is_beyond_walls, may_use_engine, page_need
from batch_ops.domain.parts import Parts
from batch_ops.domain.parts_plan import cut_of, parts_wanted
from batch_ops.domain.project import Project
from batch_ops.domain.run_key import run_key
from batch_ops.domain.settings import Settings
from batch_ops.image.channels import channels_to_json
from batch_ops.image.facts import GB, Accepted, ImageOptions, Unchecked, Undecided
from batch_ops.image.image_axes import kind_of
from batch_ops.task.certificate import CERTIFIED
from batch_ops.task.outputs import outputs_by_folder, planned_outputs
from batch_ops.task.parts import Division
from batch_ops.task.pictures import Contrast, PicturesWanted
from batch_ops.task.plain_text import plain
from batch_ops.task.run_plan import Forecast, ImageDescription, RunPlan, RunWarning, ToolChoice
from batch_ops.task.stored_export import StoredExport

_WITHOUT_PALETTE = RunWarning(
    "no-palette",
    "Its configuration wants a palette, which it does not get: it is no segmentation in ilastik's own values.",
)
_CHOICES = frozenset({"axes-assumed", "axes-confirmed"})


def image_options(project: Project, settings: Settings) -> ImageOptions:
    """Return what the check of an image has to know about the run."""
    channels, bytes_per_value = exported_values(project, settings)
    return ImageOptions(
        internal_path=project.config.internal_path,
        axes=project.config.axes,
        output_channels=channels,
        bytes_per_value=bytes_per_value,
        per_plane=project.config.per_plane,
        export=kept_export(project),
        channels=project.config.channels,
    )


def claimed(
    fresh: FileRecord,
    project: Project,
    verdict: Accepted | Unchecked,
    settings: Settings,
    now: datetime,
    contrast: Contrast | None = None,
) -> FileRecord:
    """Add all that the task needs, with the ids of job and task: recovery never derives them again.

    `contrast` is that of the pictures of the image's folder.
    """
    pool_id, alone = _pool(fresh.image.length, verdict, project, settings)
    reason = f"{verdict.sentence} It runs anyway." if isinstance(verdict, Unchecked) else "Its task is being created."
    plan = _run_plan(fresh, project, verdict, settings, contrast)
    cut = _cut(fresh, project, plan, settings)
    if cut is not None:
        reason = f"It is computed in {cut.number} parts along {cut.axis}; their tasks are being created."
    return replace(
        fresh,
        plan=plan,
        parts=Parts.of(cut) if cut else None,
        placement=replace(
            fresh.placement,
            pool_id=pool_id,
            job_id=naming.job_id(settings.job_prefix, pool_id, now),
            alone=alone,
            task_id=naming.task_id(fresh.name, fresh.run, 1),
            attempt=1,
        ),
    ).to(State.SUBMITTING, now, with_choices(reason, plan))


def _cut(fresh: FileRecord, project: Project, plan: RunPlan, settings: Settings) -> Division | None:
    """Say how the image is computed in parts; None for one task, as of any other tool than ilastik."""
    if not plan.image.is_known or plan.more_images or plan.tool.tool_profile or kept_export(project).has_effect:
        return None
    if plan.image.has_joined_planes or plan.image.channels:
        # What the node copies of these is another image than the file's.
        return None
    asked = project.config.parts
    wanted = parts_wanted(plan.forecast, fresh.image.length, settings) if asked is None else asked
    cut = cut_of(plan.image, project.facts, wanted, asked=asked is not None)
    if cut is None or 0 < settings.node_disk_gb < joining_gb(fresh.image.length, plan.planned_bytes, cut):
        # Whether one task has room for it is known; what joins parts has none.
        return None
    return cut


def with_choices(reason: str, plan: RunPlan) -> str:
    """Add to a reason how the axes of the image were chosen, where the image does not say them itself."""
    return " ".join([reason, *(warning.sentence for warning in plan.warnings if warning.code in _CHOICES)])


def asking(fresh: FileRecord, project: Project, verdict: Undecided, settings: Settings) -> FileRecord:
    """Add the image whose axes somebody has to say."""
    return replace(fresh, plan=RunPlan(run_key=run_key(fresh, project, settings), image=verdict.image))


def question(name: str, verdict: Undecided) -> str:
    """Say what the file waits for, and how to answer."""
    return (
        f"{verdict.sentence} It waits until somebody says it once for all images of this kind "
        f"({kind_of(verdict.image.shape)}) of its project: python -m batch_ops.files confirm "
        f"{shlex.quote(plain(name))} --axes {verdict.likely} (or whatever they are)."
    )


def _pool(length: int, verdict: Accepted | Unchecked, project: Project, settings: Settings) -> tuple[str, bool]:
    """Choose the large pool, where there is one, for pages that ilastik would wait for ever for; or a whole node.

    A file of this length that needs more than its share of a node's disk has a node to itself, too.
    """
    if not isinstance(verdict, Accepted):
        return settings.pool_id, False
    if project.tool:
        # What it takes is a forecast, which chooses a whole node, and refuses nothing.
        foreseen = forecast(verdict.images, project.facts, settings.slot_threads, project.tool).memory_bytes or 0
        return settings.pool_id, foreseen > settings.slot_memory_mb * 2**20
    # The engine needs no more than its slot has; where it may not compute, the next try has more.
    need = page_need(verdict.images, project, settings, settings.slot_threads)
    if need <= settings.slot_memory_mb * 2**20:
        share = settings.node_disk_gb / settings.slots_per_node
        return settings.pool_id, 0 < share < most_gb(length, verdict, project, settings)
    if settings.large_pool_id and need > settings.slot_memory_mb * 2**20 * settings.slots_per_node:
        return settings.large_pool_id, True
    return settings.pool_id, True


def _run_plan(
    fresh: FileRecord,
    project: Project,
    verdict: Accepted | Unchecked,
    settings: Settings,
    contrast: Contrast | None,
) -> RunPlan:
    config = project.config
    more: tuple[ImageDescription, ...] = ()
    if isinstance(verdict, Accepted):
        image, more, warnings = verdict.image, verdict.more_images, verdict.warnings
    else:
        image = ImageDescription(config.internal_path or "", config.axes or "", tagged=not config.axes)
        image = replace(image, planes="z" if config.per_plane else "")
        warnings = (RunWarning("not-checked", verdict.sentence),)
    foreseen = forecast((image, *more), project.facts, settings.slot_threads, project.tool)
    source = export_source(project, settings)
    export = kept_export(project)
    form = result_form(project, settings)
    objects, of_objects = (None, ()) if project.tool else objects_wanted(project.facts.classes, config, source)
    if export.has_effect:
        objects, of_objects = None, (_of_kept(export),)
    of_form = (_WITHOUT_PALETTE,) if config.form.palette and not form.palette else ()
    nickname = naming.nickname(fresh.name)
    return RunPlan(
        run_key=run_key(fresh, project, settings, image, fresh.plan.companion),
        companion=fresh.plan.companion,
        tool=ToolChoice(
            project_etag=project.etag,
            project_digest=project.digest,
            ilastik_version="" if project.tool else settings.ilastik_version,
            export_source="" if project.tool else source,
            export_settings=str(export),
            engine=_engine(project, settings),
            result_form=str(form),
            tool_profile=project.tool.to_json() if project.tool else "",
        ),
        image=image,
        more_images=more,
        confirmed=json.dumps(dict(verdict.answers)) if isinstance(verdict, Unchecked) and verdict.answers else "",
        wanted_channels="" if image.is_known else channels_to_json(config.channels),
        outputs=outputs_by_folder(
            (one.folder, form.outputs(planned_outputs(nickname, source, planned_export(one, project, settings))))
            for one in (image, *more)
            # What another tool promises stands in its profile.
            if one.is_known and not project.tool
        ),
        objects=objects,
        pictures=PicturesWanted(contrast) if config.pictures and not export.has_effect else None,
        wall_clock=timedelta(seconds=max(1, round((config.wall_clock or settings.wall_clock).total_seconds()))),
        forecast=foreseen,
        warnings=(*warnings, *_of_memory(foreseen, project, settings), *of_objects, *of_form),
    )


def _engine(project: Project, settings: Settings) -> str:
    """Say whether the pixel engine may compute it. No part of the run key: it gives the same pixels, or does not."""
    return CERTIFIED if may_use_engine(project, settings) else ""


def _of_kept(export: StoredExport) -> RunWarning:
    """Warn of results that may not be those of the whole image, nor numbers of labels."""
    sentence = (
        f"As its configuration says, it is exported with the settings that its project stores: {export}. Nothing is "
        "counted or drawn of it."
    )
    return RunWarning("export-settings-kept", sentence)


def _of_memory(foreseen: Forecast, project: Project, settings: Settings) -> tuple[RunWarning, ...]:
    """Warn of a run that may need more memory than its part of a node has: a forecast never refuses it."""
    if is_beyond_walls(project, settings) or (foreseen.memory_bytes or 0) <= settings.slot_memory_mb * 2**20:
        return ()
    sentence = (
        f"It may need {(foreseen.memory_bytes or 0) / GB:,.1f} GB of memory, and a task has "
        f"{settings.slot_memory_mb * 2**20 / GB:,.1f} GB here; if it fails for lack of memory, split the image, or ask "
        "for larger nodes."
    )
    return (RunWarning("memory", sentence),)
