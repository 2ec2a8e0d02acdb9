"""Which dimension of an image is which: its own tags, the project's configuration, or the one order that fits. Pure.

What is tagged is never guessed, and neither are time against z, nor channels, from a shape: an untagged image gets the
order of the training images (without their channels, where those have one), the same axes as most programs write them
(t, z, y, x, c), or ilastik's own default (yx, zyx, zyxc, tzyxc), where just one of them fits, with a warning. Where two
fit it is refused; where time, z and channels could be taken for each other, somebody is asked once for all images of
the kind.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import chain, combinations, permutations

from batch_ops.image import axes as axis_rules
from batch_ops.image.axes import AxesError
from batch_ops.image.facts import ImageOptions, ProjectFacts
from batch_ops.image.readings import Dataset
from batch_ops.image.sentences import Unfit
from batch_ops.task.run_plan import AxesSource, RunWarning

_DEFAULT = {2: "yx", 3: "zyx", 4: "zyxc", 5: "tzyxc"}
# ilastik itself takes so short a last axis of three for channels.
_MOST_CHANNELS = 4
_OF_MATLAB = "of an array with so many dimensions that MATLAB has written no order is usual"
# As Fiji's plugin stores a volume or a plane; MATLAB's usual orders are stored in columns.
_OF_FIJI = ("yx", "zyx")
# By the dialect that knows of no usual order.
_UNUSUAL = {"nexus": "the names that it gives its axes are others than time, channel, z, y and x"}
_SET = 'set "axes" in the configuration of its project'


class Open(ValueError):
    """Only somebody who knows the image can say which dimension is which: why, and what comes to mind first."""

    def __init__(self, reason: str, likely: str) -> None:
        super().__init__(reason)
        self.likely = likely


@dataclass(frozen=True)
class Axes:
    """`letters` in the order of the shape. `tagged`: ilastik takes the file's own tags as they are."""

    letters: str
    tagged: bool
    source: AxesSource
    warnings: tuple[RunWarning, ...] = ()


def axes_of(found: Dataset, project: ProjectFacts, options: ImageOptions) -> Axes:
    """Say which dimension is which. Raises `Unfit`, `Open`."""
    if found.stacked:
        return _stacked(found, project, options)
    dimensions = len(found.shape)
    try:
        if not found.tags_readable:
            raise AxesError("they are not text")
        tags = axis_rules.parse_tags(found.axistags) if found.axistags is not None else None
        if tags is not None:
            letters = axis_rules.checked(tags.letters, dimensions)
            return Axes(letters, tags.standard and found.tags_plain, AxesSource.TAGS, _of_its_own(letters, options))
        if found.axes:
            letters = axis_rules.checked(found.axes, dimensions)
            return Axes(letters, False, AxesSource.TAGS, _of_its_own(letters, options))
    except AxesError as reason:
        raise Unfit(f"has axistags that can't be used: {reason}. Export the image again.") from reason
    if not options.axes:
        if options.confirmed:
            return _confirmed(found, options.confirmed)
        return _assumed_planes(found, project) if options.per_plane else _assumed(found, project)
    try:
        return Axes(_of_pages(options.axes, found), False, AxesSource.CONFIGURATION)
    except AxesError as reason:
        raise Unfit(
            f"has no axistags, and the axes set for its project do not fit: {reason}. Save it with axistags, or "
            f"have the operator correct them."
        ) from reason


def _of_pages(axes: str, found: Dataset) -> str:
    """Check axes that somebody set for an image that does not say all of them itself. Raises `AxesError`."""
    letters = axis_rules.checked(axes, len(found.shape))
    if not letters.endswith(found.page_axes):
        raise AxesError(f"its pages are {found.page_axes}, which have to come last")
    return letters


def _stacked(found: Dataset, project: ProjectFacts, options: ImageOptions) -> Axes:
    """Say it of the datasets that are put together; the axes along which they are, come first."""
    over, count = found.stacked, len(found.stacked)
    rest = "".join(letter for letter in project.axes if letter not in over)
    like = replace(
        project,
        axes=rest,
        channels=1 if "c" in over else project.channels,
        spatial_dimensions=2 if "z" in over else project.spatial_dimensions,
    )
    said = replace(options, axes=_after(over, options.axes), confirmed=_after(over, options.confirmed))
    try:
        inner = axes_of(replace(found, shape=found.shape[count:], stacked=""), like, said)
    except Open as question:
        raise Open(str(question), over + question.likely) from question
    try:
        letters = axis_rules.checked(over + inner.letters, len(found.shape))
    except AxesError as reason:
        raise Unfit(f"is put together along {over} of datasets whose axes do not fit that: {reason}.") from reason
    return replace(inner, letters=letters, tagged=False)


def _after(over: str, letters: str | None) -> str | None:
    """Return axes without those in front along which an image is put together."""
    return letters[len(over) :] if letters and letters.startswith(over) else letters


def _of_its_own(letters: str, options: ImageOptions) -> tuple[RunWarning, ...]:
    if not options.axes or options.axes == letters:
        return ()
    sentence = (
        f"It says itself that its axes are {letters}, and is read so; the axes that are set for its project "
        f"({options.axes}) are for images that do not say it."
    )
    return (RunWarning("axes-of-its-own", sentence),)


def kind_of(shape: tuple[int, ...]) -> str:
    """Return the kind of images whose axes are confirmed together: how many dimensions, and which could be channels."""
    return " x ".join(str(size) if size <= _MOST_CHANNELS else "n" for size in shape)


