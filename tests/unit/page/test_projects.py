"""The page of a project."""

import re
from dataclasses import replace

import pytest

from batch_ops.domain.page_groups import PageGroups
from batch_ops.task.objects import COMPONENTS
from tests.fakes.check import PROJECT
from tests.unit.page.browser import Browser
from tests.unit.page.test_steering import send
from tests.world import World

GROUPS = PageGroups.parse('{"g1": ["fly"]}')
COLOURED = replace(PROJECT, label_colors=("#ffe119", "#00000a"), features=("Gaussian Smoothing 0.3, 3.5",))


@pytest.fixture
async def world() -> World:
    """Two files of one project are done, one of another waits for a node."""
    world = World(signs_in=True, page_groups=GROUPS)
    world.check.project = COLOURED
    await world.begin("fly/a.h5", "fly/b.h5", "worm/c.h5")
    for name in ("fly/a.h5", "fly/b.h5"):
        await world.finish(name)
    return world


async def test_a_project_tells_its_classifier_and_what_it_has_done(world: World):
    """Labels in their colours, features, how often this version was used, numbers by state, a plot of the counts."""
    seen = await Browser(world, "viewer", groups=("g1",)).see("project", project="fly")
    text = " ".join(seen.text.split())
    for said in (
        "Gaussian Smoothing 0.3, 3.5",
        "cell",
        "2 files",
        "2 Done",
        "2026-03",
        "In use since2026-03-01",
        COMPONENTS,
    ):
        assert said in text
    assert seen.all("rect", "fill") == ["#ffe119", "#00000a"]
    assert len(seen.all("polyline", "points")[0].split()) == 2
    assert [url for url in seen.all("a", "href") if "backfill" in url] == []


async def test_a_configuration_is_told_and_what_is_wrong_with_it(world: World):
    """What differs from the default; a faulty one stops the project, and the page says so."""
    world.blobs.upload("projects", "fly.json", b'{"axes": "zyx", "objects": {"classes": ["<b>"]}}')
    world.new_process()
    browser = Browser(world, "admin")
    text = (await browser.see("project", project="fly")).text
    assert re.search(r"axes\s*zyx", text)
    assert '["<b>"]' in text
    world.blobs.upload("projects", "fly.json", b'{"axis": "zyx"}')
    world.new_process()
    assert "unknown key 'axis'" in (await browser.see("project", project="fly")).text


async def test_what_is_not_yours_or_not_there_has_no_page(world: World):
    """Both are answered alike."""
    viewer = Browser(world, "viewer", groups=("g1",))
    for project in ("worm", "none", "", "fly/x", "\x00"):
        assert (await viewer.get("project", project=project)).status_code == 404
        assert (await viewer.get("backfill", project=project)).status_code == 404
    assert (await viewer.get("backfill", project="fly")).status_code == 404
    assert (await Browser(world, "admin").get("project", project="none")).status_code == 404


async def test_older_images_are_counted_and_run_when_asked(world: World):
    """The forecast names number and time; ordering asks first, and each then starts as any back-fill does."""
    world.drop("fly/old 1.h5")
    world.drop("fly/old 2.h5")
    owner = Browser(world, "owner", groups=("g1",))
    text = (await owner.see("backfill", project="fly")).text
    assert "2 files of this project's folder never ran" in text
    assert "a guess: no file has finished yet" in text
    fields = [("action", "backfill"), ("project", "fly")]
    assert "2 files will be run." in (await send(owner, "backfill", *fields))[1]
    assert not world.outbox.looks()
    assert "each when it is its turn" in (await send(owner, "backfill", *fields, ("sure", "1")))[1]
    assert sorted(order.name for order in world.outbox.looks()) == ["fly/old 1.h5", "fly/old 2.h5"]
    for wrong in ([("action", "backfill"), ("project", "worm")], [("action", "other"), ("project", "fly")]):
        assert (await send(owner, "backfill", *wrong, ("sure", "1")))[0] in {400, 404}
