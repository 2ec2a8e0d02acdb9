"""Does this image fit its project? Findings and facts in, a verdict out; pure.

The rules are ilastik's own (1.4.2, headless Pixel Classification), applied before any machine is paid for: the first
training image's channels and dimensions must be met, and every spatial axis must be long enough for the largest filter.
The order of the axes is free, those of one pixel may be missing or too many, and so may time: the task has ilastik read
the image by its own tags (`--ignore_training_axistags`), which gives the pixels of the training order.
"""

from __future__ import annotations

import math
from dataclasses import replace

from batch_ops.image import axes as axis_rules
from batch_ops.image import filters
from batch_ops.image.channels import choose_channels
from batch_ops.image.facts import (
    GB,
    WINDOW_RATIO,
    Accepted,
    CheckLimits,
    ImageOptions,
    ProjectFacts,
    Refused,
    Undecided,
)
from batch_ops.image.image_axes import Open, axes_of, by
from batch_ops.image.planes import stacked
from batch_ops.image.readings import Dataset
from batch_ops.image.sentences import NAME_LENGTH, Unfit
from batch_ops.image.views import COPIED_READERS
from batch_ops.task.export_plan import export_plan, order_of_results
from batch_ops.task.plain_text import plain
from batch_ops.task.run_plan import AxesSource, ImageDescription, RunWarning
from batch_ops.task.stored_export import StoredExportError

DTYPES = frozenset(
    {"bool", "float16", "float32", "float64"} | {f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)}
)


def judge_image(
    name: str, size: int, found: Dataset, project: ProjectFacts, options: ImageOptions, limits: CheckLimits
) -> Accepted | Refused | Undecided:
    """Judge the one dataset of a file of `size` bytes. `name` is the file's name for people."""
    file = plain(name, NAME_LENGTH)
    try:
        _check_name(found)
        _check_values(found)
        _check_size(found, size, limits)
        # Of an image of which some channels are chosen, those of the project do not say how many it has.
        axes = axes_of(found, replace(project, channels=None) if options.channels else project, options)
        chosen = choose_channels(axes.letters, found, options.channels)
        says_time = axes.source is AxesSource.TAGS and "t" not in found.stacked
        planes, notes = stacked(axes.letters, chosen.shape, project, options, says_time=says_time)
        image = ImageDescription(
            *(found.path, axes.letters, axes.tagged and not planes, chosen.shape, found.dtype, axes.source),
            reader=found.reader,
            scene=found.scene,
            planes=planes,
            pixel_sizes=found.pixel_sizes if found.sizes_beside else (),
            exported_as="" if planes else order_of_results(axes.letters, chosen.shape, options.output_channels),
            channels=chosen.numbers,
        )
        _check_project(image.read_as, image.shape_read, project)
        _check_scales(image.read_as, image.shape_read, project)
        _check_features(image.read_as, image.shape_read, project)
        _check_output(image, options)
    except Unfit as unfit:
        return Refused(f"{file} {unfit}")
    except Open as question:
        image = ImageDescription(found.path, "", False, found.shape, found.dtype, reader=found.reader)
        return Undecided(f"{file} {question}", image, question.likely, found)
    warnings = (*_of_others(found), *axes.warnings, *chosen.warnings, *notes)
    copied = (
        bool(chosen.numbers)
        or image.has_joined_planes
        or found.reader in COPIED_READERS
        or filters.need_a_plain_copy(code for code, _ in found.filters)
    )
    return Accepted(image, warnings, copy_bytes=math.prod(image.shape) * found.item_bytes if copied else 0)


def _of_others(found: Dataset) -> tuple[RunWarning, ...]:
    """Say which datasets of the file are not segmented, and how to choose another."""
    if not found.passed_over:
        return ()
    segmented = "It holds more than the image that its layout describes."
    if found.chosen:
        path, because = plain(found.path, NAME_LENGTH), plain(found.chosen, NAME_LENGTH)
        segmented = f"Of its datasets '{path}' is segmented, as {because}."
    sentence = (
        f"{segmented} The others are passed over: "
        f"{', '.join(plain(other, NAME_LENGTH) for other in found.passed_over)}. To segment another one, set "
        '"internal_path" in the configuration of its project.'
    )
    return (RunWarning("datasets-passed-over", sentence),)


def _check_name(found: Dataset) -> None:
    # Bytes that are not text arrived as replacement characters: the task could not name the dataset.
    if not found.path.isprintable() or "\N{REPLACEMENT CHARACTER}" in found.path:
        raise Unfit(
            f"names its dataset with characters that are not text ('{plain(found.path, NAME_LENGTH)}'); rename it."
        )


def _check_values(found: Dataset) -> None:
    if found.dtype not in DTYPES:
        raise Unfit(
            f"holds {plain(found.dtype, 40)} in '{plain(found.path, NAME_LENGTH)}', but ilastik reads plain numbers "
            "only; export the image as 8-bit, 16-bit or 32-bit."
        )
    if 0 in found.shape:
        raise Unfit(f"is empty: its shape is {by(found.shape)}; export the image again.")
    for code, label in found.filters:
        if code not in filters.ILASTIKS and code not in filters.NODES:
            raise Unfit(
                f"is compressed with {filters.name_of(code, plain(label, 40))} (HDF5 filter {code}), which can't be "
                "read here; save it with gzip or without compression."
            )


