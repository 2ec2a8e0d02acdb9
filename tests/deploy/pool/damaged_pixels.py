"""Thousands of damaged compressed images through the node's conversion; each case follows from its number.

A case is described as on the node, then copied by the program of `node/convert.py`, in a process of its own. It breaks
a rule by taking much time or memory, by ending in any way that the node has no sentence for, or by a copy that is not
what was described. Files whose description fails are the check's, which has cases of its own.

Runs above the packages of nodes, which have the decoders; `make hostile` starts it.
"""

import importlib
import io
import json
import math
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import zlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import tifffile

from batch_ops.image.dialects.tiff import MAGIC
from tests.fakes.dialects import MAKERS, SERIES, pixels_of
from tests.fakes.tiffs import KINDS
from tests.unit.inspection.mutations import MUTATIONS

MOST_CPU_SECONDS = 8.0
# What it may take beside the interpreter with its packages: see `node/convert.py`.
MOST_MB = 1_000
_SECONDS_A_PIECE = 2
_SHAPE = (9, 21, 26)
_MOST_DECLARED = 2**30
_TIFFS = ("stack of deflated pages", "imagej deflated", "ome bigtiff in tiles", "stack of pages", "colours")


@dataclass
class Report:
    """What became of the cases; CPU seconds and MB of the most expensive one."""

    outcomes: Counter[str] = field(default_factory=Counter)
    broken: list[str] = field(default_factory=list)
    sentences: dict[str, str] = field(default_factory=dict)
    most_seconds: float = 0.0
    most_mb: float = 0.0


def run_as_node(cases: int, seed: int) -> dict[str, Any]:
    """Run the cases above the packages of the node's Python that set-up has made, and return the report."""
    repository = Path(__file__).resolve().parents[3]
    packages = next((Path(sys.prefix) / "node-python").glob("lib/python3*/site-packages"))
    path = os.pathsep.join(map(str, (repository / "deploy/pool", repository, packages)))
    command = [sys.executable, "-m", "tests.deploy.pool.damaged_pixels", str(cases), str(seed)]
    environment = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
    ended = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True, timeout=7200)
    report: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
    return report


def seeds() -> list[bytes]:
    """Good files that need a copy: of each compression, of each dialect that is put together, and TIFFs."""
    hdf5plugin = _decoders()
    codecs = [
        *({**hdf5plugin.Blosc(cname=name, shuffle=shuffle)} for name in ("lz4", "zstd", "zlib") for shuffle in (1, 2)),
        *({**made} for made in (hdf5plugin.Blosc2(), hdf5plugin.Zstd(), hdf5plugin.LZ4(), hdf5plugin.BZip2())),
        *({**hdf5plugin.Bitshuffle(cname=name)} for name in ("lz4", "zstd", "none")),
    ]
    floats = [{**made} for made in (hdf5plugin.Zfp(reversible=True), hdf5plugin.SZ3(absolute=0.01), hdf5plugin.Sperr())]
    images = [_file(_one, pixels_of(*_SHAPE, dtype="u2"), how) for how in codecs]
    images += [_file(_one, pixels_of(*_SHAPE).astype("f4"), how) for how in floats]
    for dialect in SERIES:
        channels = 1 if dialect == "bigdataviewer" else 2
        images.append(_file(MAKERS[dialect], pixels_of(2, channels, *_SHAPE)))
    return [*images, *(KINDS[kind][0]() for kind in _TIFFS)]


def _decoders() -> Any:
    """Load what only the node's Python has."""
    return importlib.import_module("hdf5plugin")


def _hostile() -> list[tuple[bytes, int]]:
    """Files that are made to harm, with the seconds for a piece: a bomb has time to meet its limit of memory."""
    return [(_file(_bomb), 60), (_file(_endless), _SECONDS_A_PIECE)]


