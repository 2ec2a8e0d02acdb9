"""Which parts of an image are computed by both, ilastik and the engine: pure, so that nothing is left to chance.

Standard library only, for Python 3.9 and newer (see contract.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil, prod

# Together the probes have at least so many voxels, or are the whole image.
LEAST_VOXELS = 2_000_000
# An image of up to so many is one probe: cutting it up would save nothing.
WHOLE_VOXELS = 4_000_000
# Sides of a probe, z y x: long enough for every filter, and for two tiles of the engine along y and x.
_DEEP, _FLAT = (40, 64, 384), (1, 256, 512)
_SPACE = "zyx"


@dataclass(frozen=True)
class Probe:
    """A part of the image: first and last index (exclusive) along t, z, y and x. All channels belong to it."""

    start: tuple[int, int, int, int]
    stop: tuple[int, int, int, int]

    @property
    def voxels(self) -> int:
        return prod(stop - start for start, stop in zip(self.start, self.stop))

    def holds(self, place: Sequence[int]) -> bool:
        """Return whether a voxel (t, z, y, x) lies in it."""
        return all(start <= at < stop for start, at, stop in zip(self.start, place, self.stop))


def probes(size: Mapping[str, int], seen: Sequence[Sequence[int]] = ()) -> tuple[Probe, ...]:
    """Choose the probes of an image. `size` by axis; `seen`: voxels (t, z, y, x) that must be in one, such as the
    faintest and the brightest.

    All of a small image. Else the places in `seen`, the middle, every corner with both ends of z, then places spread
    over the image until there are enough voxels; they take the time points in turn, evenly spread if there are more
    time points than probes.
    """
    shape = {axis: int(size.get(axis, 1)) for axis in "tzyx"}
    whole = Probe((0, 0, 0, 0), (shape["t"], shape["z"], shape["y"], shape["x"]))
    if whole.voxels <= WHOLE_VOXELS:
        return (whole,)
    sides = tuple(min(side, shape[axis]) for axis, side in zip(_SPACE, _DEEP if shape["z"] > 1 else _FLAT))
    room = tuple(shape[axis] - side for axis, side in zip(_SPACE, sides))
    corners = [(z, y, x) for z in (0.0, 1.0) for y in (0.0, 1.0) for x in (0.0, 1.0)]
    count = max(len(corners) + 1, ceil(LEAST_VOXELS / prod(sides)))
    # Corners of a flat image coincide: the number is made up by spread places.
    wanted = max(count, min(shape["t"], 3 * count))
    first, *others, last = corners
    places = [first, (0.5, 0.5, 0.5), *others, *(_spread(number) for number in range(wanted))]
    far = _placed(last, room)
    spread = [start for start in dict.fromkeys(_placed(place, room) for place in places) if start != far]
    spread = [*spread[: wanted - 1], far]
    chosen = [_around(place, sides, shape) for place in seen]
    for number, start in enumerate(spread):
        t = number * shape["t"] // len(spread) if shape["t"] > len(spread) else number % shape["t"]
        # The first corner of the first time point and the last one of the last are among them.
        t = shape["t"] - 1 if start == far else t
        chosen.append(_probe(t, start, sides))
    return tuple(dict.fromkeys(chosen))


def _placed(place: Sequence[float], room: Sequence[int]) -> tuple[int, ...]:
    return tuple(round(share * free) for share, free in zip(place, room))


def _around(place: Sequence[int], sides: Sequence[int], shape: Mapping[str, int]) -> Probe:
    t, *at = place
    centred = (max(0, min(mid - side // 2, shape[axis] - side)) for mid, side, axis in zip(at, sides, _SPACE))
    return _probe(t, tuple(centred), sides)


def _probe(t: int, start: Sequence[int], sides: Sequence[int]) -> Probe:
    z, y, x = start
    depth, height, width = sides
    return Probe((t, z, y, x), (t + 1, z + depth, y + height, x + width))


def _spread(number: int) -> tuple[float, float, float]:
    """Return the shares of a place; those of ascending numbers fill the cube evenly (Halton's sequence)."""
    return (_radical(number + 1, 2), _radical(number + 1, 3), _radical(number + 1, 5))


def _radical(number: int, base: int) -> float:
    share, result = 1.0, 0.0
    while number:
        share /= base
        number, digit = divmod(number, base)
        result += digit * share
    return result
