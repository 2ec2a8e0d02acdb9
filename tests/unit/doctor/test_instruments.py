"""What the doctor says of the instruments that upload by themselves."""

from datetime import timedelta

import pytest

from batch_ops.doctor.findings import Level
from batch_ops.doctor.instruments import Instrument, judge, last_drops
from tests.world import World

DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("days", "silent", "levels"),
    [
        (100, 1, [Level.OK, Level.OK]),
        (30, 1, [Level.WARN, Level.OK]),
        (-1, 14, [Level.FAIL, Level.WARN]),
        (None, None, [Level.NOTE]),
    ],
)
async def test_a_certificate_that_ends_and_a_silence_are_told(days, silent, levels):
    """Thirty days before, and after fourteen days; an identity without a certificate has none that could end."""
    world = World()
    now = world.cloud.now
    instrument = Instrument("scope", None if days is None else now + days * DAY)
    drops = {} if silent is None else {"scope": now - silent * DAY}
    findings = judge([instrument], drops, now)
    assert [finding.level for finding in findings] == levels
    assert all("'scope'" in finding.sentence for finding in findings)


def test_a_renewal_leaves_the_old_certificate():
    """Else the instrument could not upload until somebody has brought it the new one."""
    now = World().cloud.now
    certificate, _ = judge([Instrument("scope", now + DAY, app="1-2")], {}, now)
    assert "az ad app credential reset --id 1-2 --create-cert --years 1 --append" in certificate.remedy


def test_what_may_not_be_asked_is_unknown():
    """Neither fine nor a fault."""
    now = World().cloud.now
    findings = judge([Instrument("id", unknown="The directory is closed.")], None, now)
    assert [finding.level for finding in findings] == [Level.NOTE, Level.NOTE]


async def test_the_last_image_of_a_folder_counts():
    """Of any project; what others drop beside it does not count."""
    world = World()
    await world.begin("fly/scope/a.h5")
    first = world.cloud.now
    world.cloud.advance(DAY)
    await world.begin("worm/scope/b.h5", "fly/other/c.h5")
    found = await last_drops(world.ledger, world.blobs, "projects", ["scope", "never"])
    assert found == {"scope": world.row("worm/scope/b.h5").times.dropped_at}
    assert found["scope"] > first
