"""What the check reads of files of each dialect, what the version before said of them, and how fast the node copies."""

import asyncio
import json
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np

from batch_ops.image.facts import Accepted, ProjectFacts
from batch_ops.inspection.checker import ImageChecker
from tests.acceptance.test_dialects import compressed, content, dialects
from tests.bench.node_program import PYTHON, run_on_node
from tests.bench.report import Report
from tests.compatibility.stored import APP
from tests.deploy.pool.task.test_plain_copy import KINDS
from tests.fakes.dialects import MAKERS, NO_CHANNELS, SERIES, pixels_of
from tests.unit.inspection.conftest import PROJECT_3D, CountingReader, add_image

# Given the app of before, names the files of a folder that its check accepts.
_BEFORE = """
import asyncio, json, sys
from pathlib import Path
from batch_ops.facts import Accepted, ProjectFacts
from batch_ops.hdf5_check import Hdf5Checker
class Reader:
    def __init__(self, data): self.data, self.size = data, len(data)
    async def read(self, offset, length): return self.data[offset : offset + length]
async def main():
    async with Hdf5Checker(parsers=1) as checker:
        for name, facts in json.load(sys.stdin).items():
            verdict = await checker.check_image("x.h5", Reader(Path(name).read_bytes()), ProjectFacts.from_json(facts))
            if isinstance(verdict, Accepted): print(name)
if __name__ == "__main__":
    asyncio.run(main())
"""
_COMPRESS = """
import sys, h5py, hdf5plugin
with h5py.File(sys.argv[1], "r+") as file:
    pixels = file["t00000/s00/0/cells"][()]
    del file["t00000"]
    file.create_dataset("t00000/s00/0/cells", data=pixels, chunks=(16, 64, 64), **hdf5plugin.Blosc())
"""


