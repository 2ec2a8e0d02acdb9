"""How fast the node makes forms of results out of ilastik's TIFF, and plain copies of TIFFs, beside copying a file."""

import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np
import tifffile

from batch_ops.task.result_form import COMPRESSED_TIFF, HDF5, OME_ZARRS, ResultForm
from local_cloud.demo.volumes import axistags_json
from tests.bench.node_program import run_on_node
from tests.bench.report import Report

_SHAPE = (48, 2048, 2048)
_PLANES, _CHANNELS = 8, 3


def measure_forms(report: Report) -> None:
    """A segmentation of a stack, and a stack of three channels."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        _out(report, Path(folder))
        _in(report, Path(folder))


def _segmentation() -> Iterator[np.ndarray]:
    """Discs of class 1 on class 2, other ones in each plane: a plane at a time, as programs count as their own what
    this one has in memory when it starts them."""
    y, x = np.ogrid[: _SHAPE[1], : _SHAPE[2]]
    distance = ((x % 160 - 80) ** 2 + (y % 144 - 72) ** 2).astype("int16")
    for z in range(_SHAPE[0]):
        yield np.where(distance < (30 + z % 24) ** 2, 1, 2).astype("uint8")


def _noise() -> Iterator[np.ndarray]:
    chance = np.random.default_rng(0)
    for _ in range(_PLANES * _CHANNELS):
        yield chance.integers(0, 4096, _SHAPE[1:], "u2")


def _out(report: Report, folder: Path) -> None:
    tiff, image = folder / "a.tiff", folder / "image.h5"
    written = {"axes": "ZYX"}
    tifffile.imwrite(
        tiff, _segmentation(), shape=_SHAPE, dtype="u1", ome=True, photometric="minisblack", metadata=written
    )
    length = float(np.prod(_SHAPE)) / 1e6
    with h5py.File(image, "w") as file:
        file.create_dataset("data", _SHAPE, "u1", chunks=(1, 256, 256)).attrs["axistags"] = axistags_json("zyx")
    lines = []
    for form in (ResultForm(COMPRESSED_TIFF), ResultForm(HDF5), *map(ResultForm, OME_ZARRS)):
        target = folder / str(form) / f"{form.path(tiff.name)}.new"
        target.parent.mkdir()
        order = {
            "image": str(image),
            "dataset": "data",
            "axes": "zyx",
            "read_as": "zyx",
            "planes": "",
            "source": [str(tiff)],
            "targets": [str(target)],
            "pages": _SHAPE[0],
            "page_shape": _SHAPE[1:],
            "compressed": form.is_compressed,
            "objects": None,
            "zarr": {"version": form.ngff, "labels": [1]} if form.ngff else None,
        }
        seconds, megabytes = run_on_node("node.rewrite", order)
        files = [path for path in target.rglob("*") if path.is_file()] if target.is_dir() else [target]
        size = sum(path.stat().st_size for path in files) / 1e6
        rate = length / seconds
        lines.append((str(form), f"{rate:.0f}", f"{megabytes:.0f}", f"{size:.1f}", len(files)))
    report.say(f"A segmentation of {length:.0f} MB; a plain copy of its TIFF: {_plain(tiff):,.0f} MB/s.")
    report.table(("form", "MB/s of pixels", "MB of memory, at most", "MB written", "files"), lines)


def _in(report: Report, folder: Path) -> None:
    lines = []
    for name, compression in (("plain strips", None), ("deflate", "zlib")):
        tiff = folder / "in.tiff"
        tifffile.imwrite(
            tiff,
            _noise(),
            shape=(_PLANES, _CHANNELS, *_SHAPE[1:]),
            dtype="u2",
            ome=True,
            photometric="minisblack",
            compression=compression,
            metadata={"axes": "ZCYX"},
        )
        for said, count, picked in (("all", _CHANNELS, None), ("one of three", 1, [1, [2]])):
            order: dict[str, object] = {
                "source": str(tiff),
                "target": str(folder / "copy.h5"),
                "dataset": "data",
                "shape": (_PLANES, count, *_SHAPE[1:]),
                "dtype": "uint16",
                "parts": [["series0", []]],
                "attributes": {},
                "decoders": False,
                "seconds": 600,
                "picked": picked,
            }
            seconds, megabytes = run_on_node("node.convert", order)
            size = float(np.prod(_SHAPE[1:])) * _PLANES * count * 2 / 1e6
            rates = (f"{size / seconds:.0f}", f"{megabytes:.0f}", f"{_plain(tiff):,.0f}")
            lines.append((name, said, f"{size:.0f}", *rates))
    head = ("TIFF", "channels", "MB", "MB/s of pixels by the node", "MB of memory, at most", "MB/s of a plain copy")
    report.table(head, lines)


def _plain(file: Path) -> float:
    """MB a second of copying a file."""
    begun = time.monotonic()
    shutil.copyfile(file, file.with_name("plain-copy"))
    return file.stat().st_size / 1e6 / (time.monotonic() - begun)
