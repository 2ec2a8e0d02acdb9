"""What a visitor is shown, and what not."""

from dataclasses import replace

import pytest

from batch_ops.domain.errors import ServiceFault
from batch_ops.domain.page_groups import PageGroups
from batch_ops.task.objects import COMPONENTS
from tests.fakes.check import PROJECT
from tests.unit.page.browser import Browser
from tests.unit.page.test_steering import send
from tests.world import World

HOSTILE = "fly/<img src=x onerror=alert(1)>\"'&amp;\u202e.h5"
GROUPS = PageGroups.parse('{"g1": ["fly"]}')


@pytest.fixture
def world() -> World:
    return World(signs_in=True, page_groups=GROUPS)


async def test_nobody_comes_in_without_sign_in_or_role(world: World):
    """Neither where App Service's authentication is off, whatever a header says, nor without one of the roles."""
    for browser in (Browser(world), Browser(world, "reader")):
        for place in ("", "files", "file", "picture", "result", "crop"):
            assert (await browser.get(place, name="fly/a.h5")).status_code == 403
    world.new_process(signs_in=False)
    answer = await Browser(world, "admin").get("files")
    assert answer.status_code == 403
    assert b"App Service authentication" in answer.get_body()


async def test_what_is_not_yours_is_not_there(world: World):
    """A viewer of one group gets for the files of others what there is for files that do not exist."""
    await world.begin("fly/a.h5", "worm/b.h5")
    await world.finish("worm/b.h5")
    viewer = Browser(world, "viewer", groups=("g1",))
    seen = await viewer.see("files")
    assert "fly/a.h5" in seen.text
    assert "worm" not in seen.text + (await viewer.see("")).text
    absent = await viewer.get("file", name="fly/none.h5")
    for place, query in [
        ("file", {"name": "worm/b.h5"}),
        ("files", {"project": "worm"}),
        ("result", {"name": "worm/b.h5", "path": "provenance.json"}),
        ("result", {"name": "fly/../worm/b.h5", "path": "provenance.json"}),
        ("result", {"name": "fly/a.h5", "path": "../../worm/b.h5/provenance.json"}),
        ("picture", {"name": "worm/b.h5", "path": "pictures/small.png"}),
        ("picture", {"name": "fly/a.h5", "path": "../../worm/b.h5/pictures/small.png"}),
        ("picture", {"name": "fly/a.h5", "path": "provenance.json"}),
        ("crop", {"name": "worm/b.h5"}),
        ("crop", {"name": "fly/../worm/b.h5"}),
        ("no/such/page", {}),
    ]:
        answer = await viewer.get(place, **query)
        assert (answer.status_code, answer.get_body()) == (404, absent.get_body()), (place, query)
    assert "worm/b.h5" in (await Browser(world, "operator").see("files")).text
    assert "fly/a.h5" not in (await Browser(world, "viewer").see("files")).text


async def test_names_and_reasons_never_become_markup(world: World):
    """They are shown letter by letter, but for marks that turn the text; links to them lead to the very file."""
    await world.begin(HOSTILE)
    row = await world.fill_disk(HOSTILE)
    browser = Browser(world, "admin")
    for place, query in [("files", {}), ("files", {"prefix": HOSTILE}), ("file", {"name": HOSTILE})]:
        seen = await browser.see(place, **query)
        assert HOSTILE.replace("\u202e", "\ufffd") in seen.text
        assert row.reason.replace("\u202e", "\ufffd") in seen.text
        assert not [attributes for tag, attributes in seen.tags if "onerror" in attributes or tag == "img"]
    links = [url for url in (await browser.see("files")).all("a", "href") if url.startswith("/page/file?")]
    assert "onerror=alert(1)" in (await browser.see(links[0].removeprefix("/page/"))).text


async def test_every_answer_is_closed_to_others(world: World):
    """A strict policy, nothing from another host, no script or style within the page."""
    await world.begin("fly/a.h5")
    browser = Browser(world, "admin")
    for place in ("", "files", "file?name=fly/a.h5", "none", "static/page.css", "static/page.js"):
        answer = await browser.get(place)
        policy = answer.headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'; ")
        assert not [word for word in ("unsafe", "http", "*", "data:") if word in policy]
        assert (answer.headers["X-Content-Type-Options"], answer.headers["X-Frame-Options"]) == ("nosniff", "DENY")
        body = answer.get_body().decode()
        assert not [word for word in ("http://", "https://", "style=", "<style") if word in body]
    seen = await browser.see("files")
    assert [src for src in seen.all("script", "src") if not src.startswith("/page/static/")] == []
    assert len([tag for tag, _ in seen.tags if tag == "script"]) == len(seen.all("script", "src"))


