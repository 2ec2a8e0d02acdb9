"""Segmentation or probabilities of one image, block by block."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from local_cloud.ilastik import plain
from local_cloud.ilastik.command import Source
from local_cloud.ilastik.features import Plan
from local_cloud.ilastik.forest import Classifier
from local_cloud.ilastik.inputs import Reader
from local_cloud.ilastik.settings import Settings


@dataclass(frozen=True, slots=True)
class Block:
    """A finished part: `data` (t, z, y, x, c) begins at `corner`; `done` is the share of the whole so far."""

    corner: dict[str, int]
    data: np.ndarray
    done: float


def predict(
    reader: Reader,
    size: dict[str, int],
    plan: Plan,
    classifier: Classifier,
    classes: int,
    source: Source,
    settings: Settings,
) -> Iterator[Block]:
    """Yield the blocks of the result: labels (uint8, c = 1) or probabilities (float32, c = classes)."""
    for t in range(size["t"]):
        frame = reader.read({"t": slice(t, t + 1)})[0]
        chances = plain.probabilities(plain.features(frame, plan), classifier, classes)
        if source is Source.SEGMENTATION:
            data = (chances.argmax(axis=-1) + 1).astype(np.uint8)[None, ..., None]
        else:
            data = chances[None]
        yield Block({"t": t}, data, (t + 1) / size["t"])
