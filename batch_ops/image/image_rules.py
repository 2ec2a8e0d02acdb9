"""Does this image fit its project? Findings and facts in, a verdict out; pure.

The rules are ilastik's own (1.4.2, headless Pixel Classification), applied before any machine is paid for:
the axes of the last training image are forced on every input, the first training image's channels and
dimensions must be met, and every spatial axis must be long enough for the largest filter.
"""

from __future__ import annotations

import math

from batch_ops.image import axes as axis_rules
from batch_ops.image.axes import WORDS, AxesError
from batch_ops.image.facts import (
    GB,
    WINDOW_RATIO,
    Accepted,
    CheckLimits,
    ImageOptions,
    ProjectFacts,
    Refused,
)
from batch_ops.image.readings import Dataset
from batch_ops.image.sentences import NAME_LENGTH, Unfit
from batch_ops.task.export_plan import export_plan
from batch_ops.task.plain_text import plain
from batch_ops.task.run_plan import AxesSource, ImageDescription, RunWarning

DTYPES = frozenset(
    {"bool", "float16", "float32", "float64"} | {f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)}
)
# deflate, shuffle, fletcher32, szip, nbit, scale-offset and lzf come with ilastik's HDF5; others do not.
FILTERS = frozenset({1, 2, 3, 4, 5, 6, 32000})
_FILTER_NAMES = {305: "LZO", 307: "bzip2", 32001: "Blosc", 32004: "LZ4", 32008: "bitshuffle", 32013: "ZFP"}
_FILTER_NAMES |= {32015: "Zstandard", 32017: "SZ", 32026: "Blosc2"}

# What reads the files of this kind.
READER = "hdf5"
_USUAL = {2: "yx", 3: "zyx", 4: "zyxc", 5: "tzyxc"}


def judge_image(
    name: str, size: int, found: Dataset, project: ProjectFacts, options: ImageOptions, limits: CheckLimits
) -> Accepted | Refused:
    """Judge the one dataset of a file of `size` bytes. `name` is the file's name for people."""
    file = plain(name, NAME_LENGTH)
    try:
        _check_name(found)
        _check_values(found)
        _check_size(found, size, limits)
        letters, tagged, source = _axes(found, project, options)
        _check_project(letters, found.shape, project)
        _check_scales(letters, found.shape, project)
        _check_features(letters, found.shape, project)
        _check_output(letters, found.shape, options)
    except Unfit as unfit:
        return Refused(f"{file} {unfit}")
    return Accepted(
        ImageDescription(found.path, letters, tagged, found.shape, found.dtype, source, READER),
        _of_axes(letters, source, options),
    )


def _of_axes(letters: str, source: AxesSource, options: ImageOptions) -> tuple[RunWarning, ...]:
    if source is not AxesSource.TAGS or not options.axes or options.axes == letters:
        return ()
    sentence = (
        f"It says itself that its axes are {letters}, and is read so; the axes that are set for its project "
        f"({options.axes}) are for images that do not say it."
    )
    return (RunWarning("axes-of-its-own", sentence),)


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
        raise Unfit(f"is empty: its shape is {_by(found.shape)}; export the image again.")
    for code, label in found.filters:
        if code not in FILTERS:
            known = _FILTER_NAMES.get(code) or plain(label, 40) or "unknown"
            raise Unfit(
                f"is compressed with {known} (HDF5 filter {code}), which ilastik can't read; save it with gzip "
                f"or without compression."
            )


def _check_size(found: Dataset, size: int, limits: CheckLimits) -> None:
    declared = math.prod(found.shape) * found.item_bytes
    if declared > limits.max_declared_bytes:
        raise Unfit(
            f"declares an image of {_gb(declared)} ({_by(found.shape)}), and the limit is "
            f"{_gb(limits.max_declared_bytes)}; split it, or ask the operator to raise the limit."
        )
    if found.offset is not None:
        if found.offset + declared > size:
            raise Unfit(
                f"is damaged: its data should reach to byte {found.offset + declared:,}, but the file has "
                f"{size:,} bytes; upload it again."
            )
    elif declared > size * limits.max_compression + limits.sparse_allowance_bytes:
        raise Unfit(
            f"declares an image of {_gb(declared)} ({_by(found.shape)}), but the file has only {size:,} bytes, far "
            "too few for it; export the image again."
        )


