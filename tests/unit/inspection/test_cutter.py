"""Boxes of pixels through the real confined process, from files of every kind, by ranges."""

import io
from collections.abc import AsyncIterator
from dataclasses import replace

import h5py
import numpy as np
import pytest
import pytest_asyncio
import tifffile

from batch_ops.domain.errors import CannotCut
from batch_ops.image.boxes import Box
from batch_ops.image.facts import SMALL_CUT_LIMITS, Accepted
from batch_ops.inspection.cutter import Cutter
from batch_ops.task.run_plan import ImageDescription
from tests import fakes
from tests.fakes.dialects import MAKERS, PIXEL_SIZES, pixels_of, plain
from tests.fakes.pixels import pixels_like
from tests.fakes.tiffs import KINDS
from tests.fakes.tiffs import pixels as tiff_pixels
from tests.unit.inspection.conftest import CountingReader, axistags
from tests.unit.inspection.test_tiffs import project

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def cutter() -> AsyncIterator[Cutter]:
    async with Cutter() as made:
        yield made


def whole(image: ImageDescription) -> Box:
    return tuple((0, size) for size in image.shape)


def inner(image: ImageDescription) -> Box:
    """Off every edge, where there is room."""
    return tuple((min(1, size - 1), max(size - 1, 1)) for size in image.shape)


def at(box: Box) -> tuple[slice, ...]:
    return tuple(slice(*ends) for ends in box)


def described(data: bytes, verdict: object) -> tuple[CountingReader, ImageDescription]:
    assert isinstance(verdict, Accepted), verdict
    return CountingReader(data), verdict.image


async def pixels(cutter: Cutter, reader: CountingReader, image: ImageDescription, box: Box) -> np.ndarray:
    cut = await cutter.cut(reader, image, box)
    return np.frombuffer(cut.data, cut.dtype).reshape(cut.shape)


@pytest.mark.parametrize("maker", [*MAKERS.values(), plain], ids=lambda maker: maker.__name__)
async def test_a_box_of_every_dialect(check, cutter, maker):
    """The pixels of the whole image, cut: padding, pyramids and signed numbers do not show."""
    source = pixels_of(3, 1, 9, 20, 21, dtype="u2" if maker.__name__ == "bigdataviewer" else "u1")
    memory = io.BytesIO()
    with h5py.File(memory, "w") as file:
        maker(file, source)
    data = memory.getvalue()
    reader, image = described(data, await check(data, axes="zxy" if maker is MAKERS["matlab"] else None))
    known = dict(zip("tczyx", source.shape, strict=True))
    assert {axis: known[axis] for axis in image.axes} == dict(zip(image.axes, image.shape, strict=True))
    all_of_it = await pixels(cutter, reader, image, whole(image))
    kept = [axis for axis in "tczyx" if axis in image.axes]
    first = source[tuple(0 if axis not in image.axes else slice(None) for axis in "tczyx")]
    assert np.array_equal(all_of_it, first.transpose([kept.index(axis) for axis in image.axes]))
    assert np.array_equal(await pixels(cutter, reader, image, inner(image)), all_of_it[at(inner(image))])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("box", [whole, inner])
async def test_a_box_of_every_kind_of_tiff(check, cutter, kind, box):
    """Whatever the order of its pages, and where each begins."""
    write, axes, _ = KINDS[kind]
    data = write()
    reader, image = described(data, await check(data, project(axes), name="x.tif"))
    full = tiff_pixels(image.axes, image.dtype)
    assert np.array_equal(await pixels(cutter, reader, image, box(image)), full[at(box(image))])


@pytest.mark.parametrize(
    "how",
    [
        {"tile": (32, 48), "compression": "zlib", "predictor": True},
        {"rowsperstrip": 7, "compression": "zlib"},
        {"tile": (16, 16), "planarconfig": "separate", "compression": "zlib"},
        {"rowsperstrip": 7},
        {"byteorder": ">"},
    ],
    ids=str,
)
async def test_of_a_page_only_the_segments_of_the_box_are_read(cutter, how):
    """Tiles, strips, planes of colours: right at every edge, and not all of the file is fetched."""
    planar = "planarconfig" in how
    image = ImageDescription("series0", "cyx" if planar else "yx", False, (3, 900, 700)[not planar :], "uint16")
    source = np.random.default_rng(5).integers(0, 2**16, image.shape, "u2")
    memory = io.BytesIO()
    tifffile.imwrite(memory, source, photometric="rgb" if planar else "minisblack", metadata=None, **how)
    reader = CountingReader(memory.getvalue())
    for rows, columns in (((100, 131), (200, 303)), ((850, 900), (650, 700))):
        box = (*[(1, 2)] * planar, rows, columns)
        assert np.array_equal(await pixels(cutter, reader, image, box), source[at(box)])


