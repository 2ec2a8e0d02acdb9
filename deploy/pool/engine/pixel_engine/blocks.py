"""How a volume is cut up: chunks that fit into memory, tiles that fit into the processor's cache.

A chunk's results need pixels around it (its margin); chunks overlap by that much and give the very same pixels as
one large chunk would.
"""

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass

from pixel_engine.features import Plan
from pixel_engine.native import Region

# Filters after the presmoothing reach this far: slopes 1, the smoothing of their products 2.
FILTER_MARGIN = 3
_FLOAT_BYTES = 4
# Smaller chunks (z, y, x) would be little more than margin.
_SMALLEST_CHUNK = (4, 16, 16)

Triple = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Margins:
    """Pixels needed around a result, in z, y, x: of the presmoothed images, and of the raw image."""

    filters: Triple
    raw: Triple


def margins(plan: Plan) -> Margins:
    """Return how far the features of a plan look."""
    flat = max(scale.presmooth.radius for scale in plan.scales) + FILTER_MARGIN
    deep = [scale.presmooth.radius + FILTER_MARGIN for scale in plan.scales if not scale.in_2d]
    return Margins(
        filters=(FILTER_MARGIN if deep else 0, FILTER_MARGIN, FILTER_MARGIN),
        raw=(max(deep, default=0), flat, flat),
    )


def plan_chunks(
    volume: Triple, plan: Plan, result_bytes: int, stored_bytes: int, limit: int, part: Region | None = None
) -> list[Region]:
    """Cut a volume (z, y, x), or a part of it, into as few chunks as keep the memory in use below the limit, in bytes.

    `result_bytes` and `stored_bytes` are those of a pixel of the result and of the image (all channels). Where
    even the smallest chunk takes more, it is used all the same.
    """
    around = margins(plan)
    part = part or Region((0, 0, 0), volume)
    pieces = [1, 1, 1]

    def cost(pieces: list[int]) -> float:
        core = [math.ceil(n / k) for n, k in zip(part.shape, pieces, strict=True)]
        held = [min(n, a + 2 * m) for n, a, m in zip(volume, core, around.filters, strict=True)]
        raw = [min(n, a + 2 * m) for n, a, m in zip(volume, core, around.raw, strict=True)]
        images = len(plan.scales) * plan.channels
        return (
            math.prod(raw) * (2 * stored_bytes + _FLOAT_BYTES)
            + raw[0] * held[1] * held[2] * _FLOAT_BYTES
            + math.prod(held) * images * _FLOAT_BYTES
            + math.prod(core) * 2 * result_bytes
        )

    while cost(pieces) > limit:
        finer = []
        for axis in range(3):
            if part.shape[axis] > pieces[axis] * _SMALLEST_CHUNK[axis]:
                more = list(pieces)
                more[axis] += 1
                # Compare what a chunk costs once it is small enough with how much is computed twice.
                finer.append((cost(more) * math.prod(more) ** 0.5, axis, more))
        if not finer:
            break
        pieces = min(finer)[2]
    return list(_grid(part.start, part.stop, [math.ceil(n / k) for n, k in zip(part.shape, pieces, strict=True)]))


def plan_tiles(chunk: Region, shape: Triple) -> list[Region]:
    """Cut a chunk into tiles of at most the given shape, of nearly equal widths."""
    even = [math.ceil(n / math.ceil(n / most)) for n, most in zip(chunk.shape, shape, strict=True)]
    return list(_grid(chunk.start, chunk.stop, even))


def _grid(start: Triple, stop: Triple, step: list[int]) -> Iterator[Region]:
    edges = [[(a, min(a + n, b)) for a in range(first, b, n)] for first, b, n in zip(start, stop, step, strict=True)]
    for (z0, z1), (y0, y1), (x0, x1) in itertools.product(*edges):
        yield Region((z0, y0, x0), (z1, y1, x1))
