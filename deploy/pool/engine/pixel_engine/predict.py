"""Segmentation or probabilities of one image, chunk by chunk."""

import itertools
from collections.abc import Callable, Iterator, Mapping
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


@dataclass(frozen=True, slots=True)
class Work:
    """What is computed, by what, and with how much of this machine; `classes` of the project."""

    plan: Plan
    classifier: Classifier
    classes: int
    source: Source
    settings: Settings


def predict(
    reader: Reader,
    size: dict[str, int],
    work: Work,
    wanted: Mapping[str, tuple[int, int]],
    progress: Callable[[float], None],
) -> Iterator[Block]:
    """Yield the blocks of the result: labels (uint8, c = 1), probabilities (float32, c = classes), or the uncertainty
    (float32, c = 1).

    Of an image of this `size` only the part that is `wanted`, (first, last) by axis, is computed, from what around it
    the features look at. `progress` gets the share of the work that is done, often, from any thread.

    How the volume is cut up and how many threads work never changes a pixel.
    """
    plan, source, settings = work.plan, work.source, work.settings
    volume = (size["z"], size["y"], size["x"])
    times, (z0, z1), (y0, y1), (x0, x1) = (wanted.get(axis, (0, size[axis])) for axis in "tzyx")
    part = Region((z0, y0, x0), (z1, y1, x1))
    result_bytes = 1 if source is Source.SEGMENTATION else 4 * work.classes
    stored_bytes = reader.dtype.itemsize * size["c"]
    chunks = plan_chunks(volume, plan, result_bytes, stored_bytes, settings.work_bytes, part)
    places = list(itertools.product(range(*times), chunks))
    around = margins(plan).raw
    risky = reader.dtype.kind == "f" or reader.dtype.itemsize > 2
    tables = make_tables(work.classifier, work.classes, all_columns=risky)

    counter = _Counter((times[1] - times[0]) * part.voxels, progress)

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
            if source is Source.UNCERTAINTY:
                data = uncertainty(data)
            yield Block({"t": t, **dict(zip("zyx", chunk.start, strict=True))}, data[None])


def uncertainty(probabilities: np.ndarray) -> np.ndarray:
    """Return ilastik's estimate (float32, c = 1): 1 less what the first class is ahead of the second; 0 of one."""
    if probabilities.shape[-1] < 2:
        return np.zeros_like(probabilities)
    ordered = np.partition(probabilities, (-2, -1), axis=-1)
    estimate: np.ndarray = np.float32(1) - (ordered[..., -1:] - ordered[..., -2:-1])
    return estimate


class _Counter:
    """Adds up what threads have done."""

    def __init__(self, total: int, progress: Callable[[float], None]) -> None:
        self._total, self._done, self._progress = total, 0, progress
        self._lock = Lock()

    def add(self, voxels: int) -> None:
        with self._lock:
            self._done += voxels
            self._progress(self._done / self._total)