async def test_a_file_that_is_done_has_its_results(world: World):
    """Only what provenance.json names, each to be kept under its own name; nothing else of the container."""
    await world.begin("fly/a.h5")
    await world.finish("fly/a.h5", more={"objects.csv": b"a,b"})
    world.blobs.upload("results", "fly/a.h5/secret.txt", b"!")
    browser = Browser(world, "viewer", groups=("g1",))
    seen = await browser.see("file", name="fly/a.h5")
    places = [url.removeprefix("/page/") for url in seen.all("a", "href") if "/result?" in url]
    assert len(places) >= 3
    assert COMPONENTS in seen.text
    assert (await browser.see("files", project="fly")).text.count(COMPONENTS) == 1
    for place in places:
        answer = await browser.get(place)
        assert answer.status_code == 200
        assert answer.headers["Content-Disposition"].startswith("attachment; filename*=UTF-8''")
    assert (await browser.get("result", name="fly/a.h5", path="secret.txt")).status_code == 404
    assert (await browser.get("result", name="fly/a.h5", path="objects.csv")).get_body() == b"a,b"


async def test_what_is_too_large_is_not_read(world: World):
    """The host would hold it in memory: the page says how to take it."""
    await world.begin("fly/a.h5")
    await world.finish("fly/a.h5", more={"large.bin": b"0"})
    world.blobs.upload("results", "fly/a.h5/large.bin", bytes(2**26 + 1))
    answer = await Browser(world, "admin").get("result", name="fly/a.h5", path="large.bin")
    assert answer.status_code == 413
    assert b"az storage blob download" in answer.get_body()


async def test_the_overview_says_what_waits_and_why(world: World):
    """Numbers by state, reasons with an example, pauses, projects with what they have done, and the pool."""
    await world.begin("fly/a.h5", "fly/b.h5", "lost/c.h5")
    await world.finish("fly/a.h5")
    await world.steering.pause("worm")
    seen = await Browser(world, "admin").see("")
    words = " ".join(seen.text.split())
    assert "1 Waiting for its classifier" in words
    assert "1 Done" in words
    assert f"1 file: {world.row('lost/c.h5').reason}" in words
    assert "worm is paused by an operator since 2026-03-01" in words
    assert "fly1000" in words


async def test_a_service_that_does_not_answer_is_told(world: World):
    """In words, with the status that says: try again."""
    world.cloud.fail("index.page", ServiceFault("Table storage does not answer."))
    answer = await Browser(world, "admin").get("files")
    assert answer.status_code == 503
    assert b"Try again" in answer.get_body()


async def test_a_fault_of_the_page_tells_nothing_of_itself(world: World, caplog):
    """The visitor learns that it failed, the log why."""
    world.cloud.fail("index.page", KeyError("a secret"))
    answer = await Browser(world, "admin").get("files")
    assert answer.status_code == 500
    assert b"secret" not in answer.get_body()
    assert "a secret" in caplog.text


async def test_files_are_found_by_their_warnings(world: World):
    """Of one kind or of any; "all of these" then means those alone; the file's page leads there."""
    await world.begin("fly/a.h5")
    world.check.project = replace(PROJECT, classes=("one", "two"))
    world.project("worm", b"another")
    await world.begin("worm/b.h5")
    (warning,) = world.row("worm/b.h5").plan.warnings
    admin = Browser(world, "admin")
    for asked in (warning.code, "any"):
        text = (await admin.see("files", warning=asked)).text
        assert "worm/b.h5" in text
        assert "fly/a.h5" not in text
        assert "1 of the 2 files that were looked through" in text
    assert f"warning={warning.code}" in " ".join((await admin.see("file", name="worm/b.h5")).all("a", "href"))
    fields = [("action", "cancel-all"), ("sure", "1")]
    assert (await send(admin, "steer", *fields, ("warning", "unheard-of")))[0] == 400
    assert "1 file cancelled" in (await send(admin, "steer", *fields, ("warning", warning.code)))[1]
    assert [world.row(name).state.is_final for name in ("fly/a.h5", "worm/b.h5")] == [False, True]


@pytest.mark.parametrize(
    "query", [{"state": "NONE"}, {"warning": "x"}, {"place": "i\u00e4"}, {"place": "n"}, {"project": "fly", "x": "y"}]
)
async def test_what_a_filter_does_not_know_is_ignored(world: World, query):
    """An address that was cut or typed still shows files."""
    await world.begin("fly/a.h5")
    assert "fly/a.h5" in (await Browser(world, "admin").see("files", **query)).text
