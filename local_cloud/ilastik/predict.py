"""Segmentation or probabilities of one image, chunk by chunk."""

import itertools
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from local_cloud.ilastik.blocks import margins, plan_chunks
from local_cloud.ilastik.command import Source
from local_cloud.ilastik.engine import Engine
from local_cloud.ilastik.features import Plan
from local_cloud.ilastik.forest import Classifier
from local_cloud.ilastik.inputs import Reader
from local_cloud.ilastik.native import Region
from local_cloud.ilastik.settings import Settings
from local_cloud.ilastik.tables import make_tables

# Squares and products of larger values may overflow, and features then are not numbers.
_SAFE = 1e9


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
    """Yield the blocks of the result: labels (uint8, c = 1) or probabilities (float32, c = classes).

    How the volume is cut up and how many threads work never changes a pixel.
    """
    volume = (size["z"], size["y"], size["x"])
    result_bytes = 1 if source is Source.SEGMENTATION else 4 * classes
    stored_bytes = reader.dtype.itemsize * size["c"]
    chunks = plan_chunks(volume, plan, result_bytes, stored_bytes, settings.work_bytes)
    places = list(itertools.product(range(size["t"]), chunks))
    around = margins(plan).raw
    risky = reader.dtype.kind == "f" or reader.dtype.itemsize > 2
    tables = make_tables(classifier, classes, all_columns=risky)

    def fetch(place: tuple[int, Region]) -> np.ndarray:
        t, chunk = place
        held = chunk.grown(around, volume)
        z, y, x = (slice(a, b) for a, b in zip(held.start, held.stop, strict=True))
        raw: np.ndarray = reader.read({"t": slice(t, t + 1), "z": z, "y": y, "x": x})[0]
        return raw

    with (
        Engine(plan, tables, volume, settings.threads) as engine,
        ThreadPoolExecutor(1, thread_name_prefix="reader") as reading,
    ):
        coming = reading.submit(fetch, places[0])
        for number, (t, chunk) in enumerate(places):
            raw = np.ascontiguousarray(np.moveaxis(coming.result(), -1, 0), np.float32)
            if number + 1 < len(places):
                coming = reading.submit(fetch, places[number + 1])
            held = chunk.grown(around, volume)
            check = risky and not bool((np.abs(raw) < _SAFE).all())
            compute = engine.segment if source is Source.SEGMENTATION else engine.probabilities
            corner = {"t": t, **dict(zip("zyx", chunk.start, strict=True))}
            yield Block(corner, compute(raw, held, chunk, check)[None], (number + 1) / len(places))
