"""Fiji's command line, by a stand-in on ImageJ's jar: options as Fiji takes them, exit code 0 whatever happens."""

import shlex

import pytest

from tests.deploy.pool.task.test_imagej import BEGIN, DONE, GOOD, SAMPLE
from tests.deploy.pool.task.tool_folder import blobs, profile_of, use_image, use_tool
from tests.installed_tools import TOOLS, need_tool

pytestmark = pytest.mark.slow
STAND_IN = """#!/bin/bash
# ImageJ-linux64 --mem=NUMBERm --headless --console -macro FILE ARGUMENT
[[ $1 == --mem=*m && $2 == --headless && $3 == --console && $4 == -macro && $# == 6 ]] || exit 64
java "-Xmx${{1#--mem=}}" -cp {home}:{home}/ij.jar RunMacro "$5" "$6"
exit 0
"""


@pytest.fixture
def fiji(folder):
    """A task's folder on a node that has the stand-in in Fiji's place."""
    need_tool("imagej")
    home = folder.home.parent / "tools/fiji"
    home.mkdir(parents=True)
    program = home / "ImageJ-linux64"
    program.write_text(STAND_IN.format(home=shlex.quote(str(TOOLS / "imagej"))))
    program.chmod(0o755)
    (home / "VERSION").write_text("2.16\n")
    use_image(folder, blobs())
    return folder


def test_a_macro_runs_by_its_command_line(fiji):
    """With labels, table and counts as from ImageJ."""
    use_tool(fiji, profile_of("fiji"), SAMPLE)
    ended = fiji.run()
    assert ended.code == 0, ended.printed
    assert fiji.manifest().counts.classes[0].objects == (3,)
    assert fiji.manifest().ilastik_version == "Fiji 2.16"


@pytest.mark.parametrize(
    ("macro", "code"),
    [
        # It runs on after that, to its last line.
        (BEGIN + "nothing(1);\n" + GOOD + DONE, 84),
        (BEGIN + GOOD, 81),
        (BEGIN + DONE, 81),
        ('exit("no");\n', 81),
    ],
)
def test_its_exit_code_is_never_enough(fiji, macro, code):
    """It is 0 after every error."""
    use_tool(fiji, profile_of("fiji"), macro)
    ended = fiji.run()
    assert ended.code == code, ended.printed
    assert not list((fiji.wd / "out").glob("*"))
