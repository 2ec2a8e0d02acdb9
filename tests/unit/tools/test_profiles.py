"""Profiles of tools: what ships, what is refused, and what travels to the node."""

import re
import tomllib

import pytest

from batch_ops.task.read_tool import profile_from_json, read_profile
from batch_ops.task.tool import filled
from batch_ops.task.tool_values import ToolProfileError
from batch_ops.tools.profiles import Tools, load, shipped
from tests.structure import REPOSITORY

LEAST = """
name = "mine"
title = "Mine"
suffix = ".mine"
[run]
command = ["{home}/run", "{project}", "{image}", "{out}"]
[[outputs]]
pattern = "*.tif"
role = "labels"
"""
FILES = sorted((REPOSITORY / "batch_ops/tools").glob("*.toml"))


@pytest.mark.parametrize("profile", shipped().profiles, ids=lambda profile: profile.name)
def test_what_ships_reaches_the_node_as_it_is(profile):
    """JSON and back: the node judges by the very rules that the app has."""
    there = profile_from_json(profile.to_json())
    assert there.to_json() == profile.to_json()
    assert (there.run, there.input, there.success, there.outputs) == (
        profile.run,
        profile.input,
        profile.success,
        profile.outputs,
    )
    assert there.digest == profile.digest


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_a_profile_is_short(file):
    """At most 60 lines, named as its file."""
    assert len(file.read_text(encoding="utf-8").splitlines()) <= 60
    assert tomllib.loads(file.read_text(encoding="utf-8"))["name"] == file.stem


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('name = "mine"', "", "has no name"),
        ('name = "mine"', 'name = "../mine"', "must give name as a name of a-z"),
        ('".mine"', '".ilp"', "can't have the suffix .ilp"),
        ('".mine"', '"mine"', "a suffix such as .ijm"),
        ("{project}", "{porject}", "has {porject} in a command"),
        ('title = "Mine"', 'title = "Mine"\nmarker = "DONE"', "has an unknown key 'marker'"),
        ("[[outputs]]", "[success]\nexit = [0]\n[[outputs]]", "in [success], has an unknown key 'exit'"),
        ('"labels"', '"label"', "must give role as one of"),
        ('"*.tif"', '"../*.tif"', "must give pattern as a name"),
        ('role = "labels"', 'role = "labels"\nleast = 0', "none of [[outputs]] has a least above 0"),
        ('role = "labels"', 'role = "labels"\nleast = 3\nmost = 2', "must give most as a number from 3"),
        ("[[outputs]]", '[causes]\n3 = "weather"\n[[outputs]]', "must give causes.3 as one of image"),
        ("[[outputs]]", '[success]\ndone_text = "Complete"\n[[outputs]]', "its command names no {done}"),
        ("[[outputs]]", '[project]\nrefused = [{pattern = "(", because = "x"}]\n[[outputs]]', "a regular expression"),
        ("[[outputs]]", "[input]\naxes = 'xz'\n[[outputs]]", "must give axes as letters"),
        ("[run]", "[run]\nmemory_share = 2", "must give memory_share as a number from 0.05 to 1"),
        ("[run]", '[run]\nenvironment = {"LD PRELOAD" = "x"}', "names of variables"),
        ("[run]", "[run", "is no TOML"),
    ],
)
def test_a_wrong_profile_is_refused_with_its_file_and_the_fault(tmp_path, old, new, says):
    """Whoever writes one reads which file, which table and which key."""
    assert old in LEAST
    (tmp_path / "mine.toml").write_text(LEAST.replace(old, new, 1))
    with pytest.raises(ToolProfileError) as told:
        load(tmp_path.glob("*.toml"))
    assert "The profile mine.toml" in str(told.value)
    assert says in str(told.value)


def test_the_configuration_chooses_between_tools_of_one_suffix(tmp_path):
    """Without a word the first by name; by its name any of them; a name of none is none."""
    for name in ("fiji", "imagej"):
        text = LEAST.replace('"mine"', f'"{name}"').replace(".mine", ".ijm")
        (tmp_path / f"{name}.toml").write_text(text)
    tools = load(tmp_path.glob("*.toml"))
    assert tools.suffixes == (".ijm",)
    found = [tools.for_blob("lab.IJM", name) for name in (None, "imagej", "cellprofiler")]
    assert [one and one.name for one in found] == ["fiji", "imagej", None]
    assert tools.for_blob("lab.ilp") is None


def test_fiji_is_taken_by_its_name_only():
    """A macro of ImageJ stays one of ImageJ, whatever tools come."""
    assert [shipped().for_blob("a.ijm", name).name for name in (None, "imagej", "fiji")] == ["imagej", "imagej", "fiji"]


def test_two_tools_of_one_name_are_refused():
    """A row names its tool by that name."""
    profile = read_profile(tomllib.loads(LEAST), "The profile")
    with pytest.raises(ToolProfileError, match="two profiles of the tool 'mine'"):
        Tools((profile, profile))


def test_a_value_is_no_placeholder():
    """What an image or a folder is called is put in once, and read by nobody."""
    assert filled(("{image}|{out}", "{unknown}"), {"image": "{out}", "out": "/o"}) == ["{out}|/o", "{unknown}"]


def test_each_kind_of_project_raises_an_event():
    """Event Grid passes on what ends with these suffixes: one more profile has to stand there, too."""
    text = (REPOSITORY / "deploy/modules/subscriptions.bicep").read_text(encoding="utf-8")
    passed = re.search(r"name: 'projects'.*?values: \[([^]]*)\]", text, re.DOTALL)
    assert passed is not None
    assert set(re.findall(r"'([^']+)'", passed[1])) == {".ilp", ".json", *shipped().suffixes}
