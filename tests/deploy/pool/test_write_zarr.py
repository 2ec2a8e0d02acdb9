"""An OME-Zarr that is made of ilastik's TIFFs has their pixels, in few chunks, and says what they are."""

import gzip
import itertools
import json
import math
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from batch_ops.task.outputs import TIFF, PlannedOutput, Role, path_fault
from node.colours import colour_of
from node.files import Refusal
from node.forms import check_zarr
from node.write_zarr import CHUNK_BYTES, MOST_CHUNKS, ZarrLook, chunks_of, write_zarr

SIZES = {"z": 2.0, "y": 0.5, "x": 0.25}


def _tiffs(folder: Path, shape: tuple[int, ...], dtype: str, files: int) -> tuple[list[Path], np.ndarray]:
    """TIFFs as ilastik lays them out (t, z, c, y, x), and the pixels as (t, c, z, y, x)."""
    t, z, c, y, x = shape
    pixels = np.random.default_rng(5).integers(1, 200, (t, c, z, y, x)).astype(dtype)
    paged = pixels.transpose(0, 2, 1, 3, 4)
    paths = []
    for index, part in enumerate(np.split(paged, files)):
        paths.append(folder / f"a{index}.tiff")
        tifffile.imwrite(paths[-1], part, ome=True, photometric="minisblack", metadata={"axes": "TZCYX"})
    return paths, pixels


