"""Others' readers, zarr and ome-zarr, open the OME-Zarrs of results, of both versions of NGFF."""

import json
from pathlib import Path

import numpy as np
import pytest
import tifffile

from node.write_zarr import ZarrLook, write_zarr
from tests.clients.conftest import output_of

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
READERS = ("zarr==3.4.2", "ome-zarr==0.21.0")
PROGRAM = Path(__file__).with_name("programs") / "open_zarr.py"
# Different in all axes, so that a swap shows.
SHAPE = (2, 3, 4, 70, 90)


@pytest.mark.parametrize("version", ["0.4", "0.5"])
async def test_others_read_the_pixels_and_what_they_are(made, table, tmp_path, version):
    """The same pixels on the same axes, with their sizes; labels as labels, with their colours."""
    python = made("environment.sh", "ome-zarr", "3.13,3.12,3.11", *READERS)
    t, _, z, y, x = SHAPE
    pixels = np.random.default_rng(3).integers(0, 200, SHAPE).astype("float32")
    folders = []
    for name, data, look in (
        ("probabilities", pixels, ZarrLook(version)),
        ("labels", pixels[:, :1].astype("uint8"), ZarrLook(version, (1,))),
    ):
        source = tmp_path / f"{name}.tiff"
        tifffile.imwrite(
            source, data.transpose(0, 2, 1, 3, 4), ome=True, photometric="minisblack", metadata={"axes": "TZCYX"}
        )
        folders.append(tmp_path / f"{name}.zarr")
        planned = (t * z * data.shape[1], y, x)
        write_zarr(folders[-1], [source], planned, {"z": 2.0, "y": 0.5, "x": 0.25}, look, 4000)
    printed = await output_of(python, PROGRAM, *folders, environment={}, folder=tmp_path)
    found, labels = json.loads(printed.splitlines()[-1])
    assert (found["shape"], found["dtype"]) == (list(SHAPE), "float32")
    assert found["digest"] == int((pixels.astype("f8").ravel() * np.arange(1, pixels.size + 1)).sum())
    assert (found["axes"], found["scale"]) == (list("tczyx"), [1, 1, 2, 0.5, 0.25])
    assert (found["is_label"], labels["is_label"]) == (False, True)
    assert labels["colours"]["1"][:3] == pytest.approx([0, 1, 80 / 255])
    table("zarr, ome-zarr", " ".join(READERS), f"NGFF {version}")
