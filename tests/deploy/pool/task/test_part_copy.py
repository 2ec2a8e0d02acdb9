"""The copy of a part: just its pixels of the image, however the image lies in its file."""

import json
import os
import subprocess

import h5py
import numpy as np
import pytest

from batch_ops.task.parts import Division
from tests.deploy.pool.conftest import NODE_PYTHON, REPOSITORY
from tests.deploy.pool.task.test_tiff_copy import copied
from tests.fakes.tiffs import KINDS, pixels


@pytest.mark.parametrize("kind", KINDS)
def test_a_part_of_a_tiff_has_its_pixels_alone(tmp_path, kind):
    """Of any kind, cut along any axis."""
    write, axes, is_said = KINDS[kind]
    data = write()
    found, whole = copied(tmp_path, data)
    letters = found if is_said else axes
    for axis in (letter for letter in "tzy" if letter in letters):
        size = whole.shape[letters.index(axis)]
        cut = Division(axis, size, min(3, size), 1) if size > 1 else None
        for part in range(1, cut.number + 1) if cut else ():
            region = cut.region(part)
            (tmp_path / "copy").unlink(missing_ok=True)
            told = {"shape": region.of_shape(letters, whole.shape), "corner": region.corner(letters)}
            _, values = copied(tmp_path, data, whole=list(whole.shape), **told)
            box = tuple(slice(*region.read) if one == axis else slice(None) for one in letters)
            np.testing.assert_array_equal(values, whole[box], err_msg=f"{axis} {part}")
    dtype = "u1" if whole.dtype == np.uint8 else "u2"
    np.testing.assert_array_equal(whole, pixels(letters, dtype))


@pytest.mark.parametrize(
    ("axis", "halo", "compressed"),
    [
        ("z", 2, True),
        *(pytest.param(*case, marks=pytest.mark.slow) for case in (("t", 0, False), ("y", 5, True), ("y", 5, False))),
    ],
)
def test_a_part_of_an_image_in_several_datasets(tmp_path, axis, halo, compressed):
    """One for each time point: of those that the part has not, nothing is read."""
    shape, axes = (5, 9, 31, 17), "tzyx"
    whole = np.random.default_rng(3).integers(0, 255, shape).astype("u1")
    chunks = {"chunks": (2, 8, 17), "compression": "gzip"} if compressed else {}
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for t in range(shape[0]):
            file.create_dataset(f"t{t}", data=whole[t], **chunks)
    cut = Division(axis, shape[axes.index(axis)], 3, halo)
    for part in range(1, 4):
        region = cut.region(part)
        wanted = region.of_shape(axes, shape)
        order = {
            "source": str(tmp_path / "a.h5"),
            "target": str(tmp_path / "b.h5"),
            "dataset": "data",
            "dtype": "uint8",
            "shape": wanted,
            "whole": shape,
            "corner": region.corner(axes),
            "parts": [[f"t{t}", [t]] for t in range(shape[0])],
            "attributes": {},
            "decoders": False,
            "seconds": 60,
        }
        path = os.pathsep.join(map(str, (REPOSITORY / "deploy/pool", REPOSITORY)))
        command = [str(NODE_PYTHON / "bin/python"), "-m", "node.convert"]
        subprocess.run(command, input=json.dumps(order), text=True, env={"PYTHONPATH": path}, check=True, timeout=60)
        box = tuple(slice(*region.read) if one == axis else slice(None) for one in axes)
        with h5py.File(tmp_path / "b.h5") as made:
            np.testing.assert_array_equal(made["data"][()], whole[box])
