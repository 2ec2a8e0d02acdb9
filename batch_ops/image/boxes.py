"""Which part of an image is cut out to train a classifier on it: pure.

A box is written as `z=10:40,y=0:512,x=100:612,t=3`: from the first pixel to the one after the last, as in Python.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from batch_ops.image.axes import LETTERS

# Rows and columns of a crop where nobody chooses them, of a plane and of a stack; and the planes of a stack. ilastik's
# largest filter, of sigma 10, needs 36 of each.
PLANE, STACK, DEPTH = 512, 256, 48
MAX_BYTES = 128 * 2**20

Wanted = Mapping[str, "tuple[int | None, int | None]"]
Box = tuple[tuple[int, int], ...]  # first and last plus one, along each axis of the image

_RANGE = re.compile(r"([tzyxc])=(?:(\d{1,15})|(\d{0,15}):(\d{0,15}))")


class BoxError(ValueError):
    """Nothing can be cut out so; the text is the reason, as half a sentence."""


def parse_box(text: str) -> Wanted:
    """Read what somebody typed: for each axis first and last plus one, None for an end that is the image's.

    Raises `BoxError`.
    """
    wanted: dict[str, tuple[int | None, int | None]] = {}
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        found = _RANGE.fullmatch(part)
        if found is None:
            raise BoxError(f"'{part}' is no range of an axis such as z=10:40 or t=3")
        axis, one, first, last = found.groups()
        if axis in wanted:
            raise BoxError(f"'{axis}' stands there twice")
        wanted[axis] = (int(one), int(one) + 1) if one else (int(first or 0), int(last) if last else None)
    return wanted


def box_of(axes: str, shape: tuple[int, ...], training_axes: str, wanted: Wanted, dtype: str) -> Box:
    """Return the box to cut out of an image; where nothing is wanted its middle, with all of its channels.

    Axes that training images lack have one pixel. Raises `BoxError`.
    """
    for axis in sorted(set(wanted) - set(axes), key=LETTERS.index):
        if wanted[axis] not in ((0, 1), (0, None)):
            raise BoxError(f"it has no axis {axis}")
    is_stack = "z" in training_axes and dict(zip(axes, shape)).get("z", 1) > 1
    most = {"t": 1, "z": DEPTH, "y": STACK if is_stack else PLANE, "x": STACK if is_stack else PLANE}
    box = tuple(_along(axis, size, training_axes, wanted, most) for axis, size in zip(axes, shape))
    length = item_bytes(dtype)
    for first, last in box:
        length *= last - first
    if length > MAX_BYTES:
        raise BoxError(f"that box has {length / 2**20:,.0f} MB of pixels, and {MAX_BYTES // 2**20} is the most")
    return box


def item_bytes(dtype: str) -> int:
    """Return the bytes of a value of numpy's type of this name."""
    bits = re.search(r"[0-9]+$", dtype)
    return int(bits[0]) // 8 if bits else 1


def box_name(axes: str, box: Box) -> str:
    """Name a box for a file: `t3_z10-40_y0-512_x100-612_c0-2`."""
    ends = ((axis, first, f"-{last}" if last - first > 1 else "") for axis, (first, last) in zip(axes, box))
    return "_".join(f"{axis}{first}{last}" for axis, first, last in ends)


def _along(axis: str, size: int, training_axes: str, wanted: Wanted, most: Mapping[str, int]) -> tuple[int, int]:
    if axis in wanted:
        first, last = wanted[axis][0] or 0, wanted[axis][1]
        last = size if last is None else last
        if not 0 <= first < last <= size:
            raise BoxError(f"its {axis} goes from 0 to {size:,}, and has no {first:,}:{last:,}")
    else:
        length = min(size, most.get(axis, size) if axis in training_axes or axis == "c" else 1)
        first = (size - length) // 2
        last = first + length
    if last - first > 1 and axis not in training_axes:
        raise BoxError(f"the training images have no axis {axis}: choose one of it, such as {axis}={first}")
    return first, last
