"""Thousands of broken and hostile HDF5 files against the check; each case follows from its number.

A case breaks a rule by an exception, more than two seconds of a parser's computing, a sentence that is none, or a read
outside the file, or by being accepted although h5py finds other datasets than its description says. Memory is bounded
by the parser's own limit, which has a test of its own.

`make hostile` runs them by hand.
"""

import asyncio
import random
import struct
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import h5py
import numpy as np
import psutil

from batch_ops.image.facts import Accepted, CheckLimits, HasCompanion, ProjectFacts, Verdict
from batch_ops.inspection.checker import ImageChecker
from tests.fakes.dialects import MAKERS, SERIES, pixels_of
from tests.unit.inspection.accepted import fault_of_accepted
from tests.unit.inspection.conftest import PROJECT_3D, CountingReader, add_image, add_project, axistags, make_h5

MOST_SECONDS = 2.0
MOST_SENTENCE = 1_500


@dataclass
class Report:
    """What became of the cases."""

    outcomes: Counter[str] = field(default_factory=Counter)
    broken: list[str] = field(default_factory=list)
    most_reads: int = 0


def _busy(file: h5py.File) -> None:
    for i in range(40):
        file[f"g{i % 7}/vector{i}"] = np.arange(5)
    image = add_image(file, "deep/er/image", chunks=(1, 4, 5, 5, 1), compression="gzip", shuffle=True)
    for i in range(20):
        image.attrs[f"note{i}"] = "text " * i


def _linked(file: h5py.File) -> None:
    add_image(file, "a/image")
    file["soft"] = h5py.SoftLink("/a/image")
    file["far"] = h5py.ExternalLink("/etc/other.h5", "/k")
    file["a/up"] = file["/"]
    layout = h5py.VirtualLayout(shape=(4, 10), dtype="u1", maxshape=(None, 10))
    layout[0] = h5py.VirtualSource("/etc/other.h5", "k", shape=(10,))
    file.create_virtual_dataset("view", layout)
    file.create_dataset("raw", shape=(4, 41), dtype="u1", external=[("/etc/passwd", 0, 164)])


def _tagged(file: h5py.File) -> None:
    add_image(file, axes=None).attrs["axistags"] = np.bytes_(axistags("tzyxc").encode())


def _late(file: h5py.File) -> None:
    file["pixels"] = np.arange(90_000) % 251
    add_image(file)


def _of_dialect(dialect: str) -> Callable[[h5py.File], None]:
    def build(file: h5py.File) -> None:
        # Of BigDataViewer two set-ups.
        channels = 2 if dialect == "bigdataviewer" else 1
        MAKERS[dialect](file, pixels_of(2 if dialect in SERIES else 1, channels, 9, 21, 26))

    return build


def seeds() -> tuple[list[bytes], list[bytes]]:
    """Good images and good projects to break; half of the old format, whose structures carry no checksums."""
    versions = ("earliest", "v110")
    makers = (add_image, _busy, _linked, _tagged, _late, *map(_of_dialect, MAKERS))
    images = [make_h5(build, libver=v) for build in makers for v in versions]
    images.append(make_h5(userblock_size=512))
    return images, [make_h5(add_project, libver=version) for version in versions]


def _truncate(data: bytearray, chance: random.Random) -> None:
    del data[chance.randrange(len(data)) :]


def _truncate_quietly(data: bytearray, chance: random.Random) -> None:
    """Cut it off and let the superblock agree, so that the library has to notice by itself."""
    del data[chance.randrange(100, len(data)) :]
    data[40:48] = struct.pack("<Q", len(data))


def _flip(data: bytearray, chance: random.Random) -> None:
    for _ in range(chance.choice([1, 1, 2, 8, 64])):
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)


def _flip_structure(data: bytearray, chance: random.Random) -> None:
    """Bits where the structure is: where bytes are neither zero nor pixels, early in the file."""
    places = [at for at in range(8, min(len(data), 6000)) if data[at]]
    for _ in range(chance.choice([1, 1, 2, 4])):
        data[chance.choice(places)] ^= 1 << chance.randrange(8)


def _overwrite(data: bytearray, chance: random.Random) -> None:
    at = chance.randrange(8, len(data))
    length = chance.choice([1, 2, 4, 8, 8, 100, 1000])
    fill = chance.choice([b"\x00", b"\xff", b"\x7f", None])
    data[at : at + length] = fill * length if fill else chance.randbytes(length)


def _number(data: bytearray, chance: random.Random) -> None:
    """An address or a length that leads somewhere else, to itself, or to the end of the world."""
    at = chance.randrange(8, min(len(data), 8000) - 8) & ~7
    value = chance.choice(
        [0, at, at - 8, len(data), len(data) - 8, 2**31, 2**32, 2**63, 2**64 - 2, chance.randrange(len(data))]
    )
    data[at : at + 8] = struct.pack("<Q", value)


def _transplant(data: bytearray, chance: random.Random) -> None:
    """A piece of the file over another piece: wrong structures with right signatures."""
    length = chance.choice([16, 64, 256, 544])
    source, target = (chance.randrange(8, max(9, len(data) - length)) & ~7 for _ in range(2))
    data[target : target + length] = data[source : source + length]


