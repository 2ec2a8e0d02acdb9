"""One command: every input, one after the other, as ilastik's batch processing does it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pixel_engine import axes, export, export_tiff
from pixel_engine.command import Command, Format, Source
from pixel_engine.errors import InputError
from pixel_engine.export import Output
from pixel_engine.features import Plan, check_columns, plan_features
from pixel_engine.inputs import Image, Reader, choose_order, locate
from pixel_engine.predict import Work, predict
from pixel_engine.project import Project, open_project
from pixel_engine.settings import Settings
from pixel_engine.stored_export import Region
from pixel_engine.writers import check_writable, open_writer

Say = Callable[[str], None]

# Progress is reported this often, and once at the very start.
_STEPS = 10


@dataclass(frozen=True, slots=True)
class _Job:
    """One input that has passed every check."""

    image: Image
    order: str
    plan: Plan
    output: Output
    region: Mapping[str, tuple[int, int]]


def run(command: Command, settings: Settings, directory: Path, say: Say) -> None:
    """Do what the command says; relative paths start at `directory`, messages go to `say`.

    Raises IlastikError at the first input that fails; inputs before it stay done, later ones are not begun.
    """
    for option in command.unknown:
        say(f"WARNING: the option {option} is unknown and ignored.")
    project = open_project(directory / command.project)
    say(f"Opened {command.project}: ilastik {project.version}, {project.classifier.trees} trees.")
    training = project.lane.order if project.lane else None
    images = [locate(str(directory / Path(text).expanduser())) for text in command.inputs]
    orders = [choose_order(image, training, command.input_axes, command.ignore_training_axes) for image in images]
    for image, order in zip(images, orders, strict=True):
        job = _prepare(command, project, image, order, directory)
        _do(job, project, command.source, settings, say)
    say("Completed Batch Processing")


def _prepare(command: Command, project: Project, image: Image, order: str, directory: Path) -> _Job:
    size = axes.sizes(order, image.shape)
    lane = project.lane
    plan = plan_features(project.selection, size, axes.sizes(lane.order, lane.shape)["z"] if lane else None)
    check_columns(plan, project.classifier.columns, image.file)
    segmentation = command.source is Source.SEGMENTATION
    channels = project.classes if command.source is Source.PROBABILITIES else 1
    region = project.export.cut(command.subregion).region({**size, "c": channels})
    left = {**dict.fromkeys(axes.INSIDE, 1), **{key: last - first for key, (first, last) in region.items()}}
    output = export.plan_output(
        output_format=export.choose_format(command.output_format or project.export.output_format),
        filename_format=command.filename_format or project.export.filename_format,
        internal_path=command.internal_path or project.export.internal_path,
        dtype=command.dtype or project.export.dtype or ("uint8" if segmentation else "float32"),
        order=project.export.order(order, left),
        size=left,
        starts={key: first for key, (first, _) in region.items()},
        names={
            "dataset_dir": str(image.file.absolute().parent),
            "nickname": image.nickname,
            "result_type": str(command.source),
        },
        directory=directory if command.filename_format else project.path.absolute().parent,
    )
    _refuse(image, order, output)
    return _Job(image=image, order=order, plan=plan, output=output, region=region)


def _refuse(image: Image, order: str, output: Output) -> None:
    """Refuse what ilastik's writers fail on."""
    check_writable(output)
    if output.format in (Format.HDF5, Format.COMPRESSED_HDF5):
        return
    if output.format is not Format.TIFF_SEQUENCE and order != image.order:
        own = f"its own axes are {image.order}" if image.tagged else "it has no axis tags of its own"
        raise InputError(
            f"'{image.file}' is read with the axes {order}, but {own}; ilastik 1.4 cannot write TIFF files of such "
            "images. Add the attribute 'axistags' to the dataset, or give --ignore_training_axistags if the "
            f"order {image.order} is right."
        )
    size = {**output.size, output.step: 1} if output.step else output.size
    export_tiff.check_size(output.files[0], size, np.dtype(output.dtype))


def _do(job: _Job, project: Project, source: Source, settings: Settings, say: Say) -> None:
    say(f"Exporting to {job.output.path}")
    size = axes.sizes(job.order, job.image.shape)
    steps = iter((0.0, *(step / _STEPS for step in range(1, _STEPS + 1))))
    due = next(steps)

    def progress(share: float) -> None:
        nonlocal due
        if share >= due:
            due = next((step for step in steps if step > share), 2.0)
            say(f"{share:4.0%} of {job.image.file.name}")

    work = Work(job.plan, project.classifier, project.classes, source, settings)
    with Reader(job.image, job.order) as reader, open_writer(job.output, job.image) as writer:
        part = Region(writer, project.export, job.region, job.output.dtype)
        for block in predict(reader, size, work, job.region, progress):
            part.write(block.corner, block.data)