async def test_a_huge_image_is_cut_by_ranges(cutter, tmp_path):
    """A hundred declared gigabytes: only the chunks of the box are fetched."""
    image = ImageDescription("data", "zyx", True, (500, 10_000, 10_000), "uint16", reader="hdf5")
    box = ((250, 260), (5000, 5300), (9900, 10_000))
    source = np.random.default_rng(6).integers(1, 2**16, [last - first for first, last in box], "u2")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        data = file.create_dataset("data", image.shape, image.dtype, chunks=(10, 100, 100), compression="gzip")
        data[at(box)] = source
    reader = CountingReader(tmp_path / "a.h5")
    assert np.array_equal(await pixels(cutter, reader, image, box), source)
    assert sum(length for _, length in reader.reads) < 4 * 2**20


async def test_sizes_of_pixels_come_with_them(check, cutter):
    """From the tags, or as its dialect states them."""
    for maker in (plain, MAKERS["imaris"]):
        memory = io.BytesIO()
        with h5py.File(memory, "w") as file:
            maker(file, pixels_of(1, 1, 9, 12, 14))
            if maker is plain:
                tags = axistags("tczyx").replace('"resolution": 0', '"resolution": 2')
                file["exported_data"].attrs["axistags"] = tags
        reader, image = described(memory.getvalue(), await check(memory.getvalue()))
        sizes = {axis: size for axis, size, _ in (await cutter.cut(reader, image, whole(image))).pixel_sizes}
        known = (2.0, 2.0, 2.0) if maker is plain else PIXEL_SIZES
        assert [sizes[axis] for axis in "zyx"] == pytest.approx(list(known))


def _of(shape: tuple[int, ...]) -> bytes:
    memory = io.BytesIO()
    with h5py.File(memory, "w") as file:
        file["data"] = np.ones(shape, "u1")
    return memory.getvalue()


def _blosc() -> bytes:
    """No chunk of it is written, as nothing here writes Blosc."""
    memory = io.BytesIO()
    with h5py.File(memory, "w") as file:
        plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        plist.set_chunk((8, 8))
        plist.set_filter(32001, h5py.h5z.FLAG_OPTIONAL, (1, 2, 3))
        h5py.h5d.create(file.id, b"data", h5py.h5t.NATIVE_UINT8, h5py.h5s.create_simple((8, 8)), plist)
    return memory.getvalue()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (_of((4, 5)), "not what was segmented"),
        (b"\x89HDF\r\n\x1a\n" + bytes(1000), "can't be read"),
        (b"", "can't be read"),
        (_blosc(), "Blosc"),
    ],
    ids=["another shape", "damaged", "empty", "compressed"],
)
async def test_what_can_not_be_cut_is_said(cutter, data, words):
    """Damage and changes are the file's fault, whatever the library does with them."""
    image = ImageDescription("data", "yx", True, (8, 8), "uint8", reader="hdf5")
    with pytest.raises(CannotCut, match=words):
        await cutter.cut(CountingReader(data), image, ((0, 8), (0, 8)))


async def test_a_small_cut_ends_at_its_limits(cutter):
    """As much as the page takes fits in them; what would be read beyond them is not."""
    image = ImageDescription("data", "zyx", True, (120, 512, 512), "uint8", reader="hdf5")
    memory = io.BytesIO()
    with h5py.File(memory, "w") as file:
        file["data"] = np.random.default_rng(7).integers(0, 256, image.shape, "u1")
    reader = CountingReader(memory.getvalue())
    cut = await cutter.cut(reader, image, whole(image), SMALL_CUT_LIMITS)
    assert len(cut.data) == 120 * 512 * 512
    with pytest.raises(CannotCut, match="30 MiB were not enough"):
        await cutter.cut(reader, image, whole(image), replace(SMALL_CUT_LIMITS, max_bytes=30 * 2**20))
    with pytest.raises(CannotCut, match="more time than there is"):
        await cutter.cut(reader, image, whole(image), replace(SMALL_CUT_LIMITS, parser_cpu_seconds=0.001))


async def test_the_fake_cuts_as_the_real_one_does(cutter):
    """One box, the same bytes."""
    image = ImageDescription("data", "zyx", True, (5, 6, 7), "uint16", reader="hdf5")
    memory = io.BytesIO()
    with h5py.File(memory, "w") as file:
        file["data"] = pixels_like(image)
    both = (cutter, fakes.FakePixels())
    cuts = [await one.cut(CountingReader(memory.getvalue()), image, inner(image)) for one in both]
    assert cuts[0] == cuts[1]
