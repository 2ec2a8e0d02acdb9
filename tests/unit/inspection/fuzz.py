"""Thousands of broken and hostile HDF5 files and TIFFs against the check; each case follows from its number.

A case breaks a rule by an exception, more than two seconds of a parser's computing, a sentence that is none, or a read
outside the file, or by being accepted although h5py finds other datasets than its description says. Memory is bounded
by the parser's own limit, which has a test of its own.

`make hostile` runs them by hand, and damaged pixels through the node's conversion.
"""

import asyncio
import random
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import h5py
import numpy as np
import psutil

from batch_ops.image.facts import Accepted, CheckLimits, HasCompanion, ProjectFacts, Verdict
from batch_ops.inspection.checker import ImageChecker
from tests.deploy.pool.damaged_pixels import run_as_node
from tests.fakes.dialects import MAKERS, SERIES, pixels_of
from tests.fakes.tiffs import KINDS
from tests.unit.inspection.accepted import fault_of_accepted
from tests.unit.inspection.conftest import PROJECT_3D, CountingReader, add_image, add_project, axistags, make_h5
from tests.unit.inspection.mutations import MUTATIONS

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


def seeds(*, tiffs_only: bool = False) -> tuple[list[bytes], list[bytes]]:
    """Good images and good projects to break; half of the old format, whose structures carry no checksums.

    `tiffs_only`: no projects then, either.
    """
    tiffs = [write() for write, _, _ in KINDS.values()]
    if tiffs_only:
        return tiffs, []
    versions = ("earliest", "v110")
    makers = (add_image, _busy, _linked, _tagged, _late, *map(_of_dialect, MAKERS))
    images = [make_h5(build, libver=v) for build in makers for v in versions]
    images.append(make_h5(userblock_size=512))
    images += tiffs
    return images, [make_h5(add_project, libver=version) for version in versions]


def is_project(number: int, projects: list[bytes]) -> bool:
    """Every fourth case is read as a project, if there are any."""
    return bool(projects) and number % 4 == 3


def case(number: int, seed: int, images: list[bytes], projects: list[bytes]) -> bytes:
    """The broken file of this number."""
    chance = random.Random(seed * 1_000_003 + number)
    data = bytearray(chance.choice(projects if is_project(number, projects) else images))
    for _ in range(chance.choice([1, 1, 1, 2, 3])):
        if len(data) > 200:
            chance.choice(MUTATIONS)(data, chance)
    return bytes(data)


async def run(cases: int, seed: int, *, tiffs_only: bool = False) -> Report:
    """Check so many broken files, one after the other, as image and as project in turn."""
    report = Report()
    images, projects = seeds(tiffs_only=tiffs_only)
    async with ImageChecker(parsers=1) as checker:
        for number in range(cases):
            content = case(number, seed, images, projects)
            reader = CountingReader(content)
            before = _computed(checker)
            try:
                verdict = await _look(checker, reader, as_project=is_project(number, projects))
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


async def _look(
    checker: ImageChecker, reader: CountingReader, *, as_project: bool
) -> Verdict | HasCompanion | ProjectFacts:
    if as_project:
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
    """Run cases by hand, a fifth of them through the node's conversion, and print what became of them.

    With a third argument, `tiff`, all are TIFFs, and none is converted.
    """
    cases, seed = (*map(int, arguments[:2]), 1)[:2]
    tiffs_only = arguments[2:] == ["tiff"]
    pixels = 0 if tiffs_only else cases // 5
    report = asyncio.run(run(cases - pixels, seed, tiffs_only=tiffs_only))
    print(
        f"{cases - pixels} files, seed {seed}: {dict(report.outcomes)}, at most {report.most_reads} reads", flush=True
    )
    copied = run_as_node(pixels, seed)
    most = f"at most {copied['most_seconds']:.1f} CPU seconds and {copied['most_mb']:.0f} MB"
    print(f"{pixels} copies of damaged pixels: {copied['outcomes']}, {most}")
    broken = [*report.broken, *copied["broken"]]
    print("\n".join(broken) or "None broke a rule.")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
