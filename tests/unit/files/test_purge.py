"""`purge`: what is asked, what people and programs read, exit codes."""

from datetime import timedelta

import pytest

from batch_ops.domain.errors import ServiceFault
from tests.world import MINUTE, NAME

DAY = timedelta(days=1)


@pytest.fixture
async def done(operator):
    """Two files that succeeded in two projects, one that is open."""
    for name in (NAME, "worm/w.h5"):
        await operator.world.begin(name)
        await operator.world.finish(name)
    await operator.world.begin("fly/open.h5")
    await operator.world.deliver(MINUTE)
    return operator


async def test_a_removal_is_announced_then_carried_out(done):
    """The list and the row tell it meanwhile, and what soft delete keeps is said at the end."""
    first = await done.types("purge", "fly/", answers="y\n")
    assert first.code == 0
    assert "The removal of 1 file (0.00 GB) will be announced; in 7 days" in first.err
    assert first.out.splitlines() == [
        "0 files removed, the removal of 1 file announced.",
        "1 left alone (it is ACTIVE, not over).",
    ]
    at = f"{done.world.cloud.now + 7 * DAY:%Y-%m-%d %H:%M}"
    assert at in (await done.types("show", NAME)).out
    (listed,) = (await done.types("list", "--json", NAME)).json
    assert listed["purge_at"].startswith(at[:10])
    too_early = await done.types("purge", "fly/", "--yes")
    assert f"Announced already: 1 file (0.00 GB), the first for {at} UTC." in too_early.out
    assert done.world.known(NAME)
    done.world.cloud.advance(7 * DAY)
    last = await done.types("purge", "fly/", "--yes")
    assert last.out.splitlines()[0] == "1 file removed, the removal of 0 files announced."
    assert "can be brought back for 7 days (soft delete)" in last.out
    assert done.world.known(NAME) is None


async def test_the_list_says_what_is_to_be_removed(done):
    """Beside the reason, for people who look at their files."""
    await done.types("purge", NAME, "--yes", "--notice", "14d")
    record = done.world.row(NAME)
    assert record.times.purge_at is not None
    assert f"To be removed from {record.times.purge_at:%Y-%m-%d}" in " ".join(
        (await done.types("list", NAME)).out.split()
    )


async def test_nothing_is_removed_without_an_answer(done):
    """Neither announced: there is nobody to ask, or the answer is no."""
    for answers in (None, "n\n"):
        assert (await done.types("purge", "fly/", answers=answers)).code == 1
    assert done.world.row(NAME).times.purge_at is None


async def test_what_is_meant_must_be_said(done):
    """Everything at once is not, and a notice of hours is none."""
    assert (await done.types("purge", "--yes")).code == 2
    with pytest.raises(SystemExit):
        await done.types("purge", "fly/", "--notice", "0d")


async def test_old_files_of_a_project_are_found_by_their_age(done):
    """With `--json` programs read numbers; a dry run changes nothing."""
    done.world.cloud.advance(91 * DAY)
    found = await done.types("purge", "--older-than", "90d", "--project", "worm", "--json", "--dry-run")
    assert found.json == [
        {"removed": 0, "announced": 0, "later": 0, "left": {}, "due": 0, "new": 1, "dry_run": True},
    ]
    assert (await done.types("purge", "--older-than", "92d", "--project", "worm", "--json", "--yes")).json[0][
        "left"
    ] == {"it is younger": 1}
    assert done.world.row("worm/w.h5").times.purge_at is None


async def test_an_announcement_is_taken_back(done):
    """`--keep` of what was announced; nothing is removed then."""
    await done.types("purge", "fly/", "--yes")
    assert (await done.types("purge", "fly/", "--keep")).out == "1 file will be kept.\n"
    done.world.cloud.advance(8 * DAY)
    assert (await done.types("purge", "fly/", "--dry-run")).out.splitlines()[0] == (
        "0 files (0.00 GB) would be removed, the removal of 1 file (0.00 GB) announced."
    )


async def test_what_is_going_is_not_kept_any_more(done):
    """A removal that was broken off: `--keep` and the list say so, and the next call goes on."""
    await done.types("purge", NAME, "--yes")
    done.world.cloud.advance(8 * DAY)
    done.world.cloud.fail("blobs.delete", ServiceFault("busy"))
    with pytest.raises(ServiceFault):
        await done.types("purge", NAME, "--yes")
    kept = await done.types("purge", NAME, "--keep")
    assert kept.out.splitlines() == ["0 files will be kept.", "1 left alone (its removal has begun)."]
    assert "It is being removed for good" in " ".join((await done.types("list", NAME)).out.split())
    assert (await done.types("purge", NAME, "--yes")).out.splitlines()[0].startswith("1 file removed")
