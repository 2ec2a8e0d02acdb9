"""The doctor's view of events that could not be delivered."""

from datetime import UTC, datetime, timedelta

import pytest

from batch_ops.doctor.findings import Level
from batch_ops.doctor.undelivered import SOME, judge, look
from batch_ops.domain.worklist import SweepMark
from batch_ops.ports.health import PROBE_NAME, ProbeOutcome, ProbeResult
from tests import fakes

SINCE = datetime(2026, 3, 1, tzinfo=UTC)


def sweeps(found: int) -> list[SweepMark]:
    return [SweepMark(name, SINCE, SINCE + timedelta(days=1), found=found) for name in ("input", "dead-letter")]


def test_dead_letters_are_reported_with_the_time_of_the_next_sweep():
    """A warning: something is wrong with the delivery, and the files are not lost."""
    (finding,) = judge("dead-letter", ["a.json", "b.json"], sweeps(0))
    assert finding.level is Level.WARN
    assert "2 blobs" in finding.sentence
    assert "by itself at 2026-03-02 00:00 UTC" in finding.remedy


def test_many_letters_are_not_counted():
    """Only the first hundred are listed."""
    (finding,) = judge("dead-letter", ["a.json"] * SOME, ())
    assert "100 or more blobs" in finding.sentence


@pytest.mark.parametrize(("found", "level"), [(0, Level.OK), (7, Level.NOTE)])
def test_what_the_sweep_took_up_is_remembered(found, level):
    """Events that were undeliverable are seen also after their letters have gone."""
    (finding,) = judge("dead-letter", [], sweeps(found))
    assert finding.level is level
    assert found == 0 or "7 events could not be delivered since 2026-03-01" in finding.sentence


def test_a_missing_container_is_reported_once():
    """By the check of what may be done to storage."""
    assert judge("dead-letter", None, sweeps(3)) == []


class Storage:
    """A data account with one container."""

    async def run(self, probes):
        return [ProbeResult(p, ProbeOutcome.DONE if p.name == "dead-letter" else ProbeOutcome.MISSING) for p in probes]

    async def queue(self, name, *, poison):
        raise NotImplementedError


async def test_the_first_blobs_are_listed():
    """A probe that another check writes just then is none of them; no container is another finding than none in it."""
    blobs = fakes.FakeBlobs(containers=["dead-letter"])
    for number in range(SOME + 1):
        blobs.upload("dead-letter", f"e{number:03}", b"")
    assert await look(blobs, Storage(), "dead-letter") == [f"e{number:03}" for number in range(SOME)]
    blobs = fakes.FakeBlobs(containers=["dead-letter"])
    blobs.upload("dead-letter", f"{PROBE_NAME}1", b"")
    assert await look(blobs, Storage(), "dead-letter") == []
    assert await look(blobs, Storage(), "elsewhere") is None


async def test_probes_that_were_left_hide_no_letter():
    """However many interrupted doctors there were: the listing goes on until the letters behind are counted."""
    blobs = fakes.FakeBlobs(containers=["dead-letter"])
    for number in range(2 * SOME):
        blobs.upload("dead-letter", f"{PROBE_NAME}{number:03}", b"")
    for number in range(SOME):
        blobs.upload("dead-letter", f"letter-{number:03}", b"")
    names = await look(blobs, Storage(), "dead-letter")
    assert names == [f"letter-{number:03}" for number in range(SOME)]
