"""Objects of which more are there than fit into memory: the same as scipy finds, in bounded memory."""

import json
import os
import subprocess
from pathlib import Path

import h5py
import numpy as np
import pytest
import tifffile
from scipy import ndimage

from batch_ops.task.objects import CountedClass, ObjectsWanted
from node.components import Components
from node.measured_objects import Objects
from tests.deploy.pool.conftest import NODE_PYTHON, REPOSITORY

# Python with numpy, scipy, h5py and tifffile takes 120 MB of them.
MOST_BYTES = 550 * 2**20
_ASIDE = """
import re, sys
from node.aside import answer
from node.measure import measure
code = answer(measure)
# Of this program alone: ru_maxrss would begin with the memory of its parent.
print(int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1]) * 1024)
sys.exit(code)
"""


def taken(components: Components, mask: np.ndarray, rows: int, *, measured: bool) -> np.ndarray:
    """Give all bands of a mask (z, y, x) to components; return the number of each pixel, -1 for none."""
    numbers = np.full(mask.shape, -1)
    for z, plane in enumerate(mask):
        components.next_plane()
        for row in range(0, len(plane), rows):
            band = plane[row : row + rows]
            if measured:
                components.add(band, np.full((*band.shape, 1), z * 7 + row), row)
                continue
            start, stop, number = components.number(band, row)
            flat = np.full((len(band), band.shape[1] + 1), -1)
            for first, end, one in zip(start, stop, number, strict=True):
                flat.reshape(-1)[first:end] = one
            numbers[z, row : row + rows] = flat[:, :-1]
    return numbers


