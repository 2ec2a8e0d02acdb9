"""Features and decisions for one chunk of a volume, by the compiled kernel on several threads.

A chunk is presmoothed as a whole, scale by scale. Then each thread takes tile after tile: it computes the features
of the tile as ranks and asks the forests at once, while all of that is in the processor's cache.
"""

import ctypes
import math
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from queue import SimpleQueue

import numpy as np

from pixel_engine import native
from pixel_engine.blocks import margins, plan_tiles
from pixel_engine.features import Column, Feature, Plan
from pixel_engine.native import PACKET, Region
from pixel_engine.tables import Tables

# Tiles of this many slices, rows and columns: what they need at a time stays in the second-level cache.
TILE = (64, 16, 320)

# The order of the results in the kernel, see `enum result`.
_RESULTS = {
    Feature.SMOOTHING: 0,
    Feature.LAPLACIAN: 1,
    Feature.GRADIENT: 2,
    Feature.DIFFERENCE: 3,
    Feature.STRUCTURE: 4,
    Feature.HESSIAN: 7,
}


@dataclass(frozen=True, slots=True)
class _Workspace:
    """Buffers of one thread."""

    filters: np.ndarray
    ranks: np.ndarray
    high_ranks: np.ndarray
    bad: np.ndarray
    forest: np.ndarray
    result: np.ndarray


@dataclass(frozen=True, slots=True)
class _Chunk:
    """The chunk being worked on: presmoothed images cover `held`, results `region`."""

    jobs: ctypes.Array[native.ScaleJobStruct]
    held: Region
    region: Region
    check: bool
    out: np.ndarray


