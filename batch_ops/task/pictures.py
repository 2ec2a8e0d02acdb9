"""The pictures of a run: their names, and the contrast that they are drawn with.

Pure and stdlib only, for Python 3.9 and newer: this module travels to the node (see contract.py).
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from typing import Any

FOLDER = "pictures"
PREVIEW = f"{FOLDER}/preview.png"
OVERLAY = f"{FOLDER}/overlay.png"
SMALL = f"{FOLDER}/small.png"
MAX_CHANNELS = 7  # as many as have a usual colour


class PicturesError(ValueError):
    """This is not what the app asks a node to draw."""


@dataclass(frozen=True)
class Contrast:
    """Of each channel, the value that is drawn black and the one that is as bright as can be; of values of `dtype`.

    It has the first MAX_CHANNELS channels of an image.
    """

    dtype: str
    limits: tuple[tuple[float, float], ...]

    def __post_init__(self) -> None:
        numbers = [number for pair in self.limits for number in pair]
        if not (self.dtype and 1 <= len(self.limits) <= MAX_CHANNELS and all(map(math.isfinite, numbers))):
            raise PicturesError("A contrast needs finite limits for each channel that is drawn.")
        if not all(low < high for low, high in self.limits):
            raise PicturesError("A contrast needs a lower and a higher limit.")

    @classmethod
    def read(cls, value: Any) -> Contrast:
        """Read what `asdict` makes of it, of this version or a later one that adds to it. Raises `PicturesError`."""
        try:
            limits = tuple((float(low), float(high)) for low, high in value["limits"])
            return cls(str(value["dtype"]), limits)
        except (ValueError, KeyError, TypeError, OverflowError) as exc:
            raise PicturesError(f"The contrast can't be read: {type(exc).__name__}: {exc}.") from exc


@dataclass(frozen=True)
class PicturesWanted:
    """That pictures are wanted, and the contrast of the image's folder; None where it has none yet."""

    contrast: Contrast | None = None

    def to_json(self) -> str:
        """Write it for a task."""
        return json.dumps(asdict(self), separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> PicturesWanted | None:
        """Read what `to_json` wrote, of this version or a later one that adds to it; None for "": none are wanted.

        Raises `PicturesError`.
        """
        if not text:
            return None
        try:
            contrast = json.loads(text)["contrast"]
        except (ValueError, KeyError, TypeError, RecursionError) as exc:
            raise PicturesError(f"What to draw can't be read: {type(exc).__name__}: {exc}.") from exc
        return cls(None if contrast is None else Contrast.read(contrast))