def measure_dialects(report: Report) -> None:
    """Check files of all dialects, small and large, by today's check and by that of before; then copy."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        asyncio.run(_checked(report, Path(folder)))
        _compare(report, Path(folder))
        _copied(report, Path(folder))


async def _verdicts(files: dict[str, tuple[bytes, ProjectFacts]]) -> dict[str, tuple[bool, CountingReader]]:
    found = {}
    async with ImageChecker(parsers=1) as checker:
        for name, (data, project) in files.items():
            reader = CountingReader(data)
            verdict = await checker.check_image("x.h5", reader, project)
            found[name] = isinstance(verdict, Accepted), reader
    return found


async def _checked(report: Report, folder: Path) -> None:
    files = {}
    for dialect, maker in MAKERS.items():
        times, channels = (3, 1 if dialect in NO_CHANNELS else 2) if dialect in SERIES else (1, 1)
        pixels = pixels_of(times, channels, 40, 150, 138, dtype="u2" if dialect == "bigdataviewer" else "u1")
        files[dialect] = content(maker, pixels), _trained(channels)
    whole = pixels_of(1, 1, 40, 150, 138)
    files |= {kind: (compressed(folder, kind, whole), _trained(1)) for kind in KINDS}
    lines = []
    for name, (accepted, reader) in (await _verdicts(files)).items():
        read = sum(length for _, length in reader.reads)
        lines.append((name, "yes" if accepted else "no", len(reader.reads), f"{read:,}", f"{reader.size / 1e6:.1f}"))
    report.table(("dialect", "accepted", "calls", "bytes read", "of MB"), lines)


def _trained(channels: int) -> ProjectFacts:
    return replace(PROJECT_3D, channels=channels, columns=None)


def _compare(report: Report, folder: Path) -> None:
    files = {name: (data, _trained(pixels.shape[1])) for name, (data, pixels) in dialects().items()}
    own = pixels_of(1, 1, 9, 21, 26)
    files |= {kind: (compressed(folder, kind, own), _trained(1)) for kind in KINDS}
    files |= {name: (content(build), _trained(1)) for name, build in UNUSUAL.items()}
    paths = {}
    for name, (data, project) in files.items():
        path = folder / f"{_stem(name)}.h5"
        path.write_bytes(data)
        known = json.loads(project.to_json())
        paths[str(path)] = json.dumps({key: value for key, value in known.items() if key != "export"})
    zipfile.ZipFile(APP).extractall(folder / "app")
    script = folder / "app/before.py"
    script.write_text(_BEFORE)
    ended = subprocess.run(
        [sys.executable, script], input=json.dumps(paths), capture_output=True, text=True, check=True, cwd=script.parent
    )
    before = {Path(name).stem for name in ended.stdout.splitlines()}
    now = {_stem(name) for name, (accepted, _) in asyncio.run(_verdicts(files)).items() if accepted}
    neither = {_stem(name) for name in files} - now - before
    report.say(
        f"Of {len(files)} small files - dialects, others' writers, orders of axes, links, masks, pyramids - "
        f"commit 1179139 refused {len(now - before)} that are accepted now, and accepted {len(before - now)} that are "
        f"not. Neither accepts: {', '.join(sorted(neither)) or 'none'}."
    )


def _stem(name: str) -> str:
    return name.replace("/", " ")


def _dataset(path: str, *shape: int, **attributes: object) -> Callable[[h5py.File], None]:
    def build(file: h5py.File) -> None:
        file.create_dataset(path, data=np.zeros(shape, "u1")).attrs.update(attributes)

    return build


_SIZES = {"t": 3, "z": 12, "y": 20, "x": 22, "c": 1}


def _tagged(axes: str) -> Callable[[h5py.File], object]:
    return lambda file: add_image(file, "d", tuple(_SIZES[axis] for axis in axes), axes)


def _linked(file: h5py.File) -> None:
    add_image(file, "raw")
    file["link"] = h5py.SoftLink("/raw")
    file["mask"] = np.zeros((12, 20, 22), "u1")


def _pyramid(file: h5py.File) -> None:
    for level in range(3):
        file[f"s{level}"] = np.zeros((16, 64 >> level, 48 >> level), "u1")


def _labelled(file: h5py.File) -> None:
    made = file.create_dataset("d", data=np.zeros((22, 20, 12), "u1"))
    for dimension, label in zip(made.dims, "xyz", strict=True):
        dimension.label = label


UNUSUAL: dict[str, Callable[[h5py.File], object]] = {
    "a plain zyx stack": _dataset("d", 12, 20, 22),
    "zyxc without tags": _dataset("d", 12, 20, 22, 1),
    "tzyx without tags": _dataset("d", 6, 12, 20, 22),
    **{f"tagged {axes}": _tagged(axes) for axes in ("tzyxc", "zyx", "xyz", "txyzc", "czyx", "yxzt")},
    "a link, a mask": _linked,
    "a pyramid": _pyramid,
    "labels of dimensions": _labelled,
}


def _copied(report: Report, folder: Path) -> None:
    lines = []
    pixels = np.random.default_rng(0).integers(0, 4096, (32, 1024, 1024), "u2")
    for name, options in (("BigDataViewer", {}), ("gzip", {"compression": 4}), ("Blosc", None)):
        path = folder / "a.h5"
        with h5py.File(path, "w") as file:
            file.create_dataset("t00000/s00/0/cells", data=pixels.view("i2"), chunks=(16, 64, 64), **(options or {}))
        if options is None:
            subprocess.run([PYTHON, "-c", _COMPRESS, path], check=True)
        order = {"shape": [1, *pixels.shape], "dtype": "uint16", "parts": [["t00000/s00/0/cells", [0]]]}
        seconds, megabytes = _convert(folder, order)
        begun = time.monotonic()
        shutil.copyfile(path, folder / "copy.h5")
        plain = time.monotonic() - begun
        size, copied = pixels.nbytes / 1e6, path.stat().st_size / 1e6
        lines.append((name, f"{size:.0f}", f"{size / seconds:.0f}", f"{megabytes:.0f}", f"{copied / plain:,.0f}"))
    shape = (400, 16_000, 16_000)
    with h5py.File(folder / "a.h5", "w") as file:
        made = file.create_dataset("d", shape, "u1", chunks=(4, 1000, 1000), compression="gzip")
        made[200:204, :1000, :1000] = 5
    seconds, megabytes = _convert(folder, {"shape": shape, "dtype": "uint8", "parts": [["d", []]]})
    head = ("pixels", "MB", "MB/s of pixels by the node's copy", "MB of memory", "MB/s of the file by a plain copy")
    report.table(head, lines)
    report.say(f"102 GB declared, 4 MB of them written: copied in {seconds:.0f} s with {megabytes:.0f} MB of memory.")


def _convert(folder: Path, what: Mapping[str, object]) -> tuple[float, float]:
    """Seconds and MB of the program that writes plain copies."""
    order = {"source": str(folder / "a.h5"), "target": str(folder / "b.h5"), "dataset": "data", **what}
    return run_on_node("node.convert", {**order, "attributes": {}, "decoders": True, "seconds": 600})
