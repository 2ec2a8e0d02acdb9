"""Axes of an image: one letter per dimension, and the vigra `axistags` that ilastik reads from a dataset.

Source: vigra's AxisTags in JSON ({"axes": [{"key", "typeFlags", "resolution", "description"}, ...]}) and
what ilastik 1.4.2 does with them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

LETTERS = "tzyxc"
# vigra considers two axes equal only if their types agree too: 1 channels, 2 space, 8 time.
TYPE_FLAGS = {"t": 8, "z": 2, "y": 2, "x": 2, "c": 1}


class AxesError(ValueError):
    """These axes can't be used; the text is the reason, as the end of a sentence."""


@dataclass(frozen=True)
class Tags:
    """`letters`: the axes in order. `standard`: their types are those that ilastik itself writes."""

    letters: str
    standard: bool


def checked(letters: str, dimensions: int) -> str:
    """Return the letters if they can name the axes of an image with this many dimensions. Raises `AxesError`."""
    unknown = sorted(set(letters) - set(LETTERS))
    if unknown:
        raise AxesError(f"they name {', '.join(map(repr, unknown))}, but ilastik knows only t, z, y, x and c")
    if len(set(letters)) != len(letters):
        raise AxesError(f"'{letters}' names an axis twice")
    if len(letters) != dimensions:
        raise AxesError(f"'{letters}' names {len(letters)} axes, but the image has {dimensions} dimensions")
    if not {"x", "y"} <= set(letters):
        raise AxesError(f"'{letters}' lacks x or y, and ilastik needs both")
    return letters


def parse_tags(text: str) -> Tags | None:
    """Read an `axistags` attribute; None if it leaves an axis open ("?"), which counts as untagged.

    Raises `AxesError` if it is not what vigra writes.
    """
    try:
        document = json.loads(text)
        entries = document["axes"]
        keys = [entry["key"] for entry in entries]
        flags = [entry.get("typeFlags") for entry in entries]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as exc:
        raise AxesError("they are not the JSON that ilastik and vigra write") from exc
    if not all(isinstance(key, str) and len(key) == 1 for key in keys):
        raise AxesError("an axis in them has no one-letter name")
    if "?" in keys:
        return None
    standard = all(TYPE_FLAGS.get(key) == flag for key, flag in zip(keys, flags))
    return Tags("".join(keys), standard)


def sizes(letters: str, shape: tuple[int, ...]) -> dict[str, int]:
    """Count the pixels along each of t, z, y, x, c; 1 for an axis that the image lacks."""
    present = dict(zip(letters, shape))
    return {letter: present.get(letter, 1) for letter in LETTERS}
