"""The memory of the engine does not grow with the image, however large that is declared."""

import subprocess
import sys
import time
from pathlib import Path

import h5py
import numpy as np
import pytest

from pixel_engine.axes import axistags_json
from tests.deploy.pool.conftest import REPOSITORY
from tests.deploy.pool.engine.made_up import Recipe, write_project

PROGRAM = REPOSITORY / "deploy/pool/engine/pixel_engine/run_ilastik.sh"
# In several chunks; a run that is ended by then has met all that it will ever hold.
WRITTEN = 12 * 2**20
MOST_MB = 1000
SECONDS = 400


def peak_mb(folder: Path, shape: tuple[int, ...], order: str) -> float:
    """Compute the first chunks of an image of zeros, none of which is stored; return the peak memory in MB."""
    chunks = tuple(min(size, 256) if axis in "yx" else min(size, 8) for axis, size in zip(order, shape, strict=True))
    with h5py.File(folder / "a.h5", "w") as file:
        made = file.create_dataset("data", shape, np.uint8, chunks=chunks)
        made.attrs["axistags"] = axistags_json(order, {})
    command = [str(PROGRAM), "--headless", "--project=p.ilp", "a.h5/data", "--export_source=Simple Segmentation"]
    command += ["--output_format=hdf5", "--output_filename_format=out/a.h5", "--ignore_training_axistags"]
    environment = {"PATH": "/usr/bin:/bin", "PIXEL_ENGINE_PYTHON": sys.executable, "LAZYFLOW_THREADS": "2"}
    with subprocess.Popen(command, cwd=folder, env=environment, stderr=subprocess.PIPE) as process:
        try:
            deadline = time.monotonic() + SECONDS
            while process.poll() is None and _written(folder) < WRITTEN:
                assert time.monotonic() < deadline, "It writes nothing."
                time.sleep(0.2)
            assert process.poll() is None, process.stderr.read() if process.stderr else ""
            status = Path(f"/proc/{process.pid}/status").read_text()
        finally:
            process.terminate()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1000


def _written(folder: Path) -> int:
    return sum(path.stat().st_blocks * 512 for path in folder.glob("out/.*.partial"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("order", "shape"),
    [
        ("zyx", (40, 1000, 1000)),
        ("zyx", (250, 2000, 2000)),
        ("zyx", (2500, 2000, 2000)),
        ("zyx", (4000, 5000, 5000)),
        ("yx", (320_000, 320_000)),
        ("tyx", (25_000, 2000, 2000)),
    ],
    ids=["0.04 GB", "1 GB", "10 GB", "100 GB", "100 GB in one page", "100 GB of time points"],
)
def test_memory_does_not_grow_with_the_image(tmp_path, order, shape):
    """Less than 1 GB for features in 3D up to sigma 5 (in 2D where there is one plane), whatever is declared."""
    deep = "z" in order
    ticked = [(feature, scale) for feature in (0, 1, 5) for scale in (1, 3, 5)]
    crop = np.random.default_rng(1).integers(0, 250, (48, 48, 48) if deep else (1, 96, 96)).astype(np.float32)
    lane = (order, tuple(dict(zip("tzyx", (1, *crop.shape), strict=True))[axis] for axis in order))
    recipe = Recipe(ticked, in_2d=[not deep] * 7, seed=2, lane=lane)
    write_project(tmp_path / "p.ilp", recipe, crop[..., None])
    peak = peak_mb(tmp_path, shape, order)
    print(f"{order} {shape}: {peak:,.0f} MB")
    assert peak < MOST_MB
