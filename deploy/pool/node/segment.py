"""The results of one image: ilastik runs, what it wrote is held against what was promised, then measured and drawn."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from batch_ops.image.facts import ProjectFacts, Refused
from batch_ops.task import contract, headless, true_success, warning_kinds
from batch_ops.task.export_plan import HDF5, ExportPlan
from batch_ops.task.output import Output
from batch_ops.task.outputs import PlannedOutput, Role, outputs_by_folder
from batch_ops.task.pictures import Contrast
from batch_ops.task.run_plan import RunWarning
from batch_ops.task.stored_export import StoredExport
from node.engine import choose
from node.execution import Execution
from node.forms import formed, outputs_of, tiffs_of_export
from node.image import LocalImage
from node.later import need_ilastik
from node.measure import Measurement
from node.measured import measure_results
from node.memory import page_of, refuse_page
from node.part_results import PartResult, join_parts
from node.pictures import make_pictures
from node.process import run_ilastik
from node.project import LocalProject
from node.tiffs import find_files, name_planes, only_value


@dataclass(frozen=True)
class Work:
    """What is the same for all images of a file; `home`: of ilastik; `facts`: of the project, as far as understood;
    `parts`: that are joined instead of running it."""

    task: contract.TaskEnvironment
    project: LocalProject
    stored: StoredExport
    home: Path
    facts: ProjectFacts | Refused
    parts: Sequence[PartResult] = ()


@dataclass(frozen=True)
class Made:
    """How it ended, the files that came of it, what was found in them, and the contrast of their pictures."""

    outcome: true_success.TaskOutcome
    files: tuple[Output, ...] = ()
    found: Measurement = field(default_factory=Measurement)
    contrast: Contrast | None = None


def segment(
    execution: Execution,
    work: Work,
    image: LocalImage,
    plan: ExportPlan,
    promised: Sequence[PlannedOutput],
) -> Made:
    """Make the results of one image in its folder; return how that ended, and what there is."""
    task, project, folder = work.task, work.project, image.described.folder
    place = execution.partial / folder
    place.mkdir(exist_ok=True)
    if work.parts:
        with execution.step("join"):
            join_parts(execution, task, image, plan, work.parts, promised, project.classes)
        log = ""
    else:
        log = _compute(execution, work, image, plan)
    if plan.export_format == HDF5 and execution.ilastik_exit_code == 0 and not work.parts:
        with execution.step("convert"):
            tiffs_of_export(execution, image, place / f"{task.nickname}.h5", promised)
    with execution.step("verify"):
        files = find_files(place, promised)
        free = shutil.disk_usage(execution.root).free
        assert execution.ilastik_exit_code is not None
        outcome = true_success.outcome_of(execution.ilastik_exit_code, files, log, promised, free)
        if not outcome.succeeded:
            return Made(replace(outcome, sentence=f"{folder}: {outcome.sentence}") if folder else outcome)
        is_z = image.described.planes and plan.export_format != HDF5
        if (is_z or image.described.has_joined_planes) and not work.parts:
            name_planes(place, promised, image.described)
        results = outputs_of(execution, outputs_by_folder([(folder, promised)]))
        if task.region:
            # The rest is made of the whole image.
            return Made(outcome, tuple(results))
        if project.classes > 1 and not work.stored.has_range:
            warn_of_one_class(execution, folder, results, project.classes)
    with execution.step("objects"):
        # What the project stores of its export makes them results of other pixels, or of other values.
        like_image = [] if work.stored.has_effect else results
        tables, found = measure_results(execution, image, project.classes, like_image, task.wanted_objects)
    with execution.step("pictures"):
        pictures, contrast = make_pictures(execution, image, results, task)
    with execution.step("convert"):
        results = formed(execution, image, results, task, promised)
    return Made(outcome, (*results, *tables, *pictures), found, contrast)


def _compute(execution: Execution, work: Work, image: LocalImage, plan: ExportPlan) -> str:
    """Run ilastik, or the pixel engine in its place, and return the part of its log that shows faults."""
    task, project, folder = work.task, work.project, image.described.folder
    # The image's axes may differ from the project's training images; its own are right.
    ignored = bool(project.axes - {image.described.read_as})

    def probing(program: str, images: Sequence[str], stem: str) -> list[str]:
        return headless.probe_command(
            program, project.file, images, stem, task.export_source, ignore_training_axes=ignored
        )

    page = page_of(work.facts, task, image.described, plan)
    chosen = choose(
        *(execution, task, work.home, image),
        changed=work.stored.has_effect,
        beyond=page.is_over,
        command=probing,
    )
    if chosen.use:
        execution.engines.append(chosen.use)
        if chosen.use.made and not chosen.use.computed:
            execution.warn(RunWarning(warning_kinds.ENGINE_DIFFERS, chosen.use.reason), folder)
    if not chosen.is_engine:
        refuse_page(page, chosen.use.reason if chosen.use else "")
        need_ilastik(execution, work.home)
        task = replace(task, threads=page.threads)
    command = headless.command(
        chosen.program,
        project.file,
        image.argument,
        "/".join(filter(None, (contract.PARTIAL_FOLDER, execution.name, folder, task.nickname))),
        task.export_source,
        plan,
        ignore_training_axes=ignored,
    )
    execution.command = execution.command or command
    with execution.step("ilastik"):
        return run_ilastik(execution, task, command)


def warn_of_one_class(execution: Execution, folder: str, results: Sequence[Output], classes: int) -> None:
    """Warn where one class was found everywhere: the images may be unlike those that the project was trained on."""
    names = [output.path for output in results if output.role is Role.SEGMENTATION]
    value = only_value(execution.partial, names)
    if value is not None:
        sentence = (
            f"Every pixel is of class {value}, although its project has {classes} classes: compare the image with "
            "those that the project was trained on."
        )
        execution.warn(RunWarning(warning_kinds.ONE_CLASS, sentence), folder)
