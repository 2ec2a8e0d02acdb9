"""What a check costs: reads and bytes on files as microscopes write them."""

import h5py
import numpy as np
import pytest

from batch_ops.image.facts import Accepted, CheckLimits, ProjectFacts

pytestmark = pytest.mark.asyncio(loop_scope="module")
MOST_READS = 14


def _small_chunks(h5, file):
    """Thousands of small compressed chunks: a long chunk index."""
    dataset = h5.add(
        file, "volume/data", (20, 40, 200, 200, 1), data=None, chunks=(1, 2, 40, 40, 1), compression="gzip"
    )
    for t in range(20):
        for z in range(0, 40, 2):
            for y in range(0, 200, 40):
                dataset.id.write_direct_chunk((t, z, y, 0, 0), b"x" * 10)


def _tags_last(h5, file):
    """Pixels first, and the attribute far behind them."""
    dataset = h5.add(file, "volume/data", (4, 40, 100, 100, 1), axes=None)
    file.flush()
    dataset.attrs["axistags"] = h5.tags("tzyxc")


def _many_neighbours(h5, file):
    """Metadata in hundreds of small datasets and groups around the one image."""
    for i in range(300):
        file[f"meta/{i:03}/value"] = np.arange(9)
    h5.add(file, "volume/data")


@pytest.mark.parametrize("libver", ["earliest", "latest"])
@pytest.mark.parametrize("build", [_small_chunks, _tags_last, _many_neighbours])
async def test_a_check_takes_few_reads(h5, check, build, libver):
    """At most fourteen reads and one MiB, whatever the pixels weigh."""
    reader = h5.reader(h5.file(lambda f: build(h5, f), libver=libver))
    assert isinstance(await check(reader), Accepted)
    assert len(reader.reads) <= MOST_READS
    assert sum(length for _, length in reader.reads) <= 2**20


@pytest.mark.parametrize("libver", ["earliest", "latest"])
async def test_size_of_the_pixels_does_not_matter(h5, check, tmp_path, libver):
    """A file of 40 GB whose image stands behind the pixels of another costs no more than a small one."""
    path = tmp_path / "big.h5"
    with h5py.File(path, "w", libver=libver) as file:
        plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        plist.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
        plist.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
        for name, shape in ((b"vector", (30 * 10**9,)), (b"image", (50, 100, 1000, 2000, 1))):
            space = h5py.h5s.create_simple(shape)
            h5py.h5d.create(file.id, name, h5py.h5t.NATIVE_UINT8, space, plist)
        file["image"].attrs["axistags"] = h5.tags("tzyxc")
    reader = h5.reader(path)
    assert reader.size > 39 * 10**9
    assert isinstance(await check(reader), Accepted)
    assert len(reader.reads) <= MOST_READS


async def test_file_that_is_not_hdf5_is_recognised_by_few_reads(h5, check, tmp_path):
    """Even in 100 GB of something else there are only so many places for a signature."""
    path = tmp_path / "big.h5"
    path.write_bytes(b"\x89PNG")
    with path.open("r+b") as file:
        file.truncate(100 * 10**9)
    reader = h5.reader(path)
    assert "a PNG" in (await check(reader)).sentence
    assert len(reader.reads) <= 25
    assert sum(length for _, length in reader.reads) < 70_000


@pytest.mark.parametrize("case", ["nuclei3d", "stack2dfeatures", "cells2d"])
async def test_real_project_and_image(h5, checker, check, case):
    """A project saved by ilastik and the image it was made for: facts, few reads, accepted."""
    folder = h5.reference / "ilastik" / case
    if not folder.exists():
        pytest.skip("the reference outputs of the real ilastik are not here")
    project = h5.reader(folder / "project.ilp")
    facts = await checker.inspect_project("p.ilp", project)
    assert isinstance(facts, ProjectFacts)
    assert facts.axes == "txyzc"
    assert facts.spatial_dimensions == (2 if case == "cells2d" else 3)
    assert facts.columns == facts.feature_columns(1, 1 if case == "cells2d" else 40)
    assert len(project.reads) <= MOST_READS
    image = h5.reader(folder / "input.h5")
    assert isinstance(await check(image, project=facts), Accepted)
    assert len(image.reads) <= 3


async def test_project_of_an_old_version(h5, checker, check):
    """A project of ilastik 0.6 stores no axes; its classifier still tells 3D from 2D."""
    folder = h5.reference
    if not folder.exists():
        pytest.skip("the reference outputs of the real ilastik are not here")
    facts = await checker.inspect_project("p.ilp", (folder / "seed" / "pixelClassification.ilp").read_bytes())
    assert isinstance(facts, ProjectFacts)
    assert (facts.ilastik_version, facts.axes, facts.columns, facts.sigma_3d) == ("0.6", "", 21, 3.5)
    assert facts.lane_path == "drosophila_00-49.h5/volume/data"
    assert isinstance(await check(folder / "ilastik" / "nuclei3d" / "input.h5", project=facts), Accepted)
    assert "2D" in (await check(folder / "ilastik" / "cells2d" / "input.h5", project=facts)).sentence


async def test_budget_is_never_exceeded(h5, check):
    """However a file is laid out, a check reads no more than it may."""
    data = h5.file(lambda f: _many_neighbours(h5, f), libver="earliest")
    for most in range(4):
        reader = h5.reader(data)
        await check(reader, limits=CheckLimits(max_reads=most))
        assert len(reader.reads) <= most