@dataclass(slots=True)
class Engine:
    """Computes chunks of volumes of one size (z, y, x) with one classifier. Use as a context manager.

    `library` is the compiled kernel; `on_tile` gets the number of voxels of each finished tile, from any thread.
    """

    library: native.Library
    plan: Plan
    tables: Tables
    volume: tuple[int, int, int]
    threads: int
    tile: tuple[int, int, int] = TILE
    on_tile: Callable[[int], None] = lambda _: None
    _pool: ThreadPoolExecutor = field(init=False)
    _spaces: "SimpleQueue[_Workspace]" = field(init=False)
    _buffers: dict[object, np.ndarray] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self._pool = ThreadPoolExecutor(self.threads, thread_name_prefix="pixels")
        self._spaces = SimpleQueue()
        for _ in range(self.threads):
            self._spaces.put(self._workspace())

    def __enter__(self) -> "Engine":
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    def segment(self, raw: np.ndarray, held: Region, chunk: Region, check: bool) -> np.ndarray:
        """Return the labels (uint8, z, y, x, 1) of a chunk.

        `raw` (c, z, y, x), of any type, covers the region `held`, which has the margin that the features need;
        `check` looks out for features that are not numbers.
        """
        return self._run(raw, held, chunk, check, np.empty((*chunk.shape, 1), np.uint8))

    def probabilities(self, raw: np.ndarray, held: Region, chunk: Region, check: bool) -> np.ndarray:
        """Return the probabilities (float32, z, y, x, c) of a chunk; see `segment`."""
        channels = self.tables.struct.channels
        return self._run(raw, held, chunk, check, np.empty((*chunk.shape, channels), np.float32))

    def _run(self, raw: np.ndarray, held: Region, chunk: Region, check: bool, out: np.ndarray) -> np.ndarray:
        smoothed = chunk.grown(margins(self.plan).filters, self.volume)
        images = []
        for channel in range(len(raw)):
            image = self._buffer("raw", held.shape)
            np.copyto(image, raw[channel], casting="unsafe")
            images.append([self._presmooth(image, channel, held, smoothed, s) for s in range(len(self.plan.scales))])
        work = _Chunk(jobs=self._jobs(images), held=smoothed, region=chunk, check=check, out=out)
        self._wait(self._pool.submit(self._tile, work, tile) for tile in plan_tiles(chunk, self.tile))
        return out

    def _presmooth(self, image: np.ndarray, channel: int, held: Region, region: Region, index: int) -> np.ndarray:
        """Smooth one channel, which covers `held`, for one scale; the result covers `region`."""
        scale = self.plan.scales[index]
        kernel = native.kernel_struct(scale.presmooth)
        radius = scale.presmooth.radius
        depth = 0 if scale.in_2d else radius
        out = self._buffer((channel, index), region.shape)
        planes = region.grown((depth, 0, 0), self.volume)
        flat = self._buffer("flat", planes.shape) if depth else out
        size = native.ExtentStruct(*self.volume)

        def smooth_planes(z0: int, z1: int) -> None:
            height, width = region.shape[1] + 2 * radius + 1, region.shape[2] + 2 * native.MAX_RADIUS + 72
            work = np.empty(height * width + width, np.float32)
            self.library.presmooth_planes(
                *(native.address(image), native.box_struct(held), native.address(flat), native.box_struct(planes)),
                *(size, kernel, native.address(work), z0, z1),
            )

        def smooth_depth(y0: int, y1: int) -> None:
            self.library.presmooth_depth(
                *(native.address(flat), native.box_struct(planes), native.address(out), native.box_struct(region)),
                *(size, kernel, y0, y1),
            )

        self._wait(self._pool.submit(smooth_planes, a, b) for a, b in self._shares(planes.start[0], planes.stop[0]))
        if depth:
            self._wait(self._pool.submit(smooth_depth, a, b) for a, b in self._shares(region.start[1], region.stop[1]))
        return out

    def _buffer(self, name: object, shape: tuple[int, ...]) -> np.ndarray:
        """Return memory for an image; the same again for the same name and shape, or less of it."""
        buffer = self._buffers.get(name)
        if buffer is None or buffer.size < math.prod(shape):
            buffer = self._buffers[name] = np.empty(math.prod(shape), np.float32)
        return buffer[: math.prod(shape)].reshape(shape)

    def _shares(self, start: int, stop: int) -> list[tuple[int, int]]:
        """Cut a range into a few shares for each thread."""
        step = max(1, (stop - start) // (4 * self.threads))
        return [(a, min(a + step, stop)) for a in range(start, stop, step)]

    def _jobs(self, images: list[list[np.ndarray]]) -> ctypes.Array[native.ScaleJobStruct]:
        slots = {self.plan.columns[column]: slot for slot, column in enumerate(self.tables.columns)}
        pairs = [(c, s) for c in range(len(images)) for s in range(len(self.plan.scales))]
        jobs = (native.ScaleJobStruct * len(pairs))()
        for job, (c, s) in zip(jobs, pairs, strict=True):
            scale = self.plan.scales[s]
            job.image = native.address(images[c][s])
            job.in_2d = scale.in_2d
            for feature, first in _RESULTS.items():
                for component in range(3 if feature in (Feature.STRUCTURE, Feature.HESSIAN) else 1):
                    job.want[first + component] = slots.get(Column(feature, s, c, component), -1)
            for name in ("smooth", "first", "second", "narrow", "inner_smooth", "inner_first"):
                setattr(job, name, native.kernel_struct(getattr(scale, name)))
        return jobs

    def _tile(self, chunk: _Chunk, tile: Region) -> None:
        space = self._spaces.get()
        try:
            if chunk.check:
                space.bad[: tile.voxels] = 0
            sink = native.SinkStruct(
                ranks=native.address(space.ranks),
                high_ranks=native.address(space.high_ranks),
                bad=native.address(space.bad) if chunk.check else None,
                voxels=tile.voxels,
                thresholds=native.address(self.tables.thresholds),
                first=native.address(self.tables.first),
                count=native.address(self.tables.count),
            )
            self.library.tile_features(
                *(chunk.jobs, len(chunk.jobs), native.box_struct(chunk.held), native.box_struct(tile)),
                *(native.ExtentStruct(*self.volume), native.address(space.filters), sink),
            )
            work, out = native.address(space.forest), chunk.out
            result = space.result[: tile.voxels * out.shape[-1] * out.itemsize].view(out.dtype)
            if out.dtype == np.uint8:
                self.library.segment(self.tables.struct, sink, self.tables.quick, work, native.address(result))
            else:
                self.library.probabilities(self.tables.struct, sink, work, native.address(result))
            starts = chunk.region.start
            where = tuple(slice(a - s, b - s) for a, b, s in zip(tile.start, tile.stop, starts, strict=True))
            out[where] = result.reshape(*tile.shape, out.shape[-1])
        finally:
            self._spaces.put(space)
        self.on_tile(tile.voxels)

    def _workspace(self) -> _Workspace:
        height, width = self.tile[1:]
        voxels = self.tile[0] * height * width
        slots = len(self.tables.columns)
        wide = int(self.tables.count.max()) > np.iinfo(np.uint8).max
        result = max(1, 4 * self.tables.struct.channels)
        return _Workspace(
            filters=np.zeros(self.library.tile_floats(height, width), np.float32),
            ranks=np.zeros(slots * voxels + PACKET, np.uint8),
            high_ranks=np.zeros(slots * voxels + PACKET if wide else 1, np.uint8),
            bad=np.zeros(voxels, np.uint8),
            forest=np.zeros(self.library.forest_bytes(self.tables.struct), np.uint8),
            result=np.empty(voxels * result, np.uint8),
        )

    @staticmethod
    def _wait(futures: Iterable["Future[None]"]) -> None:
        for future in list(futures):
            future.result()
