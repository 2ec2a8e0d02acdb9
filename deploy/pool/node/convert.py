"""Writes an image as one plain dataset, as ilastik reads it; a program: the order comes as JSON by standard input.

    {"source", "target": files, "dataset": name in the target, "shape", "dtype", "parts": [[path, [index, ...]], ...],
     "attributes": {name: text}, "joined": axes of the image if the planes of all its time points become one axis,
     "picked": null, or [axis, [channel, ...]] as in `node.picked`,
     "decoders": whether more compressions than HDF5's own are needed,
     "seconds": for one piece of it, "whole", "corner": of a part, the shape of the image and where it begins there}

It is a process of its own because what decodes pixels is written in C, and what it decodes may be hostile: it has a
limit of memory, by what the image says of its own chunks, and dies of SIGALRM where one piece takes too long. Ends
with 0, or with one of the codes below and the reason as its output. Memory: a few blocks, or chunks
where those are larger.
"""

from __future__ import annotations

import importlib
import itertools
import json
import os
import resource
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Optional

from node.aside import go_first
from node.convert_tiff import convert_tiff, new_dataset
from node.files import is_disk_full, is_nodes_fault, is_tiff
from node.picked import Picked

# The image is damaged; the disk is full; a package is missing; it may be the node's fault, or the image's.
FAULT, DISK_FULL, INCOMPLETE, UNSURE = 3, 4, 5, 6
# Filters read and write whole chunks, several of which are in memory at once; a block is copied a few times.
_CHUNKS_IN_MEMORY = 8
_SPARE_BYTES = 2**29
_BLOCK_BYTES = 32 * 2**20
_CHUNK_BYTES = 8 * 2**20
_PIECE_BYTES = 2**20
_MOST_CHUNKS = 2_000_000
# Blocks may end within a chunk of the copy.
_CACHE_BYTES = 64 * 2**20


def convert(order: dict[str, Any]) -> None:
    """Write the target. Raises what h5py raises for pixels that can't be read."""
    import h5py

    from batch_ops.image.stored_values import own_dataset

    if is_tiff(Path(order["source"])):
        _convert_tiff(order)
        return
    if order["decoders"]:
        # On import it registers them; pools of before lack it.
        importlib.import_module("hdf5plugin")
    target, seconds = Path(order["target"]), int(order["seconds"])
    corner = tuple(order.get("corner") or [0 for _ in order["shape"]])
    used = _address_space()
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(seconds)
    with h5py.File(order["source"], "r") as file, h5py.File(target, "w", rdcc_nbytes=_CACHE_BYTES) as plain:
        path, leading = order["parts"][0]
        first, shape = own_dataset(file, path), tuple(order["shape"])
        stored = _chunks(first, shape[len(leading) :])
        chunks = (1,) * len(leading) + stored if _bytes(stored, first) <= _CHUNK_BYTES else True
        made = new_dataset(plain, order, chunks)
        for name, text in order["attributes"].items():
            made.attrs[name] = text
        for path, index in order["parts"]:
            at = tuple(here - first for here, first in zip(index, corner))
            if not all(0 <= here < size for here, size in zip(at, shape)):
                continue
            signal.alarm(seconds)
            source = own_dataset(file, path)
            _limit_memory(used, max(_bytes(source.chunks or (), source), _bytes(stored, first), _BLOCK_BYTES))
            _copy(source, made, at, corner[len(at) :], stored, seconds, Picked.of(order))
    signal.alarm(0)


def _convert_tiff(order: dict[str, Any]) -> None:
    seconds = int(order["seconds"])
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(seconds)
    importlib.import_module("tifffile")
    used = _address_space() + 2 * Path(order["source"]).stat().st_size  # what is mapped is no memory

    def limit(piece_bytes: int) -> None:
        signal.alarm(seconds)
        _limit_memory(used, max(piece_bytes, _BLOCK_BYTES))

    try:
        convert_tiff(order, limit)
    except (OSError, MemoryError, ImportError):
        raise
    except Exception as exc:  # tifffile and what decodes for it raise nearly every kind for damaged files
        raise ValueError(f"{type(exc).__name__}: {exc}") from exc
    signal.alarm(0)


def _address_space() -> int:
    """Return how many bytes of addresses this process has taken (Linux)."""
    return int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")


def _limit_memory(used: int, piece_bytes: int) -> None:
    """Let no damage ask for more memory than the pixels need: what fails then is decoding, with an error."""
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    wanted = used + _SPARE_BYTES + _CHUNKS_IN_MEMORY * piece_bytes
    resource.setrlimit(resource.RLIMIT_AS, (wanted if hard < 0 else min(wanted, hard), hard))


