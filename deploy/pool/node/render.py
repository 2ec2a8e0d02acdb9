"""Draws what was read of an image: gray or coloured by channels, outlines over it, and words about it below."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from batch_ops.task.pictures import Contrast
from node.panels import GAP
from node.scene import Panel, Scene

SMALL_SIDE = 320
_FONT_SIZE = 13
_LINE = 17
_MARGIN = 6
_WHITE = (255, 255, 255)
_NARROWEST = 320  # room for words
# Of channels, in the order that Fiji and most others give them: red, green, blue, gray, cyan, magenta, yellow.
_CHANNELS = ((255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255), (0, 255, 255), (255, 0, 255), (255, 255, 0))
CHANNEL_NAMES = ("red", "green", "blue", "gray", "cyan", "magenta", "yellow")

Array = Any  # numpy's, whose types Python 3.9 can't all write


@dataclass(frozen=True)
class Line:
    """A line of words below a picture."""

    words: str
    colour: tuple[int, int, int] = (255, 255, 255)


def draw(scene: Scene, contrast: Contrast, colours: dict[int, Any], lines: Sequence[Line]) -> Any:
    """Draw a picture; with `colours`, of the classes by their values, their outlines, too."""
    height, width = (max(panel.pixels.shape[axis] for panel in scene.panels) for axis in (0, 1))
    across = scene.grid.columns * (width + GAP) - GAP
    down = scene.grid.rows * (height + GAP) - GAP
    font = ImageFont.load_default(size=_FONT_SIZE)
    words = wrapped(lines, max(across, _NARROWEST) - 8, font)
    canvas = Image.new("RGB", (max(across, _NARROWEST), down + _LINE * len(words) + _MARGIN))
    text = ImageDraw.Draw(canvas)
    for index, panel in enumerate(scene.panels):
        left, top = index % scene.grid.columns * (width + GAP), index // scene.grid.columns * (height + GAP)
        canvas.paste(Image.fromarray(coloured(panel, contrast, colours)), (left, top))
        for number, box in enumerate(panel.boxes, 1):
            corner, end = (
                (left + box.column, top + box.row),
                (left + box.column + box.columns, top + box.row + box.rows),
            )
            text.rectangle((*corner, *end), outline=_WHITE)
            _say(text, (corner[0], end[1]), str(number), font)
        _say(text, (left, top), panel.title, font)
    for index, line in enumerate(words):
        text.text((4, down + 4 + index * _LINE), line.words, fill=line.colour, font=font)
    return canvas


def _say(text: Any, place: tuple[int, int], words: str, font: Any) -> None:
    """Write a few words on black, from this place to the right and down."""
    if words:
        box = text.textbbox((place[0] + 3, place[1] + 2), words, font=font)
        text.rectangle((*place, box[2] + 3, box[3] + 3), fill=(0, 0, 0))
        text.text((place[0] + 3, place[1] + 2), words, fill=_WHITE, font=font)


def coloured(panel: Panel, contrast: Contrast, colours: dict[int, Any]) -> Array:
    """Return a panel's pixels as red, green, blue (y, x, 3)."""
    limits = np.array(contrast.limits, np.float32)
    shown = np.clip((panel.pixels - limits[:, 0]) / (limits[:, 1] - limits[:, 0]), 0, 1)
    if shown.shape[2] == 1:
        mixed = np.repeat(shown * 255, 3, axis=2)
    else:
        mixed = np.clip(shown @ np.array(_CHANNELS[: shown.shape[2]], np.float32), 0, 255)
    picture = np.rint(mixed).astype(np.uint8)
    for label, colour in colours.items():
        picture[panel.outlines == label] = colour
    return picture


def wrapped(lines: Sequence[Line], width: int, font: Any) -> list[Line]:
    """Break lines of words that are wider than the picture."""
    broken = []
    for line in lines:
        part = ""
        for word in line.words.split():
            longer = f"{part} {word}".strip()
            if part and font.getlength(longer) > width:
                broken.append(Line(part, line.colour))
                part = word
            else:
                part = longer
        broken.append(Line(part, line.colour))
    return broken


def save(picture: Any, path: Path) -> None:
    """Write a PNG; one without colours as gray."""
    values = np.asarray(picture)
    if (values == values[..., :1]).all():
        picture = picture.convert("L")
    picture.save(path, format="PNG", compress_level=3)


def small(scene: Scene, contrast: Contrast, colours: dict[int, Any]) -> Any:
    """Draw the chief part of a picture for lists, at most SMALL_SIDE on its long side."""
    picture = Image.fromarray(coloured(scene.panels[scene.chief], contrast, colours))
    picture.thumbnail((SMALL_SIDE, SMALL_SIDE), Image.Resampling.BOX)
    return picture
