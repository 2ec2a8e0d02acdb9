"""The page in a real browser: no complaint of the browser, no serious barrier, and it can be steered."""

import asyncio
import io
import json
import os
import shutil
import socket
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import uvicorn
from PIL import Image

from batch_ops.domain.uploads import BLOCK_BYTES
from batch_ops.page.app import page_app
from batch_ops.task import contract
from tests.fakes.check import PROJECT
from tests.unit.page.browser import principal
from tests.world import World

HERE = Path(__file__).parent
pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
HOSTILE = "fly/<script>document.title='taken'</script>\u202e.h5"


async def a_world() -> World:
    """A project with a file that is done, failed ones, one that waits, and one with a hostile name."""
    world = World(signs_in=True, page_upload=True)
    colored = replace(PROJECT, label_colors=("#ffe119", "#0082c8"), features=("Gaussian Smoothing 0.3, 1.6",))
    world.check.project = colored
    world.blobs.upload("projects", "fly.json", b'{"axes": "zyx", "objects": {"classes": ["cell"]}}')
    await world.begin("fly/a.h5", "fly/b.h5", "fly/c.h5", "fly/d.h5", HOSTILE, "none/e.h5")
    await world.finish("fly/a.h5", more=pictures())
    for name in ("fly/b.h5", "fly/c.h5"):
        await world.fill_disk(name)
    world.drop("fly/old.h5")
    await world.steering.pause("worm", "ada@lab")
    return world


def pictures() -> dict[str, bytes]:
    """What a node draws."""
    drawn = io.BytesIO()
    Image.linear_gradient("L").save(drawn, "PNG")
    return {f"pictures/{name}.png": drawn.getvalue() for name in ("small", "preview", "overlay")}


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
    for script in HERE.glob("*.mjs"):
        shutil.copy(script, folder)
    return folder


@pytest.fixture(scope="module")
def browser(driver) -> str:
    """The browser: the one that is installed with what drives it, or CHROMIUM. One that does not start is a failure."""
    found = os.environ.get("CHROMIUM") or str(driver / "chromium")
    subprocess.run([found, "--version"], check=True, stdout=subprocess.DEVNULL)
    return found


@asynccontextmanager
async def serving(world: World) -> AsyncIterator[str]:
    """The page's address, for an admin."""
    # Whoever comes before the server is there waits in line.
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(signed_in(world), log_level="warning", lifespan="off"))
    work = asyncio.create_task(server.serve([listening]))
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        await work


async def driven(world: World, script: Path, browser: str, tmp_path: Path, happen: Callable[[str], Awaitable[object]]):
    """What the script tells, in one mapping, and everything in its order; `happen` is awaited where it waits.

    PAGE_PICTURES names a folder for the pictures of all of it.
    """
    said = []
    async with serving(world) as address:
        words = ("node", script, address, browser, os.environ.get("PAGE_PICTURES", tmp_path))
        visit = await asyncio.create_subprocess_exec(*words, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        async for line in visit.stdout:
            said.append(json.loads(line))
            if what := said[-1].get("wait"):
                await happen(what)
        errors = (await visit.stderr.read()).decode()
        assert await visit.wait() == 0, f"{errors}\n{said}"
    assert [one for one in said if "fault" in one] == []
    return {name: value for one in said for name, value in one.items()}, said


async def test_the_page_in_a_browser(driver, browser, tmp_path):
    """In light, in dark and on a phone; without a script; by keyboard; and what changes is seen within five seconds."""
    world = await a_world()
    told, said = await driven(world, driver / "visit.mjs", browser, tmp_path, world.finish)
    assert len([one for one in said if "seen" in one]) == 27
    assert not [one for one in said if one.get("title") == "taken"]
    assert told["clips"] == ["inset(0px 0px 0px 50%)", "inset(0px 0px 0px 100%)"]
    # The image has 64 x 64 pixels.
    assert (told["box"], told["taken"]) == ("y=16:32,x=16:32", "a.h5_crop_t0_z0-8_y16-32_x16-32.h5")
    assert told["plain"] == 5
    assert told["first"] == "#content"
    assert told["asked"] == "2 files will be run again."
    assert "2 files will be run again within a minute." in told["done"]
    assert told["live"] == ["Waiting for a machine", "Done"]
    assert [world.row(name).run for name in ("fly/b.h5", "fly/c.h5")] == [2, 2]


async def test_files_dropped_in_a_browser(driver, browser, tmp_path):
    """By the button and by dragging, on from where the connection broke, followed to overlay and counts.

    A thousand that failed are run again, with one task each.
    """
    world = await a_world()
    failed = [f"fly/many/{number:04}.h5" for number in range(1000)]
    await world.begin(*failed)
    for name in failed:
        task_id = world.row(name).placement.task_id
        world.tell(task_id, "DISK_FULL", "The disk is too small.", contract.EXIT_DISK_TOO_SMALL)
        world.batch.run(task_id)
        world.batch.complete(task_id, contract.EXIT_DISK_TOO_SMALL)
    await world.tick()

    async def happen(what: str) -> None:
        if what == "begin":
            await world.start("fly/big.h5")
        else:
            await world.finish("fly/big.h5", more=pictures())

    told, _ = await driven(world, driver / "drop.mjs", browser, tmp_path, happen)
    assert told["button"][0] == "sent"
    assert "can't be segmented" in told["button"][1]
    assert told["dragged"] == "sent"
    assert (told["tries"], "drop it again" in told["broken"]) == (5, True)
    assert (told["resumed"], told["sent"]) == ("sent", ["1"])
    assert (told["again"], told["title"]) == ("is there already, the very same", "Drop · ilastik-batch")
    assert world.blobs.find("input", "fly/big.h5").data == b"\x09" * (BLOCK_BYTES + 100)
    dropped = {
        name for name in world.blobs.names("input", "fly/") if world.blobs.find("input", name).blob.meta("upload")
    }
    assert dropped == {"fly/big.h5", "fly/dragged.h5", "fly/plate 1/<img src=x onerror=document.title='taken'>.h5"}
    assert told["states"] == ["Waiting for a machine", "Done"]
    assert (told["overlay"], "cell" in told["counts"]) == (256, True)
    assert told["asked"] == "1,000 files will be run again."
    assert "1,000 files will be run again within a minute." in told["bulk"]
    before = world.cloud.calls["batch.create_task"]
    await world.deliver()
    await world.deliver()
    assert world.cloud.calls["batch.create_task"] - before == 1000
    assert {world.row(name).run for name in failed} == {2}
