"""The colours of classes: of their outlines in pictures, and of their pixels in TIFFs with a palette."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence

# Green first, then others that can be distinguished by people who see red and green alike, too.
_COLOURS = ((0, 255, 80), (255, 80, 255), (0, 190, 255), (255, 170, 0), (255, 255, 80), (255, 70, 70), (160, 130, 255))
_DARKEST = 64


def colour_of(position: int) -> tuple[int, int, int]:
    """Return red, green and blue (0 to 255) of the class at this position, from 0."""
    if position < len(_COLOURS):
        return _COLOURS[position]
    red, green, blue = colorsys.hsv_to_rgb((position * 0.618) % 1, 0.75, 1.0)
    return round(red * 255), round(green * 255), round(blue * 255)


def palette(objects: Sequence[int]) -> list[list[int]]:
    """Return the map of colours of a TIFF (red, green, blue; 256 values each, 0 to 65535); 0 is black.

    The classes that are `objects` have the colours of their outlines, the others are gray; where none is known to be
    one, each has a colour.
    """
    others = [label for label in range(1, 256) if objects and label not in objects]
    colours = {label: (_DARKEST + position * 40 % 120,) * 3 for position, label in enumerate(others)}
    colours.update({label: colour_of(position) for position, label in enumerate(objects or range(1, 256))})
    return [[colours.get(label, (0, 0, 0))[channel] * 257 for label in range(256)] for channel in range(3)]