def _confirmed(found: Dataset, confirmed: str) -> Axes:
    shape = found.shape
    try:
        letters = _of_pages(confirmed, found)
    except AxesError as reason:
        raise Unfit(
            f"is of a kind ({kind_of(shape)}) whose axes were confirmed, but they do not fit: {reason}."
        ) from reason
    sentence = (
        f"It does not say which of its dimensions ({by(shape)}) is which; they are taken for {letters}, as confirmed "
        f"for images of this kind ({kind_of(shape)}). If that is wrong, confirm others (files confirm), or {_SET}."
    )
    return Axes(letters, False, AxesSource.CONFIGURATION, (RunWarning("axes-confirmed", sentence),))


def _assumed(found: Dataset, project: ProjectFacts) -> Axes:
    shape = found.shape
    default = found.usual.strip("?") or _DEFAULT[len(shape)]
    by_fiji = found.usual in _OF_FIJI
    in_columns = bool(found.usual) and found.reader not in _UNUSUAL and not by_fiji
    likely = _likely(shape, project, found.page_axes, in_columns=in_columns)
    example = likely or default
    advice = f"save it with axistags (as ilastik's export does), or {_SET} (such as {example})"
    unsaid = f"does not say which of its dimensions ({by(shape)}) is which"
    why_open = "" if by_fiji else _why_open(shape, project)
    if reason := why_open or (found.usual == "?" and _UNUSUAL.get(found.reader, _OF_MATLAB)):
        raise Open(f"{unsaid}, and {reason}; {advice}.", example)
    trained = (project.axes, _without_channels(shape, project))
    usual = (default,) if found.usual else (*trained, default, *map(_sorted, trained))
    orders = [o for o in dict.fromkeys(usual) if o.endswith(found.page_axes) and _fits(o, shape, project)]
    if not orders and likely:
        raise Open(f"{unsaid}, and no usual order of axes fits its project; {advice}.", likely)
    if not orders:
        raise Unfit(f"{unsaid}, and no usual order of axes fits its project; {advice}.")
    if len(orders) > 1:
        said = {default: "as ilastik has it", **dict.fromkeys(trained, "as its project's training images")}
        both = " and ".join(f"{order} ({said.get(order, 'as most programs write it')})" for order in orders)
        raise Unfit(f"{unsaid}: {both} both fit and give different pixels; {advice}.")
    (letters,) = orders
    like = "the order that ilastik has" if letters == default else "as its project's training images have them"
    if by_fiji:
        like = "the order in which Fiji's HDF5 plugin stores what it calls so"
    elif found.usual:
        like = "the order in which MATLAB stores rows, columns and planes"
    sentence = (
        f"It does not say which of its dimensions ({by(shape)}) is which; they are taken for {letters}, {like}. "
        f"If that is wrong, {_SET}, or save it with axistags."
    )
    return Axes(letters, False, AxesSource.ASSUMED, (RunWarning("axes-assumed", sentence),))


def _assumed_planes(found: Dataset, project: ProjectFacts) -> Axes:
    """Take a shape for a stack if it fits no image as a whole: whether z or t counts its planes makes no difference."""
    try:
        return _assumed(found, project)
    except (Unfit, Open):
        axes = project.axes if "z" in project.axes else project.axes.replace("t", "z")
        return _assumed(found, replace(project, axes=axes, spatial_dimensions=3))


def _why_open(shape: tuple[int, ...], project: ProjectFacts) -> str:
    """Say why no order may be assumed for this shape; nothing if one may."""
    if len(shape) == 2:
        return ""
    if project.spatial_dimensions is None or project.channels is None:
        return "its project does not say what its training images were like"
    if project.spatial_dimensions == 2 and "t" in project.axes:
        return "its project was trained on time series of planes, so that time could be taken for z"
    if len(shape) == 3 and project.spatial_dimensions == 3 and min(shape[0], shape[-1]) <= _MOST_CHANNELS:
        return f"its {min(shape[0], shape[-1])} could be z slices as well as channels"
    return ""


def _without_channels(shape: tuple[int, ...], project: ProjectFacts) -> str:
    """Return the order of the training images without their one channel, for a shape that can't have channels.

    A volume is zyx, whatever the order in which the project saw time, space and channel.
    """
    fits = project.channels == 1 and len(shape) > 3 and min(shape) > _MOST_CHANNELS
    return project.axes.replace("c", "") if fits else ""


def _sorted(order: str) -> str:
    return "".join(letter for letter in axis_rules.LETTERS if letter in order)


def _likely(shape: tuple[int, ...], project: ProjectFacts, page_axes: str, *, in_columns: bool) -> str:
    """Return the order that comes to mind first among those that fit the project; "" if none does.

    `page_axes` come last. `in_columns`: as MATLAB stores it, x comes before y.
    """
    sorted_as_ilastik_does = map("".join, combinations(axis_rules.LETTERS, len(shape)))
    any_order = map("".join, permutations(axis_rules.LETTERS, len(shape)))
    orders = chain((project.axes, _DEFAULT[len(shape)]), sorted_as_ilastik_does, any_order)
    with_plane = (order for order in orders if {"x", "y"} <= set(order))
    possible = (order for order in with_plane if not in_columns or order.index("x") < order.index("y"))
    return next((order for order in possible if order.endswith(page_axes) and _fits(order, shape, project)), "")


def _fits(order: str, shape: tuple[int, ...], project: ProjectFacts) -> bool:
    """Whether an image of this shape and order has the channels and the dimensions of the training images."""
    if len(order) != len(shape):
        return False
    size = axis_rules.sizes(order, shape)
    if project.channels is not None and size["c"] != project.channels:
        return False
    return project.spatial_dimensions is None or (size["z"] == 1) == (project.spatial_dimensions == 2)


def by(shape: tuple[int, ...]) -> str:
    """Write a shape for people."""
    return " x ".join(str(n) for n in shape)
