"""Why a result that ran may be wrong: what was seen of an image is compared with what its project was trained on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from batch_ops.task import warning_kinds as kinds
from batch_ops.task.run_plan import RunWarning
from node.seen import ChannelSeen

# So many thresholds tell where a classifier's intensities lie.
_FEWEST_THRESHOLDS = 5
# How much darker than the least threshold, or brighter than the greatest, an image must be. An empty image of the same
# camera is darker than most thresholds, but not by such a factor.
_DARKER, _BRIGHTER, _FAR_BRIGHTER = 3, 4, 8
_MOST_SATURATED = 0.01
_MOST_OF_ONE_CLASS = 0.995
_OTHER_SIZE = 0.2

Array = Any  # numpy's, whose types Python 3.9 can't all write


def of_intensities(seen: Sequence[ChannelSeen | None], thresholds: Sequence[Array], dtype: str) -> Iterator[RunWarning]:
    """Warn of channels whose intensities lie far outside of the range in which the classifier's thresholds lie."""
    for number, (channel, of_channel) in enumerate(zip(seen, thresholds)):
        if channel is None or len(of_channel) < _FEWEST_THRESHOLDS:
            continue
        least, greatest = map(float, np.percentile(of_channel, (5, 95)))
        if not (why := _why_far(channel, least, greatest, dtype)):
            continue
        yield RunWarning(
            kinds.INTENSITY_RANGE,
            f"Its intensities{_of_channel(number, len(seen))} lie far from those that its classifier tells apart: "
            f"98 % of its pixels have {channel.low:.4g} to {channel.high:.4g} (median {channel.median:.4g}), the "
            f"classifier divides at {least:.4g} to {greatest:.4g}, so that {why}. Is it of another bit depth, "
            "exposure or contrast than the training images?",
        )


def _why_far(channel: ChannelSeen, least: float, greatest: float, dtype: str) -> str:
    kind = np.dtype(dtype)
    if kind.kind in "iu" and greatest > np.iinfo(kind).max:
        return f"no image of {kind.name} reaches all of these thresholds"
    if 0 <= channel.high < least / _DARKER:
        return "it is too dark for them"
    if greatest > 0 and (channel.median > _BRIGHTER * greatest or channel.high > _FAR_BRIGHTER * greatest):
        return "it is too bright for them"
    return ""


def of_saturation(seen: Sequence[ChannelSeen | None]) -> Iterator[RunWarning]:
    """Warn of channels with many pixels at the greatest value that can be: what was brighter is lost."""
    for number, channel in enumerate(seen):
        if channel and channel.full_scale and channel.share_of_greatest > _MOST_SATURATED:
            yield RunWarning(
                kinds.SATURATION,
                f"{channel.share_of_greatest:.1%} of its pixels{_of_channel(number, len(seen))} have the greatest "
                f"value ({channel.greatest:g}): it was exposed too long, or its contrast was stretched.",
            )


def of_pixel_size(sizes: Mapping[str, float], trained: Mapping[str, Sequence[float]]) -> Iterator[RunWarning]:
    """Warn of pixels that differ in size from those of all training images; both by axis, in micrometres."""
    odd = [
        f"{size:.4g} um along {axis} (training: {min(trained[axis]):.4g}{_to(trained[axis])})"
        for axis, size in sizes.items()
        if trained.get(axis)
        and not min(trained[axis]) * (1 - _OTHER_SIZE) <= size <= max(trained[axis]) * (1 + _OTHER_SIZE)
    ]
    if odd:
        yield RunWarning(
            kinds.PIXEL_SIZE,
            f"The size of its pixels is more than {_OTHER_SIZE:.0%} off that of the training images: "
            f"{', '.join(odd)}. Features have scales in pixels, so that its structures look larger or smaller.",
        )


def of_classes(pixels: Sequence[int]) -> Iterator[RunWarning]:
    """Warn of one class that has nearly all pixels; `pixels`: of each class, 1 first."""
    total, most = sum(pixels), max(pixels, default=0)
    # All of them are a warning of their own.
    if total and _MOST_OF_ONE_CLASS * total < most < total:
        label = list(pixels).index(most) + 1
        yield RunWarning(
            kinds.DOMINANT_CLASS,
            f"{most / total:.2%} of its pixels are of class {label}: look whether the others were found.",
        )


def _of_channel(number: int, channels: int) -> str:
    return f" in channel {number}" if channels > 1 else ""


def _to(sizes: Sequence[float]) -> str:
    return f" to {max(sizes):.4g}" if max(sizes) > min(sizes) else ""
