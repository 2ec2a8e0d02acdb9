"""What the doctor says of projects: ilastik's, and those of other tools."""

import pytest

from batch_ops.doctor.findings import Level
from batch_ops.doctor.projects import judge, look
from tests.world import World


@pytest.mark.parametrize(
    ("name", "content", "level", "says"),
    [
        ("a.ilp", b"classifier", Level.OK, "The project 'a.ilp' can be used: "),
        ("a.py", b"print(1)", Level.OK, "The project 'a.py' can be used by Python."),
        ("a.ijm", b'waitForUser("x");', Level.WARN, "opens a dialog"),
        ("a.ijm", b'print("DONE");' + b" " * 300_000, Level.WARN, "is larger than 256 KiB"),
    ],
)
async def test_a_project_is_judged_as_before_a_run(world: World, name, content, level, says):
    """By the rules of its own tool."""
    world.blobs.upload("projects", name, content)
    statuses, more = await look(world.blobs, world.check, "projects")
    findings = [one for one in judge(statuses, more, "projects") if f"'{name}'" in one.sentence]
    assert [(one.level, says in one.sentence) for one in findings] == [(level, True)]


async def test_a_configuration_for_another_tool_is_said(world: World):
    """Its images would wait."""
    world.blobs.upload("projects", "a.py", b"print(1)")
    world.blobs.upload("projects", "a.json", b'{"tool": "imagej"}')
    statuses, more = await look(world.blobs, world.check, "projects")
    assert any("names the tool 'imagej'" in one.sentence for one in judge(statuses, more, "projects"))
