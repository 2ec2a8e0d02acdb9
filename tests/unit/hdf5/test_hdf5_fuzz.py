"""Broken files by the hundred; `python -m tests.unit.hdf5.fuzz` runs as many as one likes."""

import struct

from tests.unit.hdf5.fuzz import lookup3, run


def test_checksums_are_made_as_the_library_makes_them(h5):
    """Otherwise the fuzz would never get past them: the superblock's own is reproduced."""
    data = h5.file(libver="latest")
    assert struct.pack("<I", lookup3(data[:44])) == data[44:48]


async def test_no_broken_file_breaks_the_check():
    """Never a crash, a hang, a sentence that is none, or a read outside the blob - and not by refusing everything."""
    report = await run(cases=300, seed=1)
    assert report.broken == []
    assert report.outcomes.total() == 300
    assert report.outcomes["Accepted"] > 10
    assert report.outcomes["Refused"] > 100
    assert report.most_reads <= 64