def tangled(shape: tuple[int, int, int], density: float, seed: int) -> np.ndarray:
    """Noise with combs whose teeth meet late: in the last column, the last row, or the last plane."""
    random = np.random.default_rng(seed)
    mask = random.random(shape) < density
    mask[:, 1 : shape[1] // 3 : 2, :] = True
    mask[:, 2 : shape[1] // 3 : 2, :-1] = False
    mask[:-1, shape[1] // 2 :, 1 : shape[2] // 2 : 2] = True
    mask[:-1, shape[1] // 2 :, 2 : shape[2] // 2 : 2] = False
    return mask


@pytest.mark.parametrize(("rows", "held_bytes"), [(2, 1), (3, 5_000), (100, 2**24)])
@pytest.mark.parametrize(
    ("shape", "density"), [((1, 61, 47), 0.55), ((9, 31, 23), 0.3), ((25, 12, 14), 0.2), ((4, 20, 21), 0.0)]
)
def test_what_is_written_aside_is_joined_as_scipy_joins_it(tmp_path, shape, density, rows, held_bytes):
    """Ids, sizes and places of objects are those of scipy, however little is held in memory meanwhile."""
    mask = tangled(shape, density, seed=rows)
    labels, count = ndimage.label(mask)
    with Components(shape[2], 0, shape[0], tmp_path, held_bytes) as components:
        numbers = taken(components, mask, rows, measured=False)
        ids = components.ids()
        assert (np.where(mask, ids[numbers].astype(int) + 1, 0) == labels).all()
    with Components(shape[2], 1, shape[0], tmp_path, held_bytes) as components:
        taken(components, mask, rows, measured=True)
        parts = list(components.objects())
    if held_bytes < 10_000 and count > 16:
        assert len(parts) > 1
    found = Objects(*(np.concatenate([getattr(part, name) for part in parts]) for name in Objects.__annotations__))
    assert (found.pixels == np.bincount(labels.ravel())[1:]).all()
    boxes = ndimage.find_objects(labels)
    assert found.first.tolist() == [[side.start for side in box] for box in boxes]
    assert found.last.tolist() == [[side.stop - 1 for side in box] for box in boxes]
    z, y = np.indices(shape)[:2]
    values = z * 7 + y // rows * rows
    index = np.arange(1, count + 1)
    assert (found.intensity_sums[:, 0] == ndimage.sum_labels(values, labels, index)).all()
    assert (found.intensity_max[:, 0] == ndimage.maximum(values, labels, index)).all()


@pytest.mark.parametrize("seed", range(8))
def test_what_meets_again_after_it_was_joined(tmp_path, seed):
    """Noise in which nearly everything hangs together: a number of the plane below may have been joined before."""
    mask = np.random.default_rng(seed).random((9, 31, 23)) < 0.3 + 0.02 * (seed % 5)
    with Components(23, 0, 9, tmp_path, 1) as components:
        numbers = taken(components, mask, 1, measured=False)
        ids = components.ids()
    assert (np.where(mask, ids[numbers].astype(int) + 1, 0) == ndimage.label(mask)[0]).all()


def test_nothing_is_left_beside_the_table(tmp_path):
    """What is written aside has no name: whatever ends the process, no folder of results holds it."""
    mask = tangled((5, 40, 40), 0.3, seed=1)
    with Components(40, 1, 5, tmp_path, 1) as components:
        taken(components, mask, 3, measured=True)
        assert sum(part.pixels.sum() for part in components.objects()) == mask.sum()
        assert list(tmp_path.iterdir()) == []


def measured_aside(
    folder: Path, shape: tuple[int, int, int], dtype: str, pages: list[np.ndarray]
) -> tuple[list[int], int, int]:
    """Measure an image of this shape that was never written, and its segmentation.

    `pages`: come again and again, or once, in a corner, where they are smaller than the image's.

    Returns numbers of objects, rows of the table, and the greatest memory of the process in bytes.
    """
    with h5py.File(folder / "a.h5", "w") as file:
        file.create_dataset("data", shape, dtype, chunks=(1, 512, 512))
    classes = tifffile.memmap(folder / "a.tiff", shape=shape, dtype="uint8", photometric="minisblack", bigtiff=True)
    for z, page in enumerate(pages):
        rows, columns = page.shape
        classes[z :: len(pages) if rows == shape[1] else shape[0], :rows, :columns] = page
    del classes
    order = {
        "image": str(folder / "a.h5"),
        "dataset": "data",
        "axes": "zyx",
        "read_as": "zyx",
        "files": [str(folder / "a.tiff")],
        "pages": shape[0],
        "per_plane": False,
        "project": str(REPOSITORY / "local_cloud/sample_data/default.ilp"),
        "classes": 2,
        "table": str(folder / "objects.csv"),
        "wanted": ObjectsWanted((CountedClass(1, "Cell"),)).to_json(),
    }
    ended = subprocess.run(
        [NODE_PYTHON / "bin/python", "-c", _ASIDE],
        input=json.dumps(order),
        env={**os.environ, "PYTHONPATH": f"{REPOSITORY / 'deploy/pool'}:{REPOSITORY}"},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    told, memory = ended.stdout.splitlines()
    with (folder / "objects.csv").open() as table:
        return json.loads(told)["counts"]["classes"][0]["objects"], sum(1 for _ in table) - 1, int(memory)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("shape", [(1, 12_800, 12_800), (16, 3_200, 12_800)], ids=["a slide", "a stack"])
def test_millions_of_objects_take_no_more_memory(tmp_path, shape):
    """2.5 million objects: their rows alone would take all of the bound."""
    tile = np.full((8, 8), 2, "uint8")
    tile[:5, :5] = 1
    full = np.tile(tile, (shape[1] // 8, shape[2] // 8))
    pages = [full] if shape[0] == 1 else [full, np.full_like(full, 2)]
    counts, rows, memory = measured_aside(tmp_path, shape, "uint8", pages)
    expected = shape[1] * shape[2] // 64 * max(1, shape[0] // 2)
    assert counts == [expected] == [rows]
    assert memory < MOST_BYTES


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_hundred_declared_gigabytes_take_no_more_memory(tmp_path):
    """25,000 million pixels of four bytes, of which a single object was ever written."""
    pages = [np.ones((50, 60), "uint8")] * 3
    counts, rows, memory = measured_aside(tmp_path, (250, 10_000, 10_000), "uint32", pages)
    assert counts == [1] == [rows]
    assert memory < MOST_BYTES
