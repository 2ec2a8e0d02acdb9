"""The pixel features of ilastik: which filters run at which scales, and in which order their results stand.

A feature at scale s is a filter of width min(s, 1) on an image that was smoothed before, once per scale. The
formulas are those of ilastik's "presmoothed" features as computed by fastfilters (window ratios 3.5 and 2).
"""

import math
from dataclasses import dataclass
from enum import StrEnum

from pixel_engine.errors import InputError, NotSupportedError, TooSmallError
from pixel_engine.kernels import Kernel, gaussian

_PRESMOOTH_RATIO = 3.5
_FILTER_RATIO = 2.0
_SMALLEST_SCALE = 0.3
_LARGEST_SCALE = 10.0


class Feature(StrEnum):
    """The six features, by the names that projects store."""

    SMOOTHING = "GaussianSmoothing"
    LAPLACIAN = "LaplacianOfGaussian"
    GRADIENT = "GaussianGradientMagnitude"
    DIFFERENCE = "DifferenceOfGaussians"
    STRUCTURE = "StructureTensorEigenvalues"
    HESSIAN = "HessianOfGaussianEigenvalues"


_WITH_EIGENVALUES = (Feature.STRUCTURE, Feature.HESSIAN)


@dataclass(frozen=True, slots=True)
class Selection:
    """The table in which a user ticks features: `chosen[feature][scale]`.

    `in_2d[scale]` makes the filters of a scale work on slices; None in projects older than that choice.
    """

    features: tuple[Feature, ...]
    scales: tuple[float, ...]
    chosen: tuple[tuple[bool, ...], ...]
    in_2d: tuple[bool, ...] | None


@dataclass(frozen=True, slots=True)
class Scale:
    """One scale in use: its kernels, all in pixels of the stored grid.

    `presmooth` runs first. `smooth`, `first` and `second` are derivatives of order 0, 1, 2 of width min(s, 1);
    `narrow` is the subtrahend of the difference of Gaussians. The structure tensor takes derivatives with
    `inner_smooth` and `inner_first` (half as wide) and smooths their products with `smooth`.
    """

    sigma: float
    in_2d: bool
    presmooth: Kernel
    smooth: Kernel
    first: Kernel
    second: Kernel
    narrow: Kernel
    inner_smooth: Kernel
    inner_first: Kernel


@dataclass(frozen=True, slots=True)
class Column:
    """One feature column: of input channel `channel`, eigenvalue number `component` (largest first)."""

    feature: Feature
    scale: int
    channel: int
    component: int


@dataclass(frozen=True, slots=True)
class Plan:
    """All columns in the order of the forests' columns; `Column.scale` indexes `scales`."""

    scales: tuple[Scale, ...]
    columns: tuple[Column, ...]
    channels: int


def plan_features(selection: Selection, size: dict[str, int], training_depth: int | None) -> Plan:
    """Lay out the features for an image of the given size (axes `tzyxc`, pixels).

    `training_depth` is the number of z slices of the training image: in projects that do not say whether to
    filter in 2D, ilastik decides by it. Raises TooSmallError where a dimension is shorter than
    ceil(3.5 scale) + 1, z only for scales in 3D.
    """
    _check_scales(selection)
    depth = size["z"] if training_depth is None else training_depth
    in_2d = selection.in_2d or (depth == 1,) * len(selection.scales)
    used = [j for j in range(len(selection.scales)) if any(row[j] for row in selection.chosen)]
    _check_size(selection, used, in_2d, size)
    columns = [
        Column(feature, used.index(j), channel, component)
        for feature, row in zip(selection.features, selection.chosen, strict=True)
        for j in used
        if row[j]
        for channel in range(size["c"])
        for component in range(_components(feature, in_2d[j], size))
    ]
    scales = tuple(_scale(selection.scales[j], in_2d[j]) for j in used)
    return Plan(scales=scales, columns=tuple(columns), channels=size["c"])


def check_columns(plan: Plan, expected: int, path: object) -> None:
    """Raise InputError where the classifier was trained on another number of features."""
    if len(plan.columns) != expected:
        raise InputError(
            f"'{path}' with {plan.channels} channel(s) gives {len(plan.columns)} features, but the classifier was "
            f"trained on {expected}: the image must have as many channels as the training images."
        )


def _check_scales(selection: Selection) -> None:
    """Refuse scales that ilastik does not offer: the kernel's buffers are made for these."""
    wrong = [scale for scale in selection.scales if not _SMALLEST_SCALE <= scale <= _LARGEST_SCALE]
    if wrong:
        raise NotSupportedError(
            f"The project uses the feature scales {', '.join(f'{s:g}' for s in wrong)}; scales from "
            f"{_SMALLEST_SCALE:g} to {_LARGEST_SCALE:g} are supported."
        )


def _components(feature: Feature, in_2d: bool, size: dict[str, int]) -> int:
    if feature not in _WITH_EIGENVALUES:
        return 1
    return 2 if in_2d else 3


def _check_size(selection: Selection, used: list[int], in_2d: tuple[bool, ...], size: dict[str, int]) -> None:
    def too_large(j: int) -> bool:
        needed = math.ceil(selection.scales[j] * _PRESMOOTH_RATIO) + 1
        return needed > size["x"] or needed > size["y"] or (needed > size["z"] and not in_2d[j])

    wrong = [selection.scales[j] for j in used if too_large(j)]
    if wrong:
        largest = math.ceil(max(wrong) * _PRESMOOTH_RATIO) + 1
        raise TooSmallError(
            f"The image is too small for the feature scales {', '.join(f'{s:g}' for s in wrong)}: scale "
            f"{max(wrong):g} needs at least {largest} pixels in every filtered direction, the image has "
            f"z={size['z']}, y={size['y']}, x={size['x']}. Reduce, remove or switch these scales to 2D in the "
            "project, or use another image."
        )


def _scale(scale: float, in_2d: bool) -> Scale:
    before = math.sqrt(scale**2 - 1.0) if scale > 1.0 else scale
    sigma = min(scale, 1.0)
    return Scale(
        sigma=scale,
        in_2d=in_2d,
        presmooth=gaussian(0, before, _PRESMOOTH_RATIO),
        smooth=gaussian(0, sigma, _FILTER_RATIO),
        first=gaussian(1, sigma, _FILTER_RATIO),
        second=gaussian(2, sigma, _FILTER_RATIO),
        narrow=gaussian(0, sigma * 0.66, _FILTER_RATIO),
        inner_smooth=gaussian(0, sigma * 0.5, _FILTER_RATIO),
        inner_first=gaussian(1, sigma * 0.5, _FILTER_RATIO),
    )