def _copy(
    source: Any,
    target: Any,
    at: tuple[int, ...],
    corner: tuple[int, ...],
    chunks: tuple[int, ...],
    seconds: int,
    picked: Optional[Picked] = None,
) -> None:
    inner = target.shape[len(at) :]
    ends = tuple(first + size for first, size in zip(corner, inner))
    ends = ends if picked is None else picked.stored(ends, max(picked.channels) + 1)
    if len(source.shape) != len(inner) or any(have < need for have, need in zip(source.shape, ends)):
        raise ValueError(f"'{source.name}' of {source.shape} does not hold the {inner} of the image")
    kinds = source.dtype.kind + target.dtype.kind
    if source.dtype.itemsize != target.dtype.itemsize or (source.dtype.kind != target.dtype.kind and kinds != "iu"):
        raise ValueError(f"'{source.name}' holds {source.dtype}, not {target.dtype}")
    native = source.dtype.newbyteorder("=")
    is_written = _written(source)
    for block in _blocks(inner, chunks, source.dtype.itemsize):
        whole = tuple(slice(part.start + first, part.stop + first) for part, first in zip(block, corner))
        for place, there in picked.moves(block, whole) if picked else [(block, whole)]:
            if not is_written(there):
                continue
            signal.alarm(seconds)
            values = source[there].astype(native, copy=False).view(target.dtype)
            # What was never written reads as zeros, and takes no room in the copy either.
            if values.any():
                target[(*at, *place)] = values


def _written(dataset: Any) -> Callable[[tuple[slice, ...]], bool]:
    """Return what says whether anything of a block may be stored: a sparse image is not read where there is nothing."""
    if dataset.fillvalue.any() or not dataset.chunks or not hasattr(dataset.id, "chunk_iter"):
        return lambda _block: True
    if dataset.id.get_num_chunks() > _MOST_CHUNKS:
        return lambda _block: True
    sizes, stored = dataset.chunks, set()
    dataset.id.chunk_iter(lambda chunk: stored.add(tuple(at // n for at, n in zip(chunk.chunk_offset, sizes))))

    def is_written(block: tuple[slice, ...]) -> bool:
        chunks = [range(part.start // n, -(-part.stop // n)) for part, n in zip(block, sizes)]
        return any(index in stored for index in itertools.product(*chunks))

    return is_written


def _blocks(shape: Sequence[int], chunks: Sequence[int], item_bytes: int) -> Iterator[tuple[slice, ...]]:
    """Cut an image into blocks of whole chunks, each chunk in one of them only."""
    steps, size = list(chunks), item_bytes
    for step in steps:
        size *= step
    for axis in reversed(range(len(shape))):
        factor = max(1, min(-(-shape[axis] // steps[axis]), _BLOCK_BYTES // max(size, 1)))
        steps[axis] *= factor
        size *= factor
    for corner in itertools.product(*(range(0, n, step) for n, step in zip(shape, steps))):
        yield tuple(slice(at, min(at + step, n)) for at, step, n in zip(corner, steps, shape))


def _chunks(dataset: Any, inner: Sequence[int]) -> tuple[int, ...]:
    """Return the chunks in which a dataset is stored, cut to the image; pieces of rows of one that has no chunks.

    Those of a virtual dataset are its sources'.
    """
    from batch_ops.image.virtual import sources_of

    stored = dataset.chunks or sources_of(dataset.id).chunks
    if len(stored) == len(inner):
        return tuple(min(chunk, size) for chunk, size in zip(stored, inner))
    room, chunks = _PIECE_BYTES // dataset.dtype.itemsize, []
    for size in reversed(inner):
        chunks.append(max(1, min(size, room)))
        room //= chunks[-1]
    return tuple(reversed(chunks))


def _bytes(chunks: Sequence[int], dataset: Any) -> int:
    size = int(dataset.dtype.itemsize)
    for chunk in chunks:
        size *= chunk
    return size


def main() -> int:
    go_first()
    try:
        convert(json.load(sys.stdin))
    except ImportError as exc:
        return _told(INCOMPLETE, str(exc))
    except MemoryError:
        return _told(UNSURE, "one piece of it needs more memory than its pixels would")
    except Exception as exc:  # whatever a damaged file leads to
        reason = f"{type(exc).__name__}: {' '.join(str(exc).split())}"
        return _told(DISK_FULL if is_disk_full(exc) else UNSURE if is_nodes_fault(exc) else FAULT, reason)
    return 0


def _told(code: int, reason: str) -> int:
    """Say it on the output: decoders write on standard error as they like."""
    signal.alarm(0)
    print(reason)
    return code


if __name__ == "__main__":
    sys.exit(main())
