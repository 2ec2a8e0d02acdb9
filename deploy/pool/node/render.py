"""Draws what was read of an image: gray or coloured by channels, outlines over it, and words about it below."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from batch_ops.task.pictures import Contrast
from node.panels import GAP, Layout

SMALL_SIDE = 320
FONT_SIZE = 13
_LINE = 17
_NARROWEST = 320  # room for words
# Of channels, in the order that Fiji and most others give them: red, green, blue, gray, cyan, magenta, yellow.
_CHANNELS = ((255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255), (0, 255, 255), (255, 0, 255), (255, 255, 0))
_CHANNEL_NAMES = ("red", "green", "blue", "gray", "cyan", "magenta", "yellow")
# Of classes: green first, then others that are told apart by people who see red and green alike, too.
_OUTLINES = ((0, 255, 80), (255, 80, 255), (0, 190, 255), (255, 170, 0), (255, 255, 80), (255, 70, 70), (160, 130, 255))

Array = Any  # numpy's, whose types Python 3.9 can't all write


@dataclass(frozen=True)
class Panel:
    """A part of a picture: pixels (y, x, c) as in the image, the class of each outline (y, x) or 0, and its title."""

    pixels: Array
    outlines: Array
    title: str


@dataclass(frozen=True)
class Line:
    """A line of words below a picture."""

    words: str
    colour: tuple[int, int, int] = (255, 255, 255)


def colour_of(position: int) -> tuple[int, int, int]:
    """Return the colour of outlines of the class at this position of those that are outlined, from 0."""
    if position < len(_OUTLINES):
        return _OUTLINES[position]
    red, green, blue = colorsys.hsv_to_rgb((position * 0.618) % 1, 0.75, 1.0)
    return round(red * 255), round(green * 255), round(blue * 255)


def channel_colours(channels: int) -> str:
    """Name the colours of several channels, as a sentence's part."""
    return ", ".join(f"{index} {name}" for index, name in enumerate(_CHANNEL_NAMES[:channels]))


def draw(
    panels: Sequence[Panel], grid: Layout, contrast: Contrast, colours: dict[int, Any], lines: Sequence[Line]
) -> Any:
    """Draw a picture; with `colours`, of the classes by their values, their outlines, too."""
    height, width = (max(panel.pixels.shape[axis] for panel in panels) for axis in (0, 1))
    across = grid.columns * (width + GAP) - GAP
    down = grid.rows * (height + GAP) - GAP
    font = ImageFont.load_default(size=FONT_SIZE)
    words = wrapped(lines, max(across, _NARROWEST) - 8, font)
    canvas = Image.new("RGB", (max(across, _NARROWEST), down + _LINE * len(words) + (6 if words else 0)), (0, 0, 0))
    text = ImageDraw.Draw(canvas)
    for index, panel in enumerate(panels):
        place = (index % grid.columns * (width + GAP), index // grid.columns * (height + GAP))
        canvas.paste(Image.fromarray(coloured(panel, contrast, colours)), place)
        if panel.title:
            box = text.textbbox((place[0] + 3, place[1] + 2), panel.title, font=font)
            text.rectangle((place[0], place[1], box[2] + 3, box[3] + 3), fill=(0, 0, 0))
            text.text((place[0] + 3, place[1] + 2), panel.title, fill=(255, 255, 255), font=font)
    for index, line in enumerate(words):
        text.text((4, down + 4 + index * _LINE), line.words, fill=line.colour, font=font)
    return canvas


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
    picture.save(path, format="PNG", optimize=True)


def small(panel: Panel, contrast: Contrast, colours: dict[int, Any]) -> Any:
    """Draw a panel for lists, at most SMALL_SIDE on its long side."""
    picture = Image.fromarray(coloured(panel, contrast, colours))
    picture.thumbnail((SMALL_SIDE, SMALL_SIDE), Image.Resampling.BOX)
    return picture
