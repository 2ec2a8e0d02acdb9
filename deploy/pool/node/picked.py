"""The channels of an image that go into its plain copy: where they lie in the file, and where in the copy."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Optional, Tuple

from batch_ops.image.views import Part
from batch_ops.task.run_plan import ImageDescription

Array = Any  # numpy's, whose types Python 3.9 can't all write
Place = Tuple[slice, ...]


@dataclass(frozen=True)
class Picked:
    """`channels` of the file, in the order of the copy; `axis`: theirs among the dimensions of each dataset."""

    axis: int
    channels: tuple[int, ...]

    @classmethod
    def of(cls, order: dict[str, Any]) -> Optional[Picked]:
        """Read it from the order of a copy; None for a copy of all channels."""
        picked = order.get("picked")
        return None if picked is None else cls(int(picked[0]), tuple(map(int, picked[1])))

    def stored(self, shape: Sequence[int], channels: int) -> tuple[int, ...]:
        """Return the shape in the file of what has this shape in the copy."""
        return (*shape[: self.axis], channels, *shape[self.axis + 1 :])

    def moves(self, block: Place, there: Place) -> Iterator[tuple[Place, Place]]:
        """Yield where in the copy, and where in the file, each channel of a block lies.

        `there`: the block in the file, as if that had no other channels.
        """
        for place in range(len(self.channels))[block[self.axis]]:
            channel = self.channels[place]
            yield self._with(block, place), self._with(there, channel)

    def _with(self, block: Place, channel: int) -> Place:
        return (*block[: self.axis], slice(channel, channel + 1), *block[self.axis + 1 :])

    def source(self, at: tuple[int, ...]) -> tuple[int, ...]:
        """Return where in the file a plane of the copy lies."""
        if self.axis >= len(at):
            return at
        return (*at[: self.axis], self.channels[at[self.axis]], *at[self.axis + 1 :])

    def pieces(self, where: Place, values: Array, leading: int) -> Iterator[tuple[Place, Array]]:
        """Yield the wanted parts of a piece of a plane, whose dimensions come after the `leading` ones."""
        axis = self.axis - leading
        if axis < 0:
            yield where, values
            return
        # What is whole along the last dimensions does not name them.
        where = (*where, *[slice(None)] * (values.ndim - len(where)))
        first = where[axis].start or 0
        for place, channel in enumerate(self.channels):
            if first <= channel < first + values.shape[axis]:
                part = [slice(None)] * values.ndim
                part[axis] = slice(channel - first, channel - first + 1)
                yield (*where[:axis], slice(place, place + 1), *where[axis + 1 :]), values[tuple(part)]


def parts_of_channels(
    image: ImageDescription, parts: Sequence[Part]
) -> tuple[tuple[Part, ...], Optional[tuple[int, tuple[int, ...]]]]:
    """Return the datasets that hold the channels of an image, and which channels of each: (axis, channels).

    None: each dataset is of one channel, or all channels are wanted.
    """
    if not image.channels:
        return tuple(parts), None
    axis, leading = image.axes.index("c"), len(parts[0].at)
    if axis >= leading:
        return tuple(parts), (axis - leading, image.channels)
    kept = []
    for part in parts:
        if part.at[axis] in image.channels:
            place = image.channels.index(part.at[axis])
            kept.append(Part(part.path, (*part.at[:axis], place, *part.at[axis + 1 :])))
    return tuple(kept), None