def _read(folder: Path) -> np.ndarray:
    """All pixels by the specification of Zarr, versions 2 and 3, as nobody else has written it here."""
    is_3 = (folder / "0/zarr.json").exists()
    said = json.loads((folder / "0" / ("zarr.json" if is_3 else ".zarray")).read_text())
    chunk = said["chunk_grid"]["configuration"]["chunk_shape"] if is_3 else said["chunks"]
    whole = np.zeros([-(-n // step) * step for n, step in zip(said["shape"], chunk, strict=True)])
    for place in itertools.product(*(range(n // step) for n, step in zip(whole.shape, chunk, strict=True))):
        data = (folder / "0" / "/".join([*(["c"] if is_3 else []), *map(str, place)])).read_bytes()
        values = np.frombuffer(
            gzip.decompress(data) if is_3 else zlib.decompress(data), said["data_type" if is_3 else "dtype"]
        )
        whole[tuple(slice(i * n, (i + 1) * n) for i, n in zip(place, chunk, strict=True))] = values.reshape(chunk)
    return whole[tuple(map(slice, said["shape"]))]


@pytest.mark.parametrize("version", ["0.4", "0.5"])
@pytest.mark.parametrize("at_once", [CHUNK_BYTES, 400])
@pytest.mark.parametrize(
    ("shape", "dtype", "files"),
    [((1, 1, 1, 7, 9), "uint8", 1), ((3, 5, 1, 7, 9), "uint8", 3), ((2, 3, 4, 7, 9), "float32", 1)],
)
def test_the_pixels_are_those_of_the_tiffs(tmp_path, shape, dtype, files, version, at_once):
    """In the order of NGFF's axes, however small the chunks."""
    sources, pixels = _tiffs(tmp_path, shape, dtype, files)
    planned = (math.prod(shape[:3]) // files, *shape[3:])
    write_zarr(tmp_path / "a.zarr", sources, planned, {}, ZarrLook(version), at_once)
    assert (_read(tmp_path / "a.zarr") == pixels).all()


def test_large_planes_are_cut(tmp_path):
    """Into tiles, of which those at the edges are filled up."""
    sources, pixels = _tiffs(tmp_path, (1, 1, 1, 700, 300), "uint8", 1)
    write_zarr(tmp_path / "a.zarr", sources, (1, 700, 300), {}, ZarrLook(), 256 * 256)
    assert (_read(tmp_path / "a.zarr") == pixels).all()
    assert (tmp_path / "a.zarr/0/0/0/0/2/1").exists()


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_it_says_axes_sizes_and_colours(tmp_path, version):
    """A segmentation is a label image; the class of objects has the colour that it has in the pictures."""
    sources, _ = _tiffs(tmp_path, (1, 2, 1, 7, 9), "uint8", 1)
    write_zarr(tmp_path / "a.zarr", sources, (2, 7, 9), SIZES, ZarrLook(version, (2,)))
    root = tmp_path / "a.zarr"
    said: Any = json.loads((root / (".zattrs" if version == "0.4" else "zarr.json")).read_text())
    said = said if version == "0.4" else said["attributes"]["ome"]
    [image] = said["multiscales"]
    assert version in (image.get("version"), said.get("version"))
    assert [(axis["name"], axis["type"], axis.get("unit")) for axis in image["axes"]] == [
        ("t", "time", None),
        ("c", "channel", None),
        *((axis, "space", "micrometer") for axis in "zyx"),
    ]
    [dataset] = image["datasets"]
    assert dataset == {
        "path": "0",
        "coordinateTransformations": [{"type": "scale", "scale": [1.0, 1.0, 2.0, 0.5, 0.25]}],
    }
    colours = {one["label-value"]: one["rgba"] for one in said["image-label"]["colors"]}
    assert colours[2] == [*colour_of(0), 255]
    assert colours[1][0] == colours[1][1] == colours[1][2]


def test_probabilities_are_no_labels(tmp_path):
    """Nothing that reads labels takes them for some."""
    sources, _ = _tiffs(tmp_path, (1, 1, 2, 7, 9), "float32", 1)
    write_zarr(tmp_path / "a.zarr", sources, (2, 7, 9), {}, ZarrLook())
    assert "image-label" not in json.loads((tmp_path / "a.zarr/.zattrs").read_text())


@pytest.mark.parametrize(
    ("shape", "item"),
    [
        ((1, 1, 1, 60_000, 60_000), 1),
        ((1, 3, 2000, 4096, 4096), 4),
        ((20_000, 1, 1, 512, 512), 1),
        ((300, 1, 80, 64, 64), 1),
        ((1, 1, 1, 3, 500_000), 4),
        ((1, 1, 1, 1, 1), 1),
    ],
)
def test_even_large_images_are_some_hundred_files(shape, item):
    """Each is a call of a service when results are moved; a chunk is small beside the memory of a node."""
    chunk = chunks_of(shape, item)
    assert all(1 <= step <= length for step, length in zip(chunk, shape, strict=True))
    assert math.prod(-(-length // step) for length, step in zip(shape, chunk, strict=True)) <= 3 * MOST_CHUNKS
    assert math.prod(chunk) * item <= max(CHUNK_BYTES, 1.01 * math.prod(shape) * item / MOST_CHUNKS)


def test_the_paths_of_chunks_are_such_as_results_may_have(tmp_path):
    """Also below the folder of one image of several, and with the longest name."""
    sources, _ = _tiffs(tmp_path, (1, 2, 1, 7, 9), "uint8", 1)
    for version in ("0.4", "0.5"):
        root = tmp_path / f"{'a' * 40}-{version}.zarr"
        write_zarr(root, sources, (2, 7, 9), SIZES, ZarrLook(version, ()))
        paths = [file.relative_to(tmp_path).as_posix() for file in root.rglob("*") if file.is_file()]
        assert [path_fault(f"s01/{path}") for path in paths] == [""] * len(paths)


def test_a_zarr_that_lacks_a_chunk_is_no_result(tmp_path):
    """Nor one with an empty chunk, or of another shape than was planned: readers see zeros there."""
    sources, _ = _tiffs(tmp_path, (1, 3, 1, 700, 300), "uint8", 1)
    root = tmp_path / "a.zarr"
    planned = PlannedOutput(Role.SEGMENTATION, "a.tiff", TIFF, pages=3, axes="zyx", page_shape=(700, 300))
    write_zarr(root, sources, (3, 700, 300), {}, ZarrLook(), 256 * 256)
    check_zarr(root, planned)
    with pytest.raises(Refusal, match="shape"):
        check_zarr(root, replace(planned, pages=4))
    chunk = root / "0/0/0/1/2/1"
    chunk.write_bytes(b"")
    with pytest.raises(Refusal, match="18 of its 18"):
        check_zarr(root, planned)
    chunk.unlink()
    with pytest.raises(Refusal, match="17 of its 18"):
        check_zarr(root, planned)
