"""Images that ilastik's own HDF5 can't read as they are stored: the task gives it a plain copy."""

import json
import os
import subprocess

import h5py
import numpy as np
import pytest
import tifffile

from batch_ops.task import contract
from tests.deploy.pool.conftest import NODE_PYTHON, REPOSITORY, STAND_IN

SHAPE = (3, 14, 37, 26, 1)
# With the package that people write such files with, in an environment that has it.
WRITE = """
import sys, h5py, hdf5plugin, numpy
path, kind, options = sys.argv[1], sys.argv[2], eval(sys.argv[3])
with h5py.File(path, "r+") as file:
    data, tags = file["volume/data"][()], dict(file["volume/data"].attrs)
    del file["volume/data"]
    compression = getattr(hdf5plugin, kind)(**options)
    chunks = tuple(map(min, data.shape, (1, 5, 16, 26, 1)))
    file.create_dataset("volume/data", data=data, chunks=chunks, **compression).attrs.update(tags)
"""
KINDS = {
    "Blosc": {"cname": "zstd"},
    "Blosc2": {},
    "Zstd": {},
    "LZ4": {},
    "Bitshuffle": {"cname": "lz4"},
    "BZip2": {},
}


def compress(folder, kind: str) -> None:
    python = NODE_PYTHON / "bin/python"
    subprocess.run([python, "-c", WRITE, folder.image, kind, str(KINDS[kind])], check=True, timeout=60)


def convert(order: dict[str, object]) -> int:
    """Have a copy written, as the task does; how that ended."""
    path = os.pathsep.join(map(str, (REPOSITORY / "deploy/pool", REPOSITORY)))
    command = [str(NODE_PYTHON / "bin/python"), "-m", "node.convert"]
    order = {"attributes": {}, "dataset": "data", "seconds": 60, **order}
    done = subprocess.run(
        command, input=json.dumps(order), text=True, env={"PYTHONPATH": path}, check=False, timeout=60
    )
    return done.returncode


@pytest.fixture
def pixels(folder, engine_pixels):
    """What the engine makes of the plain file; and a function that gives the pixels of the task's results."""
    folder.axes, folder.shape = "tzyxc", SHAPE
    folder.bring()
    with h5py.File(folder.image, "r+") as file:
        file["volume/data"][...] = np.random.default_rng(7).integers(0, 255, SHAPE)
    folder.extra = {"ILASTIK_HOME": str(STAND_IN)}

    def run() -> np.ndarray:
        ended = folder.run()
        assert ended.code == 0, ended.printed
        out = folder.wd / "out" / folder.manifest().execution
        return np.stack(
            [tifffile.imread(out / output.path) for output in folder.manifest().outputs if "tiff" in output.path]
        )

    return np.stack(engine_pixels(folder.image, "volume/data")), run


@pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=[] if kind in {"Blosc", "LZ4"} else pytest.mark.slow) for kind in KINDS]
)
def test_pixels_are_those_of_the_plain_file(folder, pixels, kind):
    """Whatever compressed them; the copy is made once, and no other execution makes it again."""
    expected, run = pixels
    compress(folder, kind)
    folder.check()
    np.testing.assert_array_equal(run(), expected)
    assert expected.min() != expected.max()


def test_a_view_of_compressed_pixels_is_copied_too(folder, pixels):
    """ilastik can decompress what a virtual dataset takes its values from no better than any other."""
    expected, run = pixels
    compress(folder, "Zstd")
    with h5py.File(folder.image, "r+") as file:
        tags = file["volume/data"].attrs["axistags"]
        file.move("volume/data", "raw/stored")
        layout = h5py.VirtualLayout(SHAPE, "u1")
        layout[...] = h5py.VirtualSource(".", "raw/stored", SHAPE)
        file.create_virtual_dataset("volume/data", layout).attrs["axistags"] = tags
    folder.values = {"internal_path": "volume/data"}
    np.testing.assert_array_equal(run(), expected)


def test_what_was_never_written_is_neither_read_nor_copied(tmp_path):
    """Of a sparse image only what is there: the copy of 100 GB takes no longer than what they hold."""
    shape = (400, 16_000, 16_000)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        made = file.create_dataset("d", shape, "u1", chunks=(4, 1000, 1000), compression="gzip")
        made[399, 15_000:15_004, 77] = 5
        file.create_dataset("bright", (4, 8), "u1", chunks=(2, 8), fillvalue=7)
    order = {"source": str(tmp_path / "a.h5"), "target": str(tmp_path / "b.h5"), "decoders": False, "dtype": "uint8"}
    assert convert({**order, "shape": shape, "parts": [["d", []]]}) == 0
    with h5py.File(tmp_path / "b.h5") as file:
        assert file["data"].id.get_num_chunks() <= 8
        assert file["data"][399, 15_003:15_005, 76:79].tolist() == [[0, 5, 0], [0, 0, 0]]
    assert convert({**order, "shape": (4, 8), "parts": [["bright", []]]}) == 0
    with h5py.File(tmp_path / "b.h5") as file:
        assert file["data"][...].tolist() == [[7] * 8] * 4


def test_a_copy_is_taken_up_where_the_node_failed(folder):
    """The next execution in the directory finds it, with the axes of the image."""
    compress(folder, "Zstd")
    folder.ilastik("print(image, dict(h5py.File(file + '.h5')[dataset].attrs)['axistags'][:30]); write()")
    folder.run_and_kill()
    made = (folder.image.parent / ".plain.h5").stat().st_mtime_ns
    body = f"assert os.stat('image/.plain.h5').st_mtime_ns == {made}; write()"
    folder.ilastik(body)
    ended = folder.run()
    assert ended.code == 0, ended.printed


def test_pixels_that_can_not_be_decoded_are_named(folder):
    """Damage inside the compressed data is the image's fault, and ilastik never starts."""
    folder.make_image()
    compress(folder, "Zstd")
    content = bytearray(folder.image.read_bytes())
    with h5py.File(folder.image) as file:
        stored = file["volume/data"].id.get_chunk_info(0)
    content[stored.byte_offset : stored.byte_offset + stored.size] = b"\xff" * stored.size
    folder.image.write_bytes(content)
    folder.ilastik("open('started', 'w')")
    assert folder.run().code == contract.EXIT_BAD_IMAGE
    assert "The pixels of the image lab/nuclei.h5 can't be read" in folder.report().sentence
    assert not (folder.wd / "started").exists()
