"""The check of whole files, through the real parser process."""

import asyncio

import h5py
import numpy as np
import pytest

from batch_ops.image.facts import Accepted, CheckLimits, Refused, Unchecked
from batch_ops.task.run_plan import AxesSource, ImageDescription

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_good_image_is_accepted_with_its_facts(h5, check):
    """Path, shape, type and axes come back as the file has them."""
    verdict = await check(h5.file())
    assert verdict == Accepted(
        ImageDescription("volume/data", "tzyxc", True, (2, 12, 20, 22, 1), "uint8", AxesSource.TAGS, "hdf5")
    )


@pytest.mark.parametrize("libver", ["earliest", "v108", "v110", "latest"])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"chunks": True, "compression": "gzip", "shuffle": True, "fletcher32": True},
        {"chunks": (1, 4, 5, 5, 1), "compression": "lzf"},
        {"chunks": (1, 4, 5, 5, 1), "scaleoffset": 0},
        {"chunks": (1, 4, 5, 5, 1), "maxshape": (None, None, 20, 22, 1)},
        {"chunks": (1, 12, 20, 22, 1), "maxshape": (None, 12, 20, 22, 1)},
    ],
    ids=["contiguous", "gzip", "lzf", "scaleoffset", "growing", "one growing"],
)
async def test_every_usual_layout_is_accepted(h5, check, libver, options):
    """What microscopes and scripts write, in every version of the format."""
    assert isinstance(await check(h5.file(lambda f: h5.add(f, **options), libver=libver)), Accepted)


@pytest.mark.parametrize("code", [307, 32001, 32004, 32008, 32015, 32026])
async def test_a_compression_that_only_the_node_can_read_is_accepted(h5, check, code):
    """Blosc, Zstandard and their like: the check decodes nothing, so it needs none of them."""

    def build(file):
        plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        plist.set_chunk((1, 4, 5, 5, 1))
        plist.set_filter(code, h5py.h5z.FLAG_OPTIONAL, (1, 2, 3))
        space = h5py.h5s.create_simple((2, 12, 20, 22, 1))
        made = h5py.Dataset(h5py.h5d.create(file.id, b"data", h5py.h5t.NATIVE_UINT8, space, plist))
        made.attrs["axistags"] = h5.tags("tzyxc")

    assert isinstance(await check(h5.file(build)), Accepted)


@pytest.mark.parametrize("dtype", ["u1", "i1", "<u2", ">u2", "i4", "u8", "f2", "<f4", ">f8", "?"])
async def test_every_plain_number_is_accepted(h5, check, dtype):
    """All widths and byte orders of numbers."""
    verdict = await check(h5.file(lambda f: h5.add(f, dtype=dtype)))
    assert verdict.image.dtype == np.dtype(dtype).name


async def test_image_beside_other_data_is_found(h5, check):
    """Vectors, scalars, types, links and second names do not hide the one image."""

    def build(file):
        h5.add(file, "a/b/image")
        file["vector"] = np.arange(5)
        file["scalar"] = 3
        file["text"] = "hello"
        file["type"] = np.dtype("i4")
        file["zlink"] = h5py.SoftLink("/a/b/image")
        file["znowhere"] = h5py.SoftLink("/k")
        file["znd_name"] = file["a/b/image"]
        file["a/up"] = file["/"]

    assert (await check(h5.file(build))).image.internal_path == "a/b/image"


async def test_user_block_is_skipped(h5, check):
    """A file may begin with a block of its own."""
    assert isinstance(await check(h5.file(userblock_size=1024)), Accepted)


async def test_padded_file_is_accepted(h5, check):
    """Bytes after the file's own end do no harm."""
    assert isinstance(await check(h5.file() + bytes(100_000)), Accepted)


async def test_virtual_dataset_within_the_file_is_accepted(h5, check):
    """A virtual dataset whose sources are in the very file reaches nothing else."""

    def build(file):
        h5.add(file, "raw")
        layout = h5py.VirtualLayout(shape=(2, 12, 20, 22, 1), dtype="u1")
        layout[:] = h5py.VirtualSource(file["raw"])
        file.create_virtual_dataset("view", layout).attrs["axistags"] = h5.tags("tzyxc")

    assert isinstance(await check(h5.file(build), internal_path="view"), Accepted)


async def test_a_stack_of_planes_beside_them_is_the_image(h5, check):
    """What it is put together from is passed over, and said."""

    def build(file):
        layout = h5py.VirtualLayout(shape=(14, 20, 22), dtype="u1")
        for z in range(14):
            file[f"planes/z{z:02d}"] = np.full((20, 22), z, "u1")
            layout[z] = h5py.VirtualSource(file[f"planes/z{z:02d}"])
        file.create_virtual_dataset("stack", layout).attrs["axistags"] = h5.tags("zyx")

    verdict = await check(h5.file(build))
    assert (verdict.image.internal_path, verdict.image.shape) == ("stack", (14, 20, 22))
    (warning,) = verdict.warnings
    assert "'stack' is segmented, as it is put together from the others" in warning.sentence
    assert "planes/z00 (a piece of stack)" in warning.sentence


