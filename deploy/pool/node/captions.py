"""What a picture says of itself in words, and the contrast that it is drawn with."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import Any

import numpy as np

from batch_ops.task.objects import CountedClass
from batch_ops.task.pictures import MAX_CHANNELS, Contrast
from node.colours import colour_of
from node.render import CHANNEL_NAMES, Line

PERCENTILES = (1.0, 99.8)
_MOST_CLASSES = 12
_MOST_CHARS = 40
# Letters of Latin that have no plain one below their marks, and the micro sign, which would become a Greek one.
_SPELLED = str.maketrans(
    {"ß": "ss", "æ": "ae", "Æ": "AE", "ø": "o", "Ø": "O", "œ": "oe", "Œ": "OE", "ł": "l", "Ł": "L", "đ": "d", "Đ": "D"}
    | {"þ": "th", "Þ": "Th", "ð": "d", "ı": "i", "µ": "u", "μ": "u"}
)

Array = Any  # numpy's, whose types Python 3.9 can't all write


def contrast_of(samples: Array, dtype: str) -> Contrast:
    """Return the contrast of values (pixels, channels): their PERCENTILES, so that few lie outside."""
    low, high = np.percentile(samples, PERCENTILES, axis=0)
    return Contrast(dtype, tuple((float(a), float(b) if b > a else float(a) + 1) for a, b in zip(low, high)))


def contrast_and_why(own: Contrast, of_folder: Contrast | None) -> tuple[Contrast, list[Line]]:
    """Return the contrast to draw with: the folder's, if it is of such values; and say so."""
    reset = "To choose it anew: files contrast FOLDER --reset."
    if of_folder is None:
        why = "of this image, as its folder had none yet"
    elif (of_folder.dtype, len(of_folder.limits)) == (own.dtype, len(own.limits)):
        return of_folder, [Line(f"Contrast {_limits(of_folder)}: that of its folder. {reset}")]
    else:
        why = f"of this image, as that of its folder is of {len(of_folder.limits)} x {of_folder.dtype}"
    return own, [Line(f"Contrast {_limits(own)}: percentiles {PERCENTILES[0]:g} and {PERCENTILES[1]:g} {why}.")]


def _limits(contrast: Contrast) -> str:
    return "; ".join(f"{low:.4g} to {high:.4g}" for low, high in contrast.limits)


def channels(count: int) -> list[Line]:
    """Say which channel has which colour, where there are several."""
    if count == 1:
        return []
    named = ", ".join(f"{index} {name}" for index, name in enumerate(CHANNEL_NAMES[:count]))
    more = f"; {count - MAX_CHANNELS} more are not shown" if count > MAX_CHANNELS else ""
    return [Line(f"Channels: {named}{more}.")]


def legend(classes: Sequence[CountedClass]) -> list[Line]:
    """Name the classes in the colours of their outlines, or say why there are none."""
    if not classes:
        return [Line("No outlines: nobody has said which classes are objects (objects.classes in the configuration).")]
    lines = [Line(_named(one), colour_of(position)) for position, one in enumerate(classes[:_MOST_CLASSES])]
    if len(classes) > _MOST_CLASSES:
        lines.append(Line(f"and {len(classes) - _MOST_CLASSES} classes more"))
    return lines


def _named(one: CountedClass) -> str:
    """Return the name of a class as far as the font has its letters: those of Latin by their plain ones."""
    plain = unicodedata.normalize("NFKD", one.name.translate(_SPELLED)[:_MOST_CHARS])
    name = "".join(char for char in plain if not unicodedata.combining(char))
    drawn = "".join(char if char.isascii() and char.isprintable() else "?" for char in name)
    if not any(char.isalnum() for char in drawn):
        return f"class {one.label}{' (its name has other letters than this font)' if one.name.strip() else ''}"
    return f"class {one.label}: {drawn}"
