"""What counting takes of a task: objects a second, CPU seconds, memory, and the bytes of table and label images."""

import json
import tempfile
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import tifffile
from scipy import ndimage

from batch_ops.task.objects import DISTANCE, CountedClass, ObjectsWanted
from tests.bench.pictures import run_aside
from tests.bench.report import REPOSITORY, Report

_WANTED = ObjectsWanted((CountedClass(2, "Cell"),))
# Times, planes, rows, columns; and the CPU seconds that ilastik 1.4.2 takes of one (domain/forecast.py).
_IMAGES: dict[str, tuple[tuple[int, int, int, int], float | None]] = {
    "a plane": ((1, 1, 2048, 2048), 32),
    "a series of stacks": ((10, 50, 300, 275), 95),
    "a slide": ((1, 1, 10_000, 10_000), None),
}


def objects(report: Report) -> None:
    """Count smooth noise above its 70th percentile: components of some 100 to 1,000 pixels, many of them touching."""
    lines = []
    for name, (shape, ilastik) in _IMAGES.items():
        with tempfile.TemporaryDirectory(prefix="bench-") as folder:
            order = _made(Path(folder), shape)
            for what, wanted in (("", _WANTED), (", parted", replace(_WANTED, split=DISTANCE))):
                if what and name != "a plane":
                    continue
                lines.append((f"{name}{what}", " x ".join(map(str, shape)), *_measured(order, wanted, ilastik)))
    head = (
        "image",
        "shape",
        "objects",
        "CPU s",
        "objects/s",
        "MB of memory",
        "% of ilastik's CPU",
        "kB of objects.csv",
    )
    report.table((*head, "label image: CPU s", "kB"), lines)


def _made(folder: Path, shape: tuple[int, int, int, int]) -> dict[str, object]:
    random, files = np.random.default_rng(0), []
    with h5py.File(folder / "a.h5", "w") as file:
        data = file.create_dataset("data", shape, "uint16", chunks=(1, 1, min(512, shape[2]), min(512, shape[3])))
        for t in range(shape[0]):
            noise = ndimage.gaussian_filter(random.random(shape[1:], "float32"), [2.0 if shape[1] > 1 else 0, 5, 5])
            data[t] = noise * 4095
            files.append(folder / f"a{t:02}.tiff")
            tifffile.imwrite(files[-1], (noise > np.percentile(noise, 70)).astype("uint8") + 1)
    return {
        "image": str(folder / "a.h5"),
        "dataset": "data",
        "axes": "tzyx",
        "read_as": "tzyx",
        "files": [str(file) for file in files],
        "pages": shape[1],
        "per_plane": False,
        "project": str(REPOSITORY / "local_cloud/sample_data/default.ilp"),
        "classes": 2,
        "table": str(folder / "objects.csv"),
        "labels": str(folder / "labels"),
    }


def _measured(order: dict[str, object], wanted: ObjectsWanted, ilastik: float | None) -> tuple[str, ...]:
    table, labels = Path(str(order["table"])), Path(str(order["labels"]))
    file = table.with_name("order.json")
    file.write_text(json.dumps({**order, "wanted": wanted.to_json()}))
    seconds, megabytes = run_aside("node.measure", "measure", file)
    with table.open() as rows:
        count = sum(1 for _ in rows) - 1
    painting, _ = run_aside("node.label_images", "paint", file)
    share = "" if ilastik is None else f"{100 * seconds / ilastik:.1f}"
    kilobytes = table.stat().st_size / 1000, sum(path.stat().st_size for path in labels.iterdir()) / 1000
    return (
        *(f"{count:,}", f"{seconds:.2f}", f"{count / seconds:,.0f}", f"{megabytes:.0f}", share),
        *(f"{kilobytes[0]:,.0f}", f"{painting:.2f}", f"{kilobytes[1]:,.0f}"),
    )
