"""Broken files by the hundred; by the thousand with the slow tests."""

import struct

import pytest

from tests.deploy.pool.damaged_pixels import run_as_node
from tests.unit.inspection.fuzz import run
from tests.unit.inspection.mutations import lookup3


def test_checksums_are_made_as_the_library_makes_them(h5):
    """Otherwise the fuzz would never get past them: the superblock's own is reproduced."""
    data = h5.file(libver="latest")
    assert struct.pack("<I", lookup3(data[:44])) == data[44:48]


@pytest.mark.parametrize("cases", [100, pytest.param(2000, marks=[pytest.mark.slow, pytest.mark.timeout(600)])])
async def test_no_broken_file_breaks_the_check(cases):
    """Never a crash, a hang, a sentence that is none, or a read outside the blob - and not by refusing everything."""
    report = await run(cases=cases, seed=1)
    assert report.broken == []
    assert report.outcomes.total() == cases
    assert report.outcomes["Accepted"] > cases / 30
    assert report.outcomes["Refused"] > cases / 3
    assert report.most_reads <= 64


@pytest.mark.timeout(600)
@pytest.mark.parametrize("cases", [12, pytest.param(500, marks=pytest.mark.slow)])
def test_no_damaged_pixel_breaks_the_conversion(cases):
    """Whatever decoders do with it, the node says so in a sentence: of a bomb, too, and of one that never ends."""
    report = run_as_node(cases, seed=17)
    assert report["broken"] == []
    assert {"copied", "refused", "SIGALRM"} <= report["outcomes"].keys()
