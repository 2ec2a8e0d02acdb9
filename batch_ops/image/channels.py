"""Which channels of an image are segmented, where the configuration of its project chooses some. Pure.

By number, from 0 as the file has them, or by name where the file names them. In the order in which they are chosen: it
is that of the training images.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Union

from batch_ops.image.readings import Dataset
from batch_ops.image.sentences import NAME_LENGTH, Unfit
from batch_ops.task.plain_text import plain
from batch_ops.task.run_plan import RunWarning
from batch_ops.task.warning_kinds import CHANNELS_CHOSEN

_SHOWN = 12
_MOST_CHOSEN, _MOST_CHANNELS = 64, 10_000
_LONGEST_NAME = 200


@dataclass(frozen=True)
class ChannelChoice:
    """`shape` of what is segmented; `numbers` of its channels in the file, () where it is the image as a whole."""

    shape: tuple[int, ...]
    numbers: tuple[int, ...] = ()
    warnings: tuple[RunWarning, ...] = ()


def wanted_channels(value: object) -> tuple[Union[int, str], ...]:
    """Read what a configuration says. Raises ValueError with what it should be."""
    if value is None:
        return ()
    if not isinstance(value, list) or not 1 <= len(value) <= _MOST_CHOSEN or not all(map(_is_channel, value)):
        raise ValueError("a list of numbers, from 0, or of names")
    if len(set(value)) < len(value):
        raise ValueError("a list in which none comes twice")
    return tuple(value)


def channels_to_json(channels: Sequence[Union[int, str]]) -> str:
    """Write them for the node; "" for all."""
    return json.dumps(channels) if channels else ""


def channels_from_json(text: str) -> tuple[Union[int, str], ...]:
    """Read what `channels_to_json` wrote. Raises ValueError."""
    return wanted_channels(json.loads(text)) if text else ()


def _is_channel(value: object) -> bool:
    if isinstance(value, str):
        return 0 < len(value) <= _LONGEST_NAME and value.isprintable()
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _MOST_CHANNELS


def choose_channels(letters: str, found: Dataset, wanted: Sequence[Union[int, str]]) -> ChannelChoice:
    """Find the wanted channels in an image of these axes; () wants all. Raises `Unfit`."""
    if not wanted:
        return ChannelChoice(found.shape)
    count = found.shape[letters.index("c")] if "c" in letters else 1
    names = found.channel_names if len(found.channel_names) == count else ()
    numbers = tuple(_number(one, count, names) for one in wanted)
    if len(set(numbers)) < len(numbers):
        raise Unfit("has a channel that the configuration of its project chooses twice; have the operator correct it.")
    if numbers == tuple(range(count)):
        return ChannelChoice(found.shape)
    sentence = (
        f"Of its {count} channels ({_listed(range(count), names)}) {_listed(numbers, names)} "
        f"{'is' if len(numbers) == 1 else 'are'} segmented, as the configuration of its project says."
    )
    warning = RunWarning(CHANNELS_CHOSEN, sentence)
    return ChannelChoice(shape_with(letters, found.shape, numbers), numbers, (warning,))


def shape_with(letters: str, shape: Sequence[int], numbers: Sequence[int]) -> tuple[int, ...]:
    """Return the shape of these channels of an image; () chooses none, and the image is there as a whole.

    Raises ValueError for an image that does not have them.
    """
    if not numbers:
        return tuple(shape)
    axis = letters.index("c")
    if len(shape) != len(letters) or max(numbers) >= shape[axis]:
        raise ValueError(f"an image of {tuple(shape)} does not have the channels {tuple(numbers)}")
    return (*shape[:axis], len(numbers), *shape[axis + 1 :])


def _number(wanted: Union[int, str], count: int, names: Sequence[str]) -> int:
    if isinstance(wanted, int):
        if wanted < count:
            return wanted
    elif (named := names.count(wanted)) == 1:
        return list(names).index(wanted)
    elif named:
        raise Unfit(
            f"has {named} channels called '{plain(wanted, NAME_LENGTH)}', which its project's configuration chooses; "
            "have the operator give its number (from 0)."
        )
    what = f"channel {wanted}" if isinstance(wanted, int) else f"channel '{plain(wanted, NAME_LENGTH)}'"
    has = f"its channels are {_listed(range(count), names)}" if names else f"it has {count}, from 0, without names"
    raise Unfit(
        f"has no {what}, which its project's configuration chooses: {has}. Upload an image that has it, or have the "
        "operator correct the configuration."
    )


def _listed(numbers: Sequence[int], names: Sequence[str]) -> str:
    """0 (DAPI), 2 (GFP)."""
    shown = [f"{one} ({plain(names[one], 40)})" if names else str(one) for one in numbers[:_SHOWN]]
    return ", ".join(shown) + (", ..." if len(numbers) > _SHOWN else "")