def _endless(file: h5py.File) -> None:
    """A stream that is cut off: the decoder of bzip2 waits for the rest of it for ever."""
    _one(file, pixels_of(*_SHAPE), {**_decoders().BZip2()})
    dataset = file["volume/data"].id
    _, packed = dataset.read_direct_chunk((0, 0, 0))
    dataset.write_direct_chunk((0, 0, 0), packed[: len(packed) // 2])


def _bomb(file: h5py.File) -> None:
    """A few kilobytes of pixels whose compressed bytes give gigabytes of zeros."""
    MAKERS["fiji"](file, pixels_of(2, 1, *_SHAPE))
    piece, count = 2**26, 24
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = packer.compress(bytes(piece)) + packer.flush(zlib.Z_FULL_FLUSH)
    checksum = (1 + (piece * count % 65521 << 16)).to_bytes(4, "big")
    dataset = file["t1/channel0"]
    dataset.id.write_direct_chunk((0,) * dataset.ndim, b"\x78\xda" + packed * count + b"\x03\x00" + checksum)


def _one(file: h5py.File, pixels: np.ndarray, how: dict[str, Any]) -> None:
    file.create_dataset("volume/data", data=pixels, chunks=(4, 16, 16), **how)


def _file(build: Callable[..., None], *what: object) -> bytes:
    made = io.BytesIO()
    with h5py.File(made, "w") as file:
        build(file, *what)
    return made.getvalue()


def _chunks(content: bytes) -> list[tuple[int, int]]:
    """Where the compressed pixels lie: offset and length of each chunk, strip or tile."""
    if content.startswith(MAGIC):
        with tifffile.TiffFile(io.BytesIO(content)) as tif:
            return [piece for page in tif.pages for piece in zip(page.dataoffsets, page.databytecounts, strict=True)]
    found: list[tuple[int, int]] = []

    def note(_name: str, item: object) -> None:
        if isinstance(item, h5py.Dataset) and item.chunks and item.ndim > 2:
            item.id.chunk_iter(lambda chunk: found.append((chunk.byte_offset, chunk.size)))

    with h5py.File(io.BytesIO(content), "r") as file:
        file.visititems(note)
    return found


def _damage(data: bytearray, chunks: list[tuple[int, int]], chance: random.Random) -> None:
    """Damage one chunk: its header, which says how large it is unpacked, or anything in it."""
    at, length = chance.choice(chunks)
    kind = chance.randrange(5)
    if kind == 0:
        for _ in range(chance.choice([1, 1, 2, 8])):
            data[at + chance.randrange(length)] ^= 1 << chance.randrange(8)
    elif kind == 1:
        data[at + chance.randrange(min(length, 32))] = chance.choice([0, 1, 0x7F, 0x80, 0xFF])
    elif kind == 2:
        width = chance.choice([2, 4, 8])
        number = chance.choice([0, 1, 2**15 - 1, 2**31 - 1, 2**32 - 1, 2**40, 2**62, 2**63 - 1, 2**64 - 1])
        place = at + chance.randrange(max(1, min(length - width, 24)))
        data[place : place + width] = (number % 2 ** (8 * width)).to_bytes(width, chance.choice(["big", "little"]))
    elif kind == 3:
        start = chance.randrange(length)
        data[at + start : at + length] = chance.choice([b"\0", b"\xff"]) * (length - start)
    else:
        other, size = chance.choice(chunks)
        piece = bytes(data[other : other + min(size, length)])
        data[at : at + len(piece)] = piece


def case(number: int, seed: int, images: list[bytes], chunks: list[list[tuple[int, int]]]) -> bytes:
    """The damaged file of this number; every fourth is damaged anywhere, not only in its pixels."""
    chance = random.Random(seed * 1_000_003 + number)
    which = chance.randrange(len(images))
    data = bytearray(images[which])
    if number % 4 == 3:
        chance.choice(MUTATIONS)(data, chance)
    else:
        for _ in range(chance.choice([1, 1, 2, 3])):
            _damage(data, chunks[which], chance)
    return bytes(data)


def _described(path: Path) -> dict[str, Any]:
    """What the node makes of the file, as the order for its copy without files; {} where it is refused."""
    from batch_ops.image.dialects import tiff
    from batch_ops.image.dialects.read_file import read_file
    from batch_ops.image.image_rules import DTYPES
    from batch_ops.image.readings import Dataset, image_findings
    from node.files import is_tiff, open_image
    from node.image import needs_decoders, parts_to_copy

    with open_image(path) as file:
        found = image_findings(tiff.read(file, None) if is_tiff(path) else read_file(file, None, 1_000))
        if not isinstance(found, Dataset) or found.dtype not in DTYPES or 0 in found.shape:
            return {}
        if math.prod(found.shape) * found.item_bytes > _MOST_DECLARED:
            return {}
        if is_tiff(path):
            return {"shape": found.shape, "dtype": found.dtype, "parts": [[found.path, ()]], "decoders": False}
        parts = [[part.path, part.at] for part in parts_to_copy(file, found)]
        return {"shape": found.shape, "dtype": found.dtype, "parts": parts, "decoders": needs_decoders(found)}


def _aside(work: Callable[[], int], seconds: int) -> tuple[int, str, float, float]:
    """Do it in a process of its own: how that ended (as `subprocess` says it), what it printed, CPU seconds, MB."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.dup2(write, 1)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        sys.stdout = os.fdopen(1, "w", closefd=False)
        signal.alarm(seconds)
        code = 99
        try:
            code = work()
            sys.stdout.flush()
        finally:
            os._exit(code)
    os.close(write)
    with os.fdopen(read, encoding="utf-8", errors="replace") as told:
        said = told.read()
    _, status, used = os.wait4(pid, 0)
    return os.waitstatus_to_exitcode(status), said, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def _tell(path: Path) -> int:
    try:
        print(json.dumps(_described(path)))
    except (OSError, KeyError, ValueError, TypeError, RuntimeError, AttributeError):
        print("{}")
    return 0


def _copy(order: dict[str, Any]) -> int:
    from node import convert

    sys.stdin = io.StringIO(json.dumps(order))
    return convert.main()


def run(cases: int, seed: int) -> Report:
    """Copy so many damaged files, one after the other."""
    _decoders()  # so that no case has to load them
    report, images, made = Report(), seeds(), _hostile()
    chunks = [_chunks(content) for content in images]
    with tempfile.TemporaryDirectory() as folder:
        path, target = Path(folder) / "x.h5", Path(folder) / "copy.h5"
        for number in range(cases):
            seconds = _SECONDS_A_PIECE
            if number < len(made):
                content, seconds = made[number]
            else:
                content = case(number, seed, images, chunks)
            path.write_bytes(content)
            target.unlink(missing_ok=True)
            code, said, *_ = _aside(partial(_tell, path), 10 * _SECONDS_A_PIECE)
            described = json.loads(said) if code == 0 else {}
            if not described.get("parts"):
                report.outcomes["not described" if not described else "as it is"] += 1
                continue
            order = {"source": str(path), "target": str(target), "dataset": "data", "attributes": {}, **described}
            code, said, cpu, mb = _aside(partial(_copy, {**order, "seconds": seconds}), 60)
            fault = _judge(report, code, said, cpu, mb) or _unlike(code, target, described)
            if fault:
                report.broken.append(f"case {number}: {fault}")
    return report


def _judge(report: Report, code: int, said: str, seconds: float, mb: float) -> str:
    """Count how a copy has ended; say what is wrong with that, or nothing."""
    from batch_ops.task import contract
    from node.files import Refusal
    from node.plain_copy import refuse_copy

    report.most_seconds, report.most_mb = max(report.most_seconds, seconds), max(report.most_mb, mb)
    if seconds > MOST_CPU_SECONDS or mb > MOST_MB:
        return f"{seconds:.1f} CPU seconds, {mb:.0f} MB"
    if code == 0:
        report.outcomes["copied"] += 1
        return ""
    try:
        refuse_copy("the image x.h5", code, (said.strip().splitlines() or [""])[-1])
    except Refusal as refusal:
        sentence, blamed = refusal.outcome.sentence, refusal.outcome.exit_code
    kind = signal.Signals(-code).name if code < 0 else "refused"
    report.outcomes[kind] += 1
    report.sentences.setdefault(kind, sentence)
    is_images = blamed in {contract.EXIT_BAD_IMAGE, contract.EXIT_UNREAD}
    if not is_images or not sentence.isprintable() or len(sentence) > 500:
        return f"it ended with {code}: {sentence!r}"
    return ""


def _unlike(code: int, target: Path, described: dict[str, Any]) -> str:
    """Say how a copy is not what was described."""
    if code != 0:
        return ""
    with h5py.File(target, "r") as file:
        made = file["data"]
        if list(made.shape) == list(described["shape"]) and made.dtype == described["dtype"]:
            return ""
        return f"copied {made.dtype} of {made.shape} for {described['dtype']} of {described['shape']}"


def main(arguments: list[str]) -> int:
    """Run cases, and print the report as JSON."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    cases, seed = map(int, arguments)
    report = run(cases, seed)
    print(json.dumps({**vars(report), "outcomes": dict(report.outcomes)}))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
