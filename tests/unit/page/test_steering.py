"""Steering from the page: by the same use cases as the command, by whom it may be, and only from the page itself."""

import pytest

from batch_ops.domain.file_record import State
from batch_ops.domain.page_groups import PageGroups
from tests.unit.page.browser import Browser
from tests.world import World

GROUPS = PageGroups.parse('{"g1": ["fly"]}')


@pytest.fixture
async def world() -> World:
    """Two files of one project have failed, one of another waits for a node."""
    world = World(signs_in=True, page_groups=GROUPS)
    await world.begin("fly/a.h5", "fly/b.h5", "worm/c.h5")
    for name in ("fly/a.h5", "fly/b.h5"):
        await world.fill_disk(name)
    return world


async def word(browser: Browser) -> str:
    """The word that a form of the page carries; the cookie with it comes along."""
    seen = await browser.see("files")
    return next(a["value"] or "" for tag, a in seen.tags if tag == "input" and a.get("name") == "word")


async def send(browser: Browser, place: str, *fields: tuple[str, str], **headers: str) -> tuple[int, str]:
    answer = await browser.post(place, [("word", await word(browser)), *fields], **headers)
    return answer.status_code, answer.get_body().decode()


async def test_one_failed_file_is_run_again_and_its_row_says_for_whom(world: World):
    """At once, and once however often the form is sent."""
    owner = Browser(world, "owner", groups=("g1",))
    for _ in range(2):
        status, said = await send(owner, "steer", ("action", "retry"), ("name", "fly/a.h5"))
        assert (status, "1 file will be run again" in said) == (200, True)
    await world.deliver()
    row = world.row("fly/a.h5")
    assert (row.run, row.state) == (2, State.ACTIVE)
    (note,) = row.steered
    assert (note.what, note.by) == ("retry", "ada@lab (0000-1)")
    assert note.by in (await owner.see("file", name="fly/a.h5")).text
    assert "0 files" in (await send(owner, "steer", ("action", "retry"), ("name", "fly/a.h5")))[1]


async def test_more_than_one_file_asks_first(world: World):
    """What would be done is shown; only the answer does it."""
    owner = Browser(world, "owner", groups=("g1",))
    fields = [("action", "retry"), ("name", "fly/a.h5"), ("name", "fly/b.h5")]
    status, said = await send(owner, "steer", *fields)
    assert (status, "2 files will be run again." in said) == (200, True)
    assert not world.outbox.looks()
    await send(owner, "steer", *fields, ("sure", "1"))
    await world.deliver()
    assert [world.row(name).run for name in ("fly/a.h5", "fly/b.h5")] == [2, 2]


async def test_all_that_a_filter_has(world: World):
    """On every page of it; without a filter that is the visitor's own it is refused."""
    owner = Browser(world, "owner", groups=("g1",))
    fields = [("action", "retry-all"), ("project", "fly"), ("state", "FAILED"), ("sure", "1")]
    assert "2 files will be run again" in (await send(owner, "steer", *fields))[1]
    for own in [("project", ""), ("project", "worm"), ("prefix", "worm/")]:
        assert (await send(owner, "steer", ("action", "cancel-all"), ("sure", "1"), own))[0] == 404
    assert world.row("worm/c.h5").state is State.ACTIVE


async def test_cancelling_notes_who_and_when(world: World):
    """In the row of the run that it ends."""
    operator = Browser(world, "operator")
    assert "1 file cancelled" in (await send(operator, "steer", ("action", "cancel"), ("name", "worm/c.h5")))[1]
    row = world.row("worm/c.h5")
    assert (row.state, row.steered[0].what, row.steered[0].at) == (State.CANCELLED, "cancel", world.cloud.now)


async def test_pausing_and_resuming(world: World):
    """Asks first, is told on the overview with who did it, and ends again."""
    operator = Browser(world, "operator")
    assert "Are you sure?" in (await send(operator, "pause", ("action", "pause"), ("project", "fly")))[1]
    assert not await world.steering.pauses()
    await send(operator, "pause", ("action", "pause"), ("project", "fly"), ("sure", "1"))
    text = " ".join((await operator.see("")).text.split())
    assert "fly is paused by an operator since 2026-03-01" in text
    assert "by ada@lab (0000-1)" in text
    await send(operator, "pause", ("action", "resume"), ("project", "fly"), ("sure", "1"))
    assert not await world.steering.pauses()


async def test_whoever_must_not_steer_can_not(world: World):
    """Viewers nothing, owners nothing of others: answered as what is not there; and they are offered no form."""
    viewer, owner = Browser(world, "viewer", groups=("g1",)), Browser(world, "owner", groups=("g1",))
    assert "word" not in (await viewer.see("files")).all("input", "name")
    for place, fields in [
        ("steer", [("action", "retry"), ("name", "fly/a.h5")]),
        ("steer", [("action", "cancel-all"), ("project", "fly"), ("sure", "1")]),
        ("pause", [("action", "pause"), ("project", "fly"), ("sure", "1")]),
    ]:
        lent = await word(owner)
        viewer.headers["cookie"] = owner.headers["cookie"]
        assert (await viewer.post(place, [("word", lent), *fields])).status_code == 404
    for place, fields in [
        ("steer", [("action", "cancel"), ("name", "worm/c.h5")]),
        ("steer", [("action", "cancel"), ("name", "fly/../worm/c.h5")]),
        ("pause", [("action", "pause"), ("project", ""), ("sure", "1")]),
        ("pause", [("action", "pause"), ("project", "worm"), ("sure", "1")]),
    ]:
        assert (await send(owner, place, *fields))[0] == 404
    assert (await Browser(world).post("steer", [])).status_code == 403
    assert not world.outbox.looks()
    assert not await world.steering.pauses()


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": ""},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "none"},
    ],
)
async def test_a_form_of_another_page_is_refused(world: World, headers):
    """Even with the right word."""
    admin = Browser(world, "admin")
    status, _ = await send(admin, "steer", ("action", "retry"), ("name", "fly/a.h5"), **headers)
    assert status == 403
    assert not world.outbox.looks()


async def test_a_form_without_this_browsers_word_is_refused(world: World):
    """Neither none, nor another's, nor one without the cookie; and a form that is too large or means nothing."""
    admin, other = Browser(world, "admin"), Browser(world, "admin")
    mine, theirs = await word(admin), await word(other)
    fields = [("action", "retry"), ("name", "fly/a.h5")]
    assert mine != theirs
    for given in ([], [("word", "")], [("word", theirs)], [("word", "\u00e4")]):
        assert (await admin.post("steer", [*given, *fields])).status_code == 403
    assert (await Browser(world, "admin").post("steer", [("word", mine), *fields])).status_code == 403
    assert (await admin.post("steer", [("word", mine), ("name", "x" * 600_000)])).status_code == 413
    for nonsense in ([], [("action", "delete"), ("name", "fly/a.h5")], [("action", "retry")]):
        assert (await admin.post("steer", [("word", mine), *nonsense])).status_code == 400
    assert (await admin.get("steer")).status_code == 405
    assert not world.outbox.looks()
