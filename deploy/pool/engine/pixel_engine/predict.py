"""Segmentation or probabilities of one image, chunk by chunk."""

import itertools
import math
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Lock

import numpy as np

from pixel_engine import native
from pixel_engine.blocks import margins, plan_chunks
from pixel_engine.command import Source
from pixel_engine.engine import Engine
from pixel_engine.features import Plan
from pixel_engine.forest import Classifier
from pixel_engine.inputs import Reader
from pixel_engine.native import Region
from pixel_engine.settings import Settings
from pixel_engine.tables import make_tables

# Squares and products of larger values may overflow, and features then are not numbers.
_SAFE = 1e9


@dataclass(frozen=True, slots=True)
class Block:
    """A finished part: `data` (t, z, y, x, c) begins at `corner`."""

    corner: dict[str, int]
    data: np.ndarray


def predict(
    reader: Reader,
    size: dict[str, int],
    plan: Plan,
    classifier: Classifier,
    classes: int,
    source: Source,
    settings: Settings,
    progress: Callable[[float], None],
) -> Iterator[Block]:
    """Yield the blocks of the result: labels (uint8, c = 1) or probabilities (float32, c = classes).

    `progress` gets the share of the work that is done, often, from any thread.

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

    counter = _Counter(size["t"] * math.prod(volume), progress)

    def fetch(place: tuple[int, Region]) -> np.ndarray:
        t, chunk = place
        held = chunk.grown(around, volume)
        z, y, x = (slice(a, b) for a, b in zip(held.start, held.stop, strict=True))
        raw: np.ndarray = reader.read({"t": slice(t, t + 1), "z": z, "y": y, "x": x})[0]
        return raw

    with (
        Engine(native.load(settings.level), plan, tables, volume, settings.threads, on_tile=counter.add) as engine,
        ThreadPoolExecutor(1, thread_name_prefix="reader") as reading,
    ):
        compute = engine.segment if source is Source.SEGMENTATION else engine.probabilities
        coming = reading.submit(fetch, places[0])
        for number, (t, chunk) in enumerate(places):
            raw = np.moveaxis(coming.result(), -1, 0)
            if number + 1 < len(places):
                coming = reading.submit(fetch, places[number + 1])
            # A value that is not a number makes both comparisons false.
            check = risky and not (raw.min() > -_SAFE and raw.max() < _SAFE)
            data = compute(raw, chunk.grown(around, volume), chunk, check)
            yield Block({"t": t, **dict(zip("zyx", chunk.start, strict=True))}, data[None])


class _Counter:
    """Adds up what threads have done."""

    def __init__(self, total: int, progress: Callable[[float], None]) -> None:
        self._total, self._done, self._progress = total, 0, progress
        self._lock = Lock()

    def add(self, voxels: int) -> None:
        with self._lock:
            self._done += voxels
            self._progress(self._done / self._total)
