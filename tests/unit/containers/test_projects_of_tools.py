"""Projects of other tools than ilastik: found by their suffix, checked as text, frozen under their own."""

import hashlib
from datetime import timedelta

import pytest

from batch_ops.domain.file_record import State
from batch_ops.task.tool import VARIABLE
from batch_ops.tools.profiles import shipped
from tests.world import NAME, World

SCRIPT = b"print('hello')\n"
MACRO = b'open("x");\nprint("DONE");\n'


def put(world: World, suffix: str, content: bytes) -> None:
    """Replace the project of ilastik by that of another tool."""
    if "fly.ilp" in world.blobs.names("projects"):
        world.blobs.remove("projects", "fly.ilp")
    world.blobs.upload("projects", f"fly{suffix}", content)
    world.cloud.advance(timedelta(seconds=6))


async def test_the_suffix_decides_the_tool(world: World):
    """The task gets the frozen script, by its own name, and the profile; nothing of ilastik's is planned."""
    put(world, ".py", SCRIPT)
    row = await world.begin(NAME)
    assert row.state is State.ACTIVE, row.reason
    [profile] = [one for one in shipped().profiles if one.name == "python"]
    digest = hashlib.sha256(SCRIPT).hexdigest()
    assert (row.plan.tool.name, row.plan.tool.project_digest) == ("python", digest)
    assert (row.plan.tool.ilastik_version, row.plan.tool.export_source, row.plan.outputs) == ("", "", ())
    assert world.blobs.content("frozen", f"{digest}.py") == SCRIPT
    [(_, spec)] = world.tasks()
    assert dict(spec.environment)[VARIABLE] == profile.to_json()
    assert [file.http_url.rpartition("/")[2] for file in spec.resource_files if file.path == "project.py"] == [
        f"{digest}.py"
    ]


async def test_a_macro_that_can_not_run_keeps_its_images_waiting(world: World):
    """No machine is paid for; once it is mended, they start."""
    put(world, ".ijm", b'waitForUser("Look");\n')
    row = await world.begin(NAME)
    assert (row.state, world.tasks()) == (State.WAITING_FOR_PROJECT, [])
    assert "The project 'fly.ijm' opens a dialog" in row.reason
    put(world, ".ijm", MACRO)
    assert (await world.begin(NAME)).state is State.ACTIVE


@pytest.mark.parametrize(
    ("installed", "suffix", "content", "state"),
    [
        ("ilastik", ".ijm", MACRO, State.WAITING_FOR_PROJECT),
        ("ilastik,cellprofiler", ".ijm", MACRO, State.WAITING_FOR_PROJECT),
        ("ilastik, imagej", ".ijm", MACRO, State.ACTIVE),
        ("", ".ijm", MACRO, State.ACTIVE),
        ("ilastik", ".py", SCRIPT, State.ACTIVE),
    ],
)
async def test_a_tool_that_the_nodes_do_not_have_is_waited_for(installed, suffix, content, state):
    """Its images start no task that would fail on one node after the other; scripts run everywhere."""
    world = World(node_tools=installed)
    put(world, suffix, content)
    row = await world.begin(NAME)
    assert row.state is state, row.reason
    if state is State.WAITING_FOR_PROJECT:
        assert "is for ImageJ, which the nodes here do not have" in row.reason
        assert world.tasks() == []


@pytest.mark.parametrize(
    ("suffix", "content", "tool", "says"),
    [
        (".py", SCRIPT, "imagej", "names the tool 'imagej', which has no projects of this suffix here"),
        (".ijm", MACRO, "imagej", ""),
        (".py", b"#" * 600_000, "python", "is larger than 512 KiB"),
    ],
)
async def test_the_configuration_may_name_the_tool(world: World, suffix, content, tool, says):
    """Only one that has projects of this suffix."""
    world.blobs.upload("projects", "fly.json", f'{{"tool": "{tool}"}}'.encode())
    put(world, suffix, content)
    row = await world.begin(NAME)
    assert row.state is (State.WAITING_FOR_PROJECT if says else State.ACTIVE)
    assert says in row.reason


async def test_where_ilastik_has_a_project_too_that_is_taken(world: World):
    """What ran before there were other tools goes on."""
    world.blobs.upload("projects", "fly.py", SCRIPT)
    assert (await world.begin(NAME)).plan.tool.name == "ilastik"


async def test_an_image_that_the_tool_can_not_read_is_rejected(world: World):
    """CellProfiler would process the first plane of a stack without a word."""
    sample = b"CellProfiler Pipeline: http://x\nExportToSpreadsheet:[module_num:1|\n"
    put(world, ".cppipe", sample)
    row = await world.begin(NAME)
    assert (row.state, world.tasks()) == (State.REJECTED, [])
    assert "CellProfiler gets images of yx here" in row.reason