async def test_untagged_image_takes_the_configured_axes(h5, check):
    """Without tags the project's configuration counts, and the task is told to write them."""
    data = h5.file(lambda f: h5.add(f, axes=None))
    verdict = await check(data, axes="tzyxc")
    assert (verdict.image.axes, verdict.image.tagged) == ("tzyxc", False)


@pytest.mark.parametrize("kind", ["str", "bytes", "array"])
async def test_tags_may_be_any_kind_of_text(h5, check, kind):
    """Variable and fixed length, scalar or one element: ilastik reads them all, other tools write them all."""
    value = {"str": h5.tags("tzyxc"), "bytes": np.bytes_(h5.tags("tzyxc").encode()), "array": [h5.tags("tzyxc")]}

    def build(file):
        h5.add(file, axes=None).attrs["axistags"] = value[kind]

    assert (await check(h5.file(build))).image.axes == "tzyxc"


async def test_sparse_image_is_accepted(h5, check):
    """Chunks that were never written are nothing unusual."""
    build = lambda f: h5.add(f, shape=(100, 50, 200, 100, 1), data=None, chunks=(1, 10, 50, 50, 1))  # noqa: E731
    assert isinstance(await check(h5.file(build)), Accepted)


@pytest.mark.parametrize("fill", ["links", "numbers"])
async def test_wide_and_deep_files_end_with_the_budget(h5, check, fill):
    """Thousands of links or numbers in front of a second image: not read to the end, so not judged."""

    def build(file):
        h5.add(file, "a")
        for i in range(2100):
            file[f"m{i}"] = h5py.SoftLink("/a") if fill == "links" else i
        h5.add(file, "z")

    verdict = await check(h5.file(build, libver="latest"))
    assert isinstance(verdict, Unchecked)
    assert "too many" in verdict.sentence


async def test_very_deep_file_ends_with_the_budget(h5, check):
    """A hundred groups in each other are more than any image has."""
    verdict = await check(h5.file(lambda f: h5.add(f, "g/" * 150 + "data")))
    assert isinstance(verdict, Unchecked)


@pytest.mark.parametrize(
    ("limits", "word"),
    [
        (CheckLimits(max_reads=0), "0 reads"),
        (CheckLimits(max_bytes=100), "MiB"),
        (CheckLimits(max_objects=1), "too many"),
    ],
)
async def test_spent_budget_lets_the_file_run(h5, check, limits, word):
    """A check that runs out of reads, bytes or objects says so and refuses nothing."""
    verdict = await check(h5.file(), limits=limits)
    assert isinstance(verdict, Unchecked)
    assert not verdict.passing
    assert word in verdict.sentence


async def test_slow_storage_says_nothing_about_the_file(h5, check):
    """Seconds are a budget too, but another time they may be enough."""

    async def stuck(_offset):
        await asyncio.Event().wait()

    verdict = await check(h5.reader(h5.file(), stuck), limits=CheckLimits(max_seconds=0.05))
    assert isinstance(verdict, Unchecked)
    assert verdict.passing
    assert "0.05 seconds" in verdict.sentence


@pytest.mark.parametrize("fault", [TimeoutError, ConnectionError, LookupError])
async def test_fault_of_the_storage_is_raised_on(h5, check, fault):
    """What the reader raises is the caller's to judge - also in the middle of the parser's work."""

    async def fails_later(offset):
        if offset > 0:
            raise fault("storage")

    data = h5.file(lambda f: [f.create_dataset("big", data=np.zeros(100_000, "u1")), h5.add(f)])
    with pytest.raises(fault, match="storage"):
        await check(h5.reader(data, fails_later))


async def test_given_head_costs_no_read(h5, check):
    """What the caller has downloaded already is not read again."""
    data = h5.file()
    reader = h5.reader(data)
    assert isinstance(await check(reader, head=data[:65536]), Accepted)
    assert reader.reads == []


async def test_first_read_is_the_first_64_kib(h5, check):
    """A caller may have exactly these at hand."""
    reader = h5.reader(h5.file(lambda f: h5.add(f, shape=(4, 40, 60, 60, 1))))
    await check(reader)
    assert reader.reads[0] == (0, 65536)


EDGES = [
    ("ok.h5", {}, Accepted),
    ("t1.h5", {}, Accepted),
    ("thin_z.h5", {}, Refused),
    ("two_datasets.h5", {}, Accepted),  # its project was trained on volume/data, which the node names
    ("two_datasets.h5", {"internal_path": "volume/data"}, Accepted),
    ("two_datasets.h5", {"internal_path": "volume/nothere"}, Refused),
    ("no_axistags.h5", {}, Refused),
    ("no_axistags.h5", {"axes": "txyzc"}, Accepted),
    ("xyzc.h5", {}, Accepted),  # with --ignore_training_axistags, which the node gives
]


@pytest.mark.parametrize(("file", "options", "expected"), EDGES)
async def test_agrees_with_the_real_ilastik(h5, checker, check, file, options, expected):
    """Accepted is what ilastik segmented, refused what it failed on, in its own edge cases."""
    folder = h5.reference / "ilastik"
    if not folder.exists():
        pytest.skip("the reference outputs of the real ilastik are not here")
    project = await checker.inspect_project("p.ilp", (folder / "nuclei3d" / "project.ilp").read_bytes())
    assert isinstance(await check(folder / "edge" / file, project=project, **options), expected)
