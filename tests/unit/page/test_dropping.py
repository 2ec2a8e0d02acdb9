"""Images from the browser: by whom it may be, from the page itself, and only where the app may write them."""

import json

import pytest

from batch_ops.domain.file_record import State
from batch_ops.domain.page_groups import PageGroups
from batch_ops.domain.uploads import BLOCK_BYTES
from tests.unit.page.browser import Browser
from tests.world import World

GROUPS = PageGroups.parse('{"g1": ["fly"]}')
DATA = b"an image"
QUERY = {"name": "fly/new.h5", "length": str(len(DATA)), "upload": "a" * 32}


@pytest.fixture
def world() -> World:
    """The app may write images."""
    return World(signs_in=True, page_groups=GROUPS, page_upload=True)


async def word(browser: Browser) -> str:
    seen = await browser.see("drop")
    return next(a["value"] or "" for tag, a in seen.tags if tag == "input" and a.get("name") == "word")


async def drop(browser: Browser, query: dict[str, str], data: bytes = DATA, site: str = "same-origin") -> list[int]:
    """Send a file of one block; the statuses of the block and of the end."""
    headers = {"sec-fetch-site": site}
    secret = await word(browser)
    block = await browser.send("drop/block", data, query | {"number": "0"}, **{"x-page-word": secret, **headers})
    form = f"word={secret}&replaces=".encode()
    end = await browser.send("drop/finish", form, query, **headers)
    return [block.status_code, end.status_code]


async def test_a_dropped_file_goes_its_way(world: World):
    """It is looked at, sent and there; its blob says who sent it, and its event starts it."""
    owner = Browser(world, "owner", groups=("g1",))
    seen = json.loads((await owner.get("drop/look", **QUERY)).get_body())
    assert seen == {"objection": "", "exists": False, "done": False, "staged": []}
    assert await drop(owner, QUERY) == [204, 200]
    stored = world.blobs.find("input", "fly/new.h5")
    assert (stored.data, stored.blob.meta("uploaded_by")) == (DATA, "ada@lab (0000-1)")
    assert (await world.start("fly/new.h5")).state is State.ACTIVE
    assert json.loads((await owner.get("drop/look", **QUERY)).get_body())["done"]


async def test_what_another_program_left_behind_is_said(world: World):
    """Its blocks stay for a week, and no block of ours can lie beside them."""
    await world.uploads.stage("input", QUERY["name"], "another", 0, b"x")
    owner = Browser(world, "owner", groups=("g1",))
    headers = {"x-page-word": await word(owner), "sec-fetch-site": "same-origin"}
    answer = await owner.send("drop/block", DATA, QUERY | {"number": "0"}, **headers)
    why = json.loads(answer.get_body())["why"]
    (form,) = [a for tag, a in (await owner.see("drop")).tags if tag == "form" and a.get("id") == "drop"]
    assert (answer.status_code, "Another program" in (form[f"data-said-{why}"] or "")) == (409, True)


@pytest.mark.parametrize(
    ("roles", "groups", "name"),
    [
        (("viewer",), ("g1",), "fly/new.h5"),
        (("owner",), ("g1",), "worm/new.h5"),
        (("owner",), (), "fly/new.h5"),
        (("owner",), ("g1",), "new.h5"),
        (("operator",), (), "/new.h5"),
        ((), (), "fly/new.h5"),
    ],
)
async def test_nobody_drops_into_what_is_not_theirs(world: World, roles, groups, name):
    """Nor do they learn anything about the file; a viewer is shown no place to drop at."""
    word_of_another = await word(Browser(world, "admin"))
    somebody = Browser(world, *roles, groups=groups)
    asked = QUERY | {"name": name}
    refused = 404 if roles else 403
    assert (await somebody.get("drop/look", **asked)).status_code == refused
    somebody.headers["cookie"] = f"page-form={word_of_another}"
    sent = {"x-page-word": word_of_another}
    assert (await somebody.send("drop/block", DATA, asked | {"number": "0"}, **sent)).status_code == refused
    end = await somebody.send("drop/finish", f"word={word_of_another}".encode(), asked)
    assert (end.status_code, world.blobs.names("input")) == (refused, [])
    if "viewer" in roles:
        assert (await somebody.get("drop")).status_code == 404
        assert "/page/drop" not in (await somebody.see("files")).all("a", "href")


async def test_only_the_page_itself_sends(world: World):
    """Without its word, or from another page, nothing is taken."""
    admin = Browser(world, "admin")
    assert await drop(admin, QUERY, site="cross-site") == [403, 403]
    assert (await admin.send("drop/block", DATA, QUERY | {"number": "0"})).status_code == 403
    assert (await admin.send("drop/finish", b"word=", QUERY)).status_code == 403
    assert not world.cloud.calls["uploads.stage"]


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"length": "-1"}, 400),
        ({"length": "9" * 30}, 400),
        ({"upload": "../../projects"}, 404),
        ({"length": "7"}, 400),
        ({"name": "fly/notes.docx"}, 400),
        ({"name": "fly/../../projects/fly.ilp"}, 400),
    ],
)
async def test_what_cannot_be_a_block_is_refused(world: World, change, status):
    """By its length, its number or its name; nothing of it reaches the service."""
    statuses = await drop(Browser(world, "admin"), QUERY | change)
    assert statuses[0] == status
    assert not world.cloud.calls["uploads.stage"]


async def test_a_block_that_is_too_long_is_not_taken(world: World):
    """Whatever it says that the file has."""
    length = str(4 * BLOCK_BYTES)
    statuses = await drop(Browser(world, "admin"), QUERY | {"length": length}, b"x" * (BLOCK_BYTES + 1))
    assert statuses[0] in {400, 413}
    assert not world.cloud.calls["uploads.stage"]


async def test_without_the_right_there_is_no_place_to_drop(world: World):
    """It is said whose choice it is; no route takes anything."""
    world.new_process(page_upload=False)
    admin = Browser(world, "admin")
    assert "--page-upload" in (await admin.see("drop")).text
    assert (await admin.get("drop/look", **QUERY)).status_code == 404


async def test_the_projects_that_are_offered_are_theirs(world: World):
    """Reruns are none to drop into."""
    world.project("fly@new")
    assert (await Browser(world, "owner", groups=("g1",)).see("drop")).all("option", "value") == ["fly"]
    assert (await Browser(world, "admin").see("drop")).all("option", "value") == ["default", "fly", "worm"]


async def test_a_file_that_is_there_is_not_replaced_by_mistake(world: World):
    """The end says so, and leaves it as it was."""
    world.drop("fly/new.h5", b"old")
    assert await drop(Browser(world, "admin"), QUERY) == [204, 409]
    assert world.blobs.content("input", "fly/new.h5") == b"old"
