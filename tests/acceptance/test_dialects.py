"""Files as microscopes and other programs write them, through the real processes: dropped, and nothing is configured.

Their pixels are asymmetric in all axes, and those of the results are held against the results of the same image as a
plain tagged file.
"""

import io
import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
import tifffile

from tests.acceptance.lab import REPOSITORY
from tests.deploy.pool.conftest import NODE_PYTHON
from tests.deploy.pool.task.test_dialects import SAMPLES
from tests.deploy.pool.task.test_plain_copy import KINDS, WRITE
from tests.fakes.dialects import (
    MAKERS,
    NO_CHANNELS,
    PIXEL_SIZES,
    SERIES,
    SIZELESS,
    UNSAID,
    fiji_without_time,
    pixels_of,
    plain,
)
from tests.fakes.forests import add_lane
from tests.fakes.tiffs import KINDS as TIFFS
from tests.fakes.tiffs import SHAPE
from tests.unit.inspection.conftest import add_classifier, axistags

WRITTEN = REPOSITORY / "tests/data/dialects"
XML = (WRITTEN / "npy2bdv_channels.xml").read_bytes()
VOLUME = (9, 21, 26)
SETUPS = pixels_of(2, 2, *VOLUME, dtype="u2")


def content(build: Callable[..., object], *what: object) -> bytes:
    made = io.BytesIO()
    with h5py.File(made, "w") as file:
        build(file, *what)
    return made.getvalue()


def classifier(file: h5py.File, channels: int, planes: int = 40) -> None:
    """A project that was trained on so many channels, in 3D or on a single plane."""
    add_classifier(file, columns=channels)
    file["FeatureSelections/ComputeIn2d"][...] = planes == 1
    lane = file.create_group("Input Data/infos/lane0000/Raw Data")
    lane["shape"] = [4, planes, 96, 88, channels]
    lane["axistags"] = axistags("tzyxc")
    add_lane(lane)


@pytest.fixture(scope="module", autouse=True)
def projects(lab):
    for name, channels in (("one", 1), ("two", 2)):
        lab.upload(f"{name}.ilp", content(classifier, channels), "projects")


def tiffs(lab, name: str) -> dict[str, bytes]:
    """The TIFFs of a file that has to succeed, by their paths."""
    row = lab.wait(name, seconds=300)
    assert row["state"] == "SUCCEEDED", row["reason"]
    return {path: file for path, file in sorted(lab.results(name).items()) if path.endswith(".tiff")}


def pixels(files: dict[str, bytes]) -> list[np.ndarray]:
    return [tifffile.imread(io.BytesIO(file)) for file in files.values()]


def sizes(file: bytes) -> list[float]:
    """The size of a pixel along z, y, x that a TIFF states."""
    with tifffile.TiffFile(io.BytesIO(file)) as tiff:
        told = tifffile.xml2dict(tiff.ome_metadata or "")["OME"]["Image"]["Pixels"]
    return [told[f"PhysicalSize{axis}"] for axis in "ZYX"]


@pytest.mark.slow
def test_each_set_up_of_bigdataviewer_is_an_image(lab):
    """With the pixels of the same image in a file of its own, and the sizes of voxels of its XML, which has no row."""
    lab.upload("one/s.xml", XML)
    lab.upload("one/s.h5", content(MAKERS["bigdataviewer"], SETUPS))
    for setup in (0, 1):
        lab.upload(f"one/p{setup}.h5", content(plain, SETUPS[:, setup : setup + 1]))
    found = tiffs(lab, "one/s.h5")
    assert list(found) == ["s00/s0.tiff", "s00/s1.tiff", "s01/s0.tiff", "s01/s1.tiff"]
    np.testing.assert_array_equal(pixels(found), pixels(tiffs(lab, "one/p0.h5")) + pixels(tiffs(lab, "one/p1.h5")))
    for file in found.values():
        assert sizes(file) == pytest.approx(PIXEL_SIZES)
    assert lab.row("one/s.xml") is None


