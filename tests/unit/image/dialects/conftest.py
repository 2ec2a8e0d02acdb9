"""A check that counts what it reads, shared by the tests of the dialects."""

import pytest_asyncio

from batch_ops.image.facts import ImageOptions
from batch_ops.inspection.checker import ImageChecker
from tests.unit.inspection.conftest import PROJECT_3D, CountingReader, make_h5

_NONE = ImageOptions()
MOST_READS, MOST_BYTES = 24, 2**20


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def look():
    """The verdict on what `build` writes; what it read is noted in the reader."""
    async with ImageChecker() as checker:

        async def run(build, project=PROJECT_3D, options=_NONE):
            reader = CountingReader(make_h5(build))
            verdict = await checker.check_image("x.h5", reader, project, options)
            assert len(reader.reads) <= MOST_READS
            assert sum(length for _, length in reader.reads) <= MOST_BYTES
            return verdict

        yield run
