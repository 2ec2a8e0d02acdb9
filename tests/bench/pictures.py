"""What pictures take of a task: CPU seconds and memory of the process that draws them, and the bytes of a file's."""

import json
import math
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import tifffile

from batch_ops.task.objects import CountedClass, ObjectsWanted
from batch_ops.task.pictures import FOLDER, PicturesWanted
from tests.bench.report import REPOSITORY, Report

_ASIDE = """
import importlib, resource, sys
from node.aside import answer
module, work = sys.argv[1:]
code = answer(getattr(importlib.import_module(module), work))
used = resource.getrusage(resource.RUSAGE_SELF)
print(used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)
sys.exit(code)
"""
_PYTHON = Path(sys.prefix) / "node-python/bin/python"
# Of images: axes, shape, and times, planes, rows, columns of its segmentation.
_IMAGES: dict[str, tuple[str, tuple[int, ...], tuple[int, int, int, int]]] = {
    "a plane": ("yx", (2048, 2048), (1, 1, 2048, 2048)),
    "three channels": ("cyx", (3, 2048, 2048), (1, 1, 2048, 2048)),
    "a series of stacks": ("tyxzc", (10, 300, 275, 50, 1), (10, 50, 300, 275)),
    "a slide": ("yx", (10_000, 10_000), (1, 1, 10_000, 10_000)),
    "the largest slide, nearly empty": ("yx", (60_000, 60_000), (1, 1, 60_000, 60_000)),
}
# What is larger than this is written in a few tiles of this size, and declared for the rest.
_WRITTEN, _TILE = 2**27, 2048


def pictures(report: Report) -> None:
    """Draw noise of 16 bits, which no PNG makes smaller, a third of it in a class that is outlined."""
    lines = []
    for name, (axes, shape, pixels) in _IMAGES.items():
        with tempfile.TemporaryDirectory(prefix="bench-") as folder:
            lines.append((name, " x ".join(map(str, shape)), *_measured(Path(folder), axes, shape, pixels)))
    report.table(("image", "shape", "CPU seconds", "MB of memory", "kB of pictures"), lines)
    report.say("Memory is the greatest that the process had, with what it had mapped of the files just then.")


def _measured(
    folder: Path, axes: str, shape: tuple[int, ...], pixels: tuple[int, int, int, int]
) -> tuple[str, str, str]:
    random = np.random.default_rng(0)
    tiles: list[Any] = [()]
    if math.prod(shape) > _WRITTEN:
        tiles = [(slice(at, at + _TILE),) * 2 for at in range(0, 8 * _TILE, _TILE)]
    with h5py.File(folder / "a.h5", "w") as file:
        data = file.create_dataset("data", shape, "uint16", chunks=(512, 512) if axes == "yx" else None)
        for tile in tiles:
            data[tile] = random.integers(0, 4096, data[tile].shape, "uint16")
    for t in range(pixels[0]):
        name = folder / f"a{t:02}.tiff"
        classes: Any = tifffile.memmap(name, shape=pixels[1:], dtype="uint8", photometric="minisblack")
        for tile in tiles:
            place = (..., *tile)
            classes[place] = (random.random(classes[place].shape, "float32") < 1 / 3).astype("uint8") + 1
        del classes
    (folder / FOLDER).mkdir()
    order = {
        "image": str(folder / "a.h5"),
        "dataset": "data",
        "axes": axes,
        "read_as": axes,
        "files": sorted(map(str, folder.glob("*.tiff"))),
        "pages": pixels[1],
        "folder": str(folder),
        "pictures": PicturesWanted().to_json(),
        "objects": ObjectsWanted((CountedClass(2, "Cell"),)).to_json(),
    }
    (folder / "order.json").write_text(json.dumps(order))
    seconds, megabytes = run_aside("node.draw", "draw", folder / "order.json")
    made = sum(path.stat().st_size for path in folder.glob(f"{FOLDER}/*"))
    return f"{seconds:.2f}", f"{megabytes:.0f}", f"{made / 1000:,.0f}"


def run_aside(module: str, work: str, order: Path) -> tuple[float, float]:
    """Do a node's work as a task does; return CPU seconds and the greatest memory in MB."""
    # By way of a shell: else it would count what memory this process has.
    ended = subprocess.run(
        ["sh", "-c", '"$0" -c "$1" "$3" "$4" <"$2"; exit $?', _PYTHON, _ASIDE, order, module, work],
        env={**os.environ, "PYTHONPATH": f"{REPOSITORY / 'deploy/pool'}:{REPOSITORY}", "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    seconds, megabytes = ended.stdout.splitlines()[-1].split()
    return float(seconds), float(megabytes)