@pytest.mark.slow
def test_a_tiff_is_an_image_and_other_files_are_rejected(lab):
    """With the pixels of the plain file, and the sizes that ImageJ states; what is no image is rejected once."""
    lab.upload("one/t.tif", TIFFS["imagej series"][0]())
    lab.upload("one/t.h5", content(plain, pixels_of(*SHAPE, dtype="u2")[:, :1]))
    for number in range(3):
        lab.upload(f"one/{number}.lif", b"whatever")
    found = tiffs(lab, "one/t.tif")
    assert list(found) == ["t0.tiff", "t1.tiff"]
    np.testing.assert_array_equal(pixels(found), pixels(tiffs(lab, "one/t.h5")))
    assert sizes(next(iter(found.values()))) == pytest.approx([2.0, 0.2, 0.25])
    rows = [row for row in map(lab.row, (f"one/{number}.lif" for number in range(3))) if row]
    assert [row["state"] for row in rows] == ["REJECTED"]


@pytest.mark.slow
def test_set_ups_are_channels_where_the_xml_says_so(lab):
    """And the project was trained on as many; without the XML that is not guessed."""
    lab.upload("two/s.xml", XML)
    for name in ("two/s.h5", "two/bare.h5"):
        lab.upload(name, content(MAKERS["bigdataviewer"], SETUPS))
    lab.upload("two/p.h5", content(plain, SETUPS))
    found = tiffs(lab, "two/s.h5")
    assert list(found) == ["s0.tiff", "s1.tiff"]
    np.testing.assert_array_equal(pixels(found), pixels(tiffs(lab, "two/p.h5")))
    row = lab.wait("two/bare.h5", seconds=300)
    assert (row["state"], "only its XML says" in row["reason"]) == ("REJECTED", True)


@pytest.mark.slow
def test_an_image_waits_for_its_xml(lab):
    """And goes on once it is there, or without it after a while, with a warning; the XML is part of the run's key."""
    image = content(MAKERS["bigdataviewer"], SETUPS[:, :1])
    for name in ("one/late.h5", "one/never.h5"):
        lab.upload(name, image)
    assert "late.xml" in lab.wait("one/late.h5", "WAITING")["reason"]
    lab.upload("one/late.xml", XML)
    first, _ = tiffs(lab, "one/late.h5").values()
    assert sizes(first) == pytest.approx(PIXEL_SIZES)
    key = json.loads(lab.results("one/late.h5")["provenance.json"])["run"]["key"]
    lab.upload("one/late.xml", XML)
    lab.upload("one/late.h5", image)
    assert lab.wait("one/late.h5", run=2, seconds=120)["state"] == "SUCCEEDED"
    assert json.loads(lab.results("one/late.h5")["provenance.json"])["run"]["key"] != key
    row = lab.wait("one/never.h5", seconds=300)
    assert (row["state"], "no-companion" in row["warnings"]) == ("SUCCEEDED", True)


def dialects() -> dict[str, tuple[bytes, np.ndarray]]:
    """Files of all dialects and of others' writers, and the pixels (t, c, z, y, x) that each holds."""
    made: dict[str, tuple[bytes, np.ndarray]] = {}
    for dialect, maker in MAKERS.items():
        times, channels = (3, 1 if dialect in NO_CHANNELS else 2) if dialect in SERIES else (1, 1)
        own = pixels_of(times, channels, *VOLUME, dtype="u2" if dialect == "bigdataviewer" else "u1")
        made[dialect] = content(maker, own), own
    for writer, (shape, dtype) in SAMPLES.items():
        made[writer] = (WRITTEN / f"{writer}.h5").read_bytes(), pixels_of(*shape, dtype=dtype)
    colours = pixels_of(1, 2, *VOLUME)
    made["fiji without time"] = content(fiji_without_time, colours), colours
    series = pixels_of(2, 1, *VOLUME)
    made["another order"] = content(in_another_order, series), series
    made["put together"] = content(put_together, series), series
    return made


def in_another_order(file: h5py.File, pixels: np.ndarray) -> None:
    """A tagged series whose time comes last."""
    file["data"] = np.transpose(pixels, (2, 4, 1, 3, 0))
    file["data"].attrs["axistags"] = axistags("zxcyt")