def _axes(found: Dataset, project: ProjectFacts, options: ImageOptions) -> tuple[str, bool, AxesSource]:
    """Return the letters of the image's axes, whether ilastik takes its tags as they are, and who says so."""
    dimensions = len(found.shape)
    try:
        if not found.tags_readable:
            raise AxesError("they are not text")
        tags = axis_rules.parse_tags(found.axistags) if found.axistags is not None else None
        if tags is not None:
            return axis_rules.checked(tags.letters, dimensions), tags.standard and found.tags_plain, AxesSource.TAGS
    except AxesError as reason:
        raise Unfit(f"has axistags that can't be used: {reason}. Export the image again.") from reason
    if not options.axes:
        example = project.axes if len(project.axes) == dimensions else _USUAL[dimensions]
        raise Unfit(
            f"does not say which of its dimensions ({_by(found.shape)}) is which; save it with axistags (as "
            f"ilastik's export does), or have the operator set axes (such as {example}) for its project."
        )
    try:
        return axis_rules.checked(options.axes, dimensions), False, AxesSource.CONFIGURATION
    except AxesError as reason:
        raise Unfit(
            f"has no axistags, and the axes set for its project do not fit: {reason}. Save it with axistags, or "
            f"have the operator correct them."
        ) from reason


def _check_project(letters: str, shape: tuple[int, ...], project: ProjectFacts) -> None:
    trained = project.axes
    if trained and sorted(letters) != sorted(trained):
        lacking = [WORDS[axis] for axis in trained if axis not in letters]
        surplus = [WORDS[axis] for axis in letters if axis not in trained]
        differences = [f"lacks {_and(lacking)}"] * bool(lacking) + [f"adds {_and(surplus)}"] * bool(surplus)
        raise Unfit(
            f"has {len(shape)} dimensions ({letters}), but its project was trained on {len(trained)} ({trained}): "
            f"it {' and '.join(differences)}. Save it with the axes {trained} (one that is not needed has length 1)."
        )
    if trained and letters != trained:
        raise Unfit(
            f"has its axes in the order {letters}, but its project was trained on {trained}, and ilastik would "
            f"confuse them; save it in the order {trained}."
        )
    size = axis_rules.sizes(letters, shape)
    if project.channels is not None and size["c"] != project.channels:
        raise _other_channels(size["c"], project.channels)
    if project.spatial_dimensions is not None and (size["z"] == 1) != (project.spatial_dimensions == 2):
        raise _other_dimensions(size["z"])


def _other_channels(channels: int, trained: int) -> Unfit:
    return Unfit(
        f"has {_count(channels, 'channel')}, but its project was trained on {_count(trained, 'channel')}; upload "
        f"images like those it was trained on."
    )


def _other_dimensions(z: int) -> Unfit:
    mine, theirs = ("2D (one z slice)", "3D") if z == 1 else (f"3D ({z} z slices)", "2D")
    return Unfit(
        f"is {mine}, but its project was trained on {theirs} images; upload it to the folder of a project that fits."
    )


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
        raise _other_dimensions(z)
    one = project.feature_columns(1, z)
    if one and project.columns % one == 0:
        raise _other_channels(channels, project.columns // one)
    raise Unfit(
        f"gives {project.feature_columns(channels, z)} features per pixel, but the classifier of its project was "
        f"trained with {project.columns}; have the project trained and saved again."
    )


def _check_output(letters: str, shape: tuple[int, ...], options: ImageOptions) -> None:
    plan = export_plan(letters, shape, channels=options.output_channels, bytes_per_value=options.bytes_per_value)
    if not plan.fits_classic_tiff:
        raise Unfit(
            f"would give a TIFF of {_gb(plan.bytes_per_file)}, but ilastik writes at most 4 GB per TIFF; split the "
            "image into smaller ones."
        )


def _by(shape: tuple[int, ...]) -> str:
    return " x ".join(str(n) for n in shape)


def _gb(count: int) -> str:
    return f"{count / GB:,.1f} GB"


def _count(number: int, unit: str) -> str:
    return f"{number} {unit}" + ("" if number == 1 else "s")


def _and(words: list[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