def _check_size(found: Dataset, size: int, limits: CheckLimits) -> None:
    declared = found.pixel_bytes
    if found.offset is None or declared > limits.max_declared_bytes:
        check_declared(declared, f"an image of {by(found.shape)}", size, limits)
    elif found.offset + declared > size:
        raise Unfit(
            f"is damaged: its data should reach to byte {found.offset + declared:,}, but the file has "
            f"{size:,} bytes; upload it again."
        )


def check_declared(declared: int, what: str, size: int, limits: CheckLimits) -> None:
    """Refuse so many bytes of pixels for a file of this size. Raises `Unfit`."""
    if declared > limits.max_declared_bytes:
        raise Unfit(
            f"declares {what} with {_gb(declared)}, and the limit is "
            f"{_gb(limits.max_declared_bytes)}; split it, or ask the operator to raise the limit."
        )
    if declared > size * limits.max_compression + limits.sparse_allowance_bytes:
        raise Unfit(
            f"declares {what} with {_gb(declared)}, but the file has only {size:,} bytes, far "
            "too few for it; export the image again."
        )


def _check_project(letters: str, shape: tuple[int, ...], project: ProjectFacts) -> None:
    size = axis_rules.sizes(letters, shape)
    if project.channels is not None and size["c"] != project.channels:
        raise _other_channels(size["c"], project.channels)
    if project.spatial_dimensions is not None and (size["z"] == 1) != (project.spatial_dimensions == 2):
        raise _other_dimensions(size["z"], size["t"], project)


def _other_channels(channels: int, trained: int) -> Unfit:
    return Unfit(
        f"has {_count(channels, 'channel')}, but its project was trained on {_count(trained, 'channel')}; upload "
        f"images like those it was trained on."
    )


def _other_dimensions(z: int, t: int, project: ProjectFacts) -> Unfit:
    or_ = ', or have "per_plane" set in its configuration, and each plane is segmented by itself' if z > 1 else ""
    if z == 1 and t > 1:
        or_ = f"; if its {t} time points are z slices that Fiji took for time, swap them there before the export"
    if z > 1 and t == 1 and "t" in project.axes:
        or_ += "; if its z slices are time points that Fiji took for z, swap them there before the export"
    mine, theirs = ("2D (one z slice)", "3D") if z == 1 else (f"3D ({z} z slices)", "2D")
    fits = "upload it to the folder of a project that fits"
    return Unfit(f"is {mine}, but its project was trained on {theirs} images; {fits}{or_}.")


def _check_scales(letters: str, shape: tuple[int, ...], project: ProjectFacts) -> None:
    size = axis_rules.sizes(letters, shape)
    all_2d = not project.chooses_2d and size["z"] == 1
    for axis in "zyx":
        sigma = max(project.sigma_3d, project.sigma_2d) if axis != "z" else 0.0 if all_2d else project.sigma_3d
        needed = math.ceil(WINDOW_RATIO * sigma) + 1
        if sigma > 0 and size[axis] < needed:
            unit = "z slice" if axis == "z" else f"pixel along {axis}"
            have = _count(size[axis], unit) if axis == "z" else f"{size[axis]} pixels along {axis}"
            raise Unfit(
                f"has {have}, but the largest filter of its project (sigma {sigma:g}) needs at least {needed}; upload "
                f"a larger image, or train a project with smaller sigmas."
            )


def _check_features(letters: str, shape: tuple[int, ...], project: ProjectFacts) -> None:
    """Compare the number of features per pixel: a wrong one would fail only after hours in the queue."""
    size = axis_rules.sizes(letters, shape)
    channels, z = size["c"], size["z"]
    if project.columns is None or project.feature_columns(channels, z) == project.columns:
        return
    other = 2 if z == 1 else 1
    if project.feature_columns(channels, other) == project.columns:
        raise _other_dimensions(z, size["t"], project)
    one = project.feature_columns(1, z)
    if one and project.columns % one == 0:
        raise _other_channels(channels, project.columns // one)
    raise Unfit(
        f"gives {project.feature_columns(channels, z)} features per pixel, but the classifier of its project was "
        f"trained with {project.columns}; have the project trained and saved again."
    )


def _check_output(image: ImageDescription, options: ImageOptions) -> None:
    try:
        plan = export_plan(
            image.axes,
            image.shape,
            channels=options.output_channels,
            bytes_per_value=options.bytes_per_value,
            stored=options.export.ordered_as(image.exported_as),
            one_file=image.has_joined_planes,
        )
    except StoredExportError as exc:
        raise Unfit(
            f"can't be exported as its project says: it {exc}; save the project with other export settings, or take "
            '"keep_export_settings" out of its configuration.'
        ) from exc
    if plan.is_taken_for_colours:
        is_cut = plan.page_shape[1] < image.shape[image.axes.index("x")]
        wider = "save the project with a region for its export" if is_cut else "upload an image"
        raise Unfit(
            f"would give TIFFs that are {plan.page_shape[1]} pixels wide, and ilastik can't write TIFFs of 3 or 4 "
            f"columns, which it takes for colours; {wider} that is at least 5 pixels long along x."
        )


def _gb(count: int) -> str:
    return f"{count / GB:,.1f} GB"


def _count(number: int, unit: str) -> str:
    return f"{number} {unit}" + ("" if number == 1 else "s")