def put_together(file: h5py.File, pixels: np.ndarray) -> None:
    """A virtual dataset beside the volumes that it is put together from."""
    layout = h5py.VirtualLayout((len(pixels), *VOLUME), pixels.dtype)
    for time, volume in enumerate(pixels[:, 0]):
        file[f"volumes/{time}"] = volume
        layout[time] = h5py.VirtualSource(file[f"volumes/{time}"])
    file.create_virtual_dataset("whole", layout).attrs["axistags"] = axistags("tzyx")


def compressed(folder: Path, kind: str, own: np.ndarray) -> bytes:
    """A tagged file as hdf5plugin compresses it."""

    def build(file: h5py.File) -> None:
        file.create_dataset("volume/data", data=np.moveaxis(own, 1, 4)).attrs["axistags"] = axistags("tzyxc")

    file = folder / f"{kind}.h5"
    file.write_bytes(content(build))
    subprocess.run([NODE_PYTHON / "bin/python", "-c", WRITE, file, kind, str(KINDS[kind])], check=True, timeout=60)
    return file.read_bytes()


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_every_dialect_gives_the_pixels_of_the_plain_file(lab):
    """Also those that other packages wrote, and what ilastik can't decompress; sizes of pixels reach the TIFFs."""
    files = dialects()
    own = pixels_of(1, 1, *VOLUME)
    files |= {kind: (compressed(lab.tmp, kind, own), own) for kind in KINDS}
    place: dict[str, str] = {}
    plains: dict[str, str] = {}
    for name, (file, held) in files.items():
        project = "two" if held.shape[1] == 2 else "one"
        place[name] = f"{project}/{name}.h5"
        lab.upload(place[name], file)
        like = f"{project}/plain-{len(held)}-{held.dtype.name}.h5"
        if like not in plains.values():
            lab.upload(like, content(plain, held))
        plains[name] = like
    for name, like in plains.items():
        found = tiffs(lab, place[name])
        np.testing.assert_array_equal(pixels(found), pixels(tiffs(lab, like)), name)
        if name in MAKERS and name not in SIZELESS:
            assert sizes(next(iter(found.values()))) == pytest.approx(PIXEL_SIZES)
        row = lab.row(place[name])
        assert ("axes-assumed" in row.get("warnings", "")) == (name in (*UNSAID, "hdf5storage"))


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_every_kind_of_tiff_gives_the_pixels_of_the_plain_file(lab):
    """In the order of its pages, however these are stored; each image of a file with several in its folder."""
    for channels in (1, 3):
        lab.upload(f"flat{channels}.ilp", content(classifier, channels, 1), "projects")
        lab.upload(f"thick{channels}.ilp", content(classifier, channels), "projects")
    places: dict[str, str] = {}
    for number, (write, axes, _) in enumerate(TIFFS.values()):
        dtype = tifffile.TiffFile(io.BytesIO(written := write())).pages[0].dtype
        kept = tuple(slice(None) if axis in axes else slice(1) for axis in "tczyx")
        held = pixels_of(*SHAPE, dtype=dtype.newbyteorder("=").str[1:])[kept]
        project = f"{'thick' if 'z' in axes else 'flat'}{held.shape[1]}"
        like = f"{project}/{'x'.join(map(str, held.shape))}-{held.dtype.name}.h5"
        if like not in places.values():
            lab.upload(like, content(plain, held))
        places[f"{project}/{number}.tif"] = like
        lab.upload(f"{project}/{number}.tif", written)
    for name, like in places.items():
        np.testing.assert_array_equal(pixels(tiffs(lab, name)), pixels(tiffs(lab, like)), name)
    volume = pixels_of(1, 1, *VOLUME, dtype="u2")
    several = io.BytesIO()
    with tifffile.TiffWriter(several, ome=True) as writer:
        for image in (volume, volume[..., ::-1]):
            writer.write(image[0, 0], photometric="minisblack", metadata={"axes": "ZYX"})
    lab.upload("thick1/several.tif", several.getvalue())
    lab.upload("thick1/first.h5", content(plain, volume))
    lab.upload("thick1/second.h5", content(plain, volume[..., ::-1]))
    found = tiffs(lab, "thick1/several.tif")
    assert list(found) == ["series0/several.tiff", "series1/several.tiff"]
    right = pixels(tiffs(lab, "thick1/first.h5")) + pixels(tiffs(lab, "thick1/second.h5"))
    np.testing.assert_array_equal(pixels(found), right)