def _flip_checked(data: bytearray, chance: random.Random) -> None:
    """Bits in an object header of the newer format, with the checksum made right again, as an attacker would."""
    headers = [at for at in range(len(data) - 16) if data[at : at + 4] == b"OHDR"]
    if not headers:
        return _flip_structure(data, chance)
    start = chance.choice(headers)
    flags = data[start + 5]
    at = start + 6 + (16 if flags & 0x20 else 0) + (4 if flags & 0x10 else 0)
    width = 1 << (flags & 3)
    body = at + width
    end = body + int.from_bytes(data[at:body], "little")
    if not body < end <= len(data) - 4:
        return None
    for _ in range(chance.choice([1, 1, 2, 4])):
        data[chance.randrange(body, end)] = chance.choice([0, 1, 0x7F, 0xFF, chance.randrange(256)])
    data[end : end + 4] = struct.pack("<I", lookup3(bytes(data[start:end])))
    return None


def lookup3(key: bytes) -> int:
    """Bob Jenkins' hash in HDF5's form (initial value 0): the checksum of its newer metadata."""
    mask = 0xFFFFFFFF

    def rot(value: int, count: int) -> int:
        return ((value << count) | (value >> (32 - count))) & mask

    a = b = c = (0xDEADBEEF + len(key)) & mask
    last = max(0, (len(key) - 1) // 12)
    padded = key.ljust((last + 1) * 12, b"\x00")
    for block in range(last + 1):
        x, y, z = struct.unpack_from("<III", padded, block * 12)
        a, b, c = (a + x) & mask, (b + y) & mask, (c + z) & mask
        if block < last:
            for count in (4, 6, 8, 16, 19, 4):
                a, c = ((a - c) & mask) ^ rot(c, count), (c + b) & mask
                a, b, c = b, c, a
    for count in (14, 11, 25, 16, 4, 14, 24):
        c = ((c ^ b) - rot(b, count)) & mask
        a, b, c = b, c, a
    return b


MUTATIONS: list[Callable[[bytearray, random.Random], None]] = [
    _truncate,
    _truncate_quietly,
    _flip,
    _flip_structure,
    _flip_structure,
    _flip_structure,
    _flip_checked,
    _flip_checked,
    _overwrite,
    _number,
    _number,
    _transplant,
]


def is_project(number: int) -> bool:
    """Every fourth case is read as a project."""
    return number % 4 == 3


def case(number: int, seed: int, images: list[bytes], projects: list[bytes]) -> bytes:
    """The broken file of this number."""
    chance = random.Random(seed * 1_000_003 + number)
    data = bytearray(chance.choice(projects if is_project(number) else images))
    for _ in range(chance.choice([1, 1, 1, 2, 3])):
        if len(data) > 200:
            chance.choice(MUTATIONS)(data, chance)
    return bytes(data)


async def run(cases: int, seed: int) -> Report:
    """Check so many broken files, one after the other, as image and as project in turn."""
    report = Report()
    images, projects = seeds()
    async with ImageChecker(parsers=1) as checker:
        for number in range(cases):
            content = case(number, seed, images, projects)
            reader = CountingReader(content)
            before = _computed(checker)
            try:
                verdict = await _look(checker, reader, number)
            except Exception as exc:
                report.broken.append(f"case {number}: {type(exc).__name__}: {exc}")
                continue
            seconds = _computed(checker) - before
            report.outcomes[type(verdict).__name__] += 1
            for image in verdict.images if isinstance(verdict, Accepted) else ():
                if fault := fault_of_accepted(content, image):
                    report.broken.append(f"case {number}: accepted, but {fault}")
            report.most_reads = max(report.most_reads, len(reader.reads))
            if seconds > MOST_SECONDS:
                report.broken.append(f"case {number}: {seconds:.1f} s of computing")
            sentence = getattr(verdict, "sentence", "x.")
            if not (sentence.isprintable() and sentence.endswith(".") and len(sentence) < MOST_SENTENCE):
                report.broken.append(f"case {number}: no sentence: {sentence!r}")
    return report


async def _look(checker: ImageChecker, reader: CountingReader, number: int) -> Verdict | HasCompanion | ProjectFacts:
    if is_project(number):
        return await checker.inspect_project("p.ilp", reader, CheckLimits())
    return await checker.check_image("x.h5", reader, PROJECT_3D)


def _computed(checker: ImageChecker) -> float:
    """CPU seconds of all parsers so far."""
    total = 0.0
    for pid in checker.pids:
        times = psutil.Process(pid).cpu_times()
        total += times.children_user + times.children_system
    return total


def main(arguments: list[str]) -> int:
    """Run cases by hand, and print what became of them."""
    cases, seed = (*map(int, arguments), 1)[:2]
    report = asyncio.run(run(cases, seed))
    print(f"{cases} cases, seed {seed}: {dict(report.outcomes)}, at most {report.most_reads} reads")
    print("\n".join(report.broken) or "None broke a rule.")
    return 1 if report.broken else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
