"""Cuts boxes of pixels out of strangers' files: by ranged reads, in a process as confined as that of the check."""

from __future__ import annotations

import asyncio
import base64
import binascii
import signal
from collections.abc import Mapping
from typing import Any, Self

import attrs

from batch_ops.domain.errors import CannotCut, CannotUnpack, ServiceFault
from batch_ops.image.boxes import MAX_BYTES, Box
from batch_ops.image.facts import CUT_LIMITS, CheckLimits
from batch_ops.image.readings import BadFindings, pixel_size, sequence
from batch_ops.image.training_file import Cut
from batch_ops.inspection.budget import BudgetedReader, BudgetSpent, OutsideBlob
from batch_ops.inspection.parser.process import ForkServer, ParserDied
from batch_ops.ports.services import RangeReader
from batch_ops.task.run_plan import ImageDescription

_CODE = "batch_ops.inspection.parser.cut:cut"
_NO_PROCESS = (
    "Nothing can be cut out of any image, as what reads pixels does not start: that is a fault of this program."
)
_TOO_SLOW = "to read its pixels takes more time than there is"
_HEAD_BYTES = 64 * 1024
_BLOCK_BYTES = 256 * 1024
# The process ends by its own timer first, unless a read hangs.
_GRACE_SECONDS = 5.0
_TIMERS = frozenset({signal.SIGPROF, signal.SIGALRM})
# Pixels come as text, a third longer, with a few words beside them.
_MOST_ANSWER = MAX_BYTES * 4 // 3 + 2**16


@attrs.define(eq=False)
class Cutter:
    """Asynchronous context manager; its process starts with the first cut."""

    _server: ForkServer = attrs.field(factory=lambda: ForkServer(_CODE), init=False)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._server.stop()

    async def cut(
        self, reader: RangeReader, image: ImageDescription, box: Box, limits: CheckLimits = CUT_LIMITS
    ) -> Cut:
        """Read the pixels of a box, at the cost of `limits` at most. Raises `CannotCut`, and what the reader raises."""
        blob = BudgetedReader(reader, limits)
        job = {
            "path": image.internal_path,
            "reader": image.reader,
            "axes": image.axes,
            "shape": list(image.shape),
            "dtype": image.dtype,
            "box": [list(ends) for ends in box],
            "size": blob.size,
            "block_bytes": _BLOCK_BYTES,
            "cpu_seconds": limits.parser_cpu_seconds,
            "wall_seconds": limits.max_seconds,
            "memory_bytes": limits.parser_memory_bytes,
        }
        try:
            async with asyncio.timeout(limits.max_seconds + _GRACE_SECONDS):
                head = await blob.fetch(0, min(_HEAD_BYTES, blob.size))
                found = await self._server.run(job, head, blob.fetch, most=_MOST_ANSWER)
            return _cut_of(found, image, box)
        except BudgetSpent as exc:
            raise CannotCut(f"its pixels lie so far apart that {exc} were not enough") from exc
        except TimeoutError as exc:
            raise CannotCut(_TOO_SLOW) from exc
        except OutsideBlob as exc:
            raise CannotCut("it is damaged") from exc
        except ParserDied as exc:
            if await self._server.failed_to_start():
                raise ServiceFault(_NO_PROCESS) from exc
            if exc.signal in _TIMERS:
                raise CannotCut(_TOO_SLOW) from exc
            raise CannotCut("what reads its pixels ended without an answer: it is damaged") from exc
        except (BadFindings, KeyError, binascii.Error) as exc:
            raise CannotCut("what reads its pixels gave no sound answer") from exc


def _cut_of(found: Mapping[str, Any], image: ImageDescription, box: Box) -> Cut:
    if found.get("finding") == "compressed":
        raise CannotUnpack(f"it is compressed with {found['detail']}, which can't be unpacked here")
    if found.get("finding") != "pixels":
        raise CannotCut(f"its pixels can't be read: {found.get('detail')}")
    shape = tuple(last - first for first, last in box)
    data = base64.b64decode(str(found["data"]), validate=True)
    sizes = image.pixel_sizes or tuple(pixel_size(*sequence(one)) for one in sequence(found["pixel_sizes"]))
    cut = Cut(data, image.dtype, shape, sizes)
    if not cut.is_whole:
        raise BadFindings("there are more or less pixels than in the box")
    return cut
