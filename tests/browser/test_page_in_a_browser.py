"""The page in a real browser: no complaint of the browser, no serious barrier, and it can be steered."""

import asyncio
import io
import json
import os
import shutil
import socket
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
import uvicorn
from PIL import Image

from batch_ops.page.app import page_app
from tests.fakes.check import PROJECT
from tests.unit.page.browser import principal
from tests.world import World

HERE = Path(__file__).parent
pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
HOSTILE = "fly/<script>document.title='taken'</script>\u202e.h5"


async def a_world() -> World:
    """A project with a file that is done, failed ones, one that waits, and one with a hostile name."""
    world = World(signs_in=True)
    colored = replace(PROJECT, label_colors=("#ffe119", "#0082c8"), features=("Gaussian Smoothing 0.3, 1.6",))
    world.check.project = colored
    world.blobs.upload("projects", "fly.json", b'{"axes": "zyx", "objects": {"classes": ["cell"]}}')
    await world.begin("fly/a.h5", "fly/b.h5", "fly/c.h5", "fly/d.h5", HOSTILE, "none/e.h5")
    picture = io.BytesIO()
    Image.linear_gradient("L").save(picture, "PNG")
    pictures = (f"pictures/{name}.png" for name in ("small", "preview", "overlay"))
    await world.finish("fly/a.h5", more=dict.fromkeys(pictures, picture.getvalue()))
    for name in ("fly/b.h5", "fly/c.h5"):
        await world.fill_disk(name)
    world.drop("fly/old.h5")
    await world.steering.pause("worm", "ada@lab")
    return world


def signed_in(world: World):
    """The app behind what App Service does: somebody has signed in."""

    async def system():
        return world.system

    app = page_app(system, world.cloud.clock)

    async def answer(scope, receive, send):
        if scope["type"] == "http":
            scope |= {"headers": [*scope["headers"], (b"x-ms-client-principal", principal("admin").encode())]}
        await app(scope, receive, send)

    return answer


@pytest.fixture(scope="module")
def driver() -> Path:
    """The folder with what drives the browser, and the script beside it."""
    done = subprocess.run([HERE / "install.sh"], check=True, stdout=subprocess.PIPE, text=True)
    folder = Path(done.stdout.strip())
    shutil.copy(HERE / "visit.mjs", folder)
    return folder


@pytest.fixture(scope="module")
def browser(driver) -> str:
    """The browser: the one that is installed with what drives it, or CHROMIUM. One that does not start is a failure."""
    found = os.environ.get("CHROMIUM") or str(driver / "chromium")
    subprocess.run([found, "--version"], check=True, stdout=subprocess.DEVNULL)
    return found


async def test_the_page_in_a_browser(driver, browser, tmp_path):
    """In light, in dark and on a phone; without a script; by keyboard; and what changes is seen within five seconds.

    PAGE_PICTURES names a folder for the pictures of all of it.
    """
    pictures = Path(os.environ.get("PAGE_PICTURES", tmp_path))
    world = await a_world()
    # Whoever comes before the server is there waits in line.
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(signed_in(world), log_level="warning", lifespan="off"))
    serving = asyncio.create_task(server.serve([listening]))
    words = ("node", driver / "visit.mjs", f"http://127.0.0.1:{listening.getsockname()[1]}", browser, pictures)
    visit = await asyncio.create_subprocess_exec(*words, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    said = []
    try:
        async for line in visit.stdout:
            said.append(json.loads(line))
            if name := said[-1].get("wait"):
                await world.finish(name)
        errors = (await visit.stderr.read()).decode()
        assert await visit.wait() == 0, errors
    finally:
        server.should_exit = True
        await serving
    assert [one for one in said if "fault" in one] == []
    told = {name: value for one in said for name, value in one.items()}
    assert len([one for one in said if "seen" in one]) == 24
    assert not [one for one in said if one.get("title") == "taken"]
    assert told["plain"] == 5
    assert told["first"] == "#content"
    assert told["asked"] == "2 files will be run again."
    assert "2 files will be run again within a minute." in told["done"]
    assert told["live"] == ["Waiting for a machine", "Done"]
    assert [world.row(name).run for name in ("fly/b.h5", "fly/c.h5")] == [2, 2]
