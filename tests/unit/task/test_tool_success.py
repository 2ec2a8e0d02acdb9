"""The rule of true success for tools by their profiles, and which images they read."""

import tomllib
from dataclasses import replace

import pytest

from batch_ops.task.manifest import Manifest
from batch_ops.task.output import Output
from batch_ops.task.outputs import TEXT, Role
from batch_ops.task.read_tool import read_profile
from batch_ops.task.run_plan import ImageDescription
from batch_ops.task.segmented import SegmentedImage
from batch_ops.task.tool_input import disk_bytes, memory_bytes, tool_fault
from batch_ops.task.tool_success import LeftFile, ToolRan, fits, judge_tool, quiet_too_long, sorted_out, unkept
from batch_ops.task.tool_values import InputForm
from tests.unit.task.samples import MANIFEST

PROFILE = read_profile(
    tomllib.loads(
        """
name = "mine"
title = "Mine"
suffix = ".mine"
causes = { 2 = "project", 4 = "memory", 5 = "image", 6 = "node" }
[run]
command = ["run", "{done}"]
quiet_seconds = 120
[input]
axes = "zyx"
dtypes = ["uint8", "float32"]
max_gb = 1
base_mb = 1
bytes_per_pixel = 3
[success]
exits = [0, 7]
marker = "DONE"
done_text = "Complete"
forbidden = ["Could not load"]
[[outputs]]
pattern = "*.labels.tif"
role = "labels"
[[outputs]]
pattern = "*.csv"
role = "table"
least = 0
most = 2
"""
    ),
    "The profile",
)
GOOD = {"exit_code": 0, "log": "", "marker": True, "done_text": "Complete\n"}
LABELS = LeftFile("a.labels.tif")


@pytest.mark.parametrize("exit_code", [0, 7])
def test_all_signs_together_are_success(exit_code):
    """An exit code of the profile, marker, done text, whole outputs."""
    outcome = judge_tool(PROFILE, ToolRan(**{**GOOD, "exit_code": exit_code}), [LABELS])
    assert (outcome.succeeded, outcome.exit_code) == (True, 0)


@pytest.mark.parametrize(
    ("changed", "left", "code", "kind"),
    [
        ({"marker": False}, [LABELS], 81, "NO_OUTPUT"),
        ({"done_text": None}, [LABELS], 81, "NO_OUTPUT"),
        ({"done_text": "Failure"}, [LABELS], 81, "NO_OUTPUT"),
        ({"done_text": "Completely wrong"}, [LABELS], 81, "NO_OUTPUT"),
        ({"forbidden": "Could not load X"}, [LABELS], 84, "COMMAND"),
        ({}, [], 81, "NO_OUTPUT"),
        ({}, [LeftFile("a.tif")], 81, "NO_OUTPUT"),
        ({}, [LeftFile("a.labels.tif", "is empty")], 81, "NO_OUTPUT"),
        ({}, [LABELS, LeftFile("x.csv", "is damaged")], 81, "NO_OUTPUT"),
        ({}, [LABELS, *(LeftFile(f"{n}.csv") for n in range(3))], 81, "NO_OUTPUT"),
        ({}, [LeftFile("..;.labels.tif")], 81, "NO_OUTPUT"),
        ({"exit_code": 1}, [LABELS], 1, "COMMAND"),
        ({"exit_code": 2}, [LABELS], 84, "COMMAND"),
        ({"exit_code": 4}, [LABELS], 137, "OUT_OF_MEMORY"),
        ({"exit_code": 5}, [LABELS], 83, "COMMAND"),
        ({"exit_code": 6}, [LABELS], 86, "NODE"),
        ({"exit_code": 81}, [LABELS], 1, "COMMAND"),
        ({"exit_code": 137}, [LABELS], 137, "OUT_OF_MEMORY"),
        ({"exit_code": -9}, [LABELS], 137, "OUT_OF_MEMORY"),
        ({"exit_code": -15}, [LABELS], 143, "ENDED"),
        ({"exit_code": -11}, [LABELS], 139, "COMMAND"),
        ({"exit_code": 2, "log": "<Out of memory>"}, [LABELS], 137, "OUT_OF_MEMORY"),
        ({"exit_code": 3, "log": "Insufficient Memory: no\nNullPointerException"}, [LABELS], 137, "OUT_OF_MEMORY"),
        ({"log": "<Out of memory>"}, [LABELS], 137, "OUT_OF_MEMORY"),
        ({"log": "java.lang.OutOfMemoryError: Java heap space"}, [LABELS], 137, "OUT_OF_MEMORY"),
        ({"log": "OSError: [Errno 28] No space left on device"}, [LABELS], 82, "DISK_FULL"),
        ({"exit_code": 1, "free_bytes": 0}, [LABELS], 82, "DISK_FULL"),
    ],
)
def test_one_sign_less_is_none(changed, left, code, kind):
    """Each of them is enough to fail, and says whose fault it is."""
    outcome = judge_tool(PROFILE, ToolRan(**{**GOOD, **changed}), left)
    assert (outcome.exit_code, outcome.word) == (code, kind)
    assert outcome.sentence.endswith((".", "printed nothing", "space", "device", "X", "memory>", "Exception"))


def test_no_success_without_exit_code_0_is_one_with_it():
    """A tool whose success is another code has failed with 0."""
    only_seven = read_profile(
        {**tomllib.loads('name="a"\ntitle="A"\nsuffix=".a"\n[run]\ncommand=["a"]\n[success]\nexits=[7]'),
         "outputs": [{"pattern": "*", "role": "table"}]},
        "The profile",
    )  # fmt: skip
    outcome = judge_tool(only_seven, ToolRan(0, ""), [LeftFile("a.csv")])
    assert (outcome.exit_code, outcome.succeeded) == (81, False)


def test_a_file_is_the_first_output_that_fits():
    """Each is one output only, in the order of names."""
    kept = sorted_out(PROFILE, [LeftFile("b.csv"), LeftFile("a.csv"), LABELS, LeftFile("c.txt")])
    assert [one.names for one in kept] == [("a.labels.tif",), ("a.csv", "b.csv")]


@pytest.mark.parametrize(
    ("pattern", "name", "does"),
    [
        ("*.tif*", "a.TIFF", True),
        ("a?.csv", "ab.csv", True),
        ("a?.csv", "a.csv", False),
        ("*.csv", "a.csv\n", False),
        ("a.csv", "abcsv", False),
    ],
)
def test_patterns_are_of_stars_and_question_marks(pattern, name, does):
    """Whatever the case; nothing else in them means anything."""
    assert fits(pattern, name) is does


def test_a_tool_that_waits_is_no_want_of_memory():
    """So a dialog ends after its two tries, and no larger machine is paid for."""
    outcome = quiet_too_long(PROFILE, 120)
    assert (outcome.word, outcome.exit_code) == ("COMMAND", 1)
    assert "2 minutes" in outcome.sentence


@pytest.mark.parametrize(
    ("axes", "shape", "dtype", "says"),
    [
        ("zyx", (4, 5, 6), "uint8", ""),
        ("tzyx", (1, 4, 5, 6), "float32", ""),
        ("tyx", (3, 5, 6), "uint8", "more than one plane (3 along t), and Mine gets images of zyx"),
        ("yx", (5, 6), "uint16", "holds uint16, and Mine reads uint8, float32"),
        ("yx", (50_000, 50_000), "uint8", "has 2.5 GB of pixels, and Mine reads at most 1 GB"),
        ("", (), "", ""),
    ],
)
def test_an_image_that_the_tool_can_not_read_is_named(axes, shape, dtype, says):
    """Before a machine is paid for; what was not checked is no fault yet."""
    fault = tool_fault(PROFILE, ImageDescription(axes=axes, shape=shape, dtype=dtype))
    assert (says in fault) if says else not fault


def test_memory_goes_by_the_size_of_the_image():
    """base_mb, and bytes_per_pixel for each."""
    assert memory_bytes(PROFILE, ImageDescription(axes="yx", shape=(100, 10), dtype="uint8")) == 2**20 + 3000
    assert memory_bytes(PROFILE, ImageDescription()) is None


def test_disk_goes_by_the_types_of_images():
    """A TIFF of the largest image, twice where it is made into something else, and results of all."""
    images = [ImageDescription(axes="yx", shape=(10, 10), dtype=dtype) for dtype in ("uint8", "float64")]
    assert disk_bytes(PROFILE, images[:1]) == 100 + 400
    assert disk_bytes(PROFILE, images) == 800 + 400 + 800
    made_into = replace(PROFILE, input=replace(PROFILE.input, convert=("make", "{given}")))
    assert disk_bytes(made_into, images) == 1600 + 400 + 800
    linked = replace(PROFILE, input=replace(PROFILE.input, form=InputForm.HDF5))
    assert disk_bytes(linked, images[:1]) == 400


def manifest_of(*paths: str) -> Manifest:
    """Of one image, with these files."""
    outputs = tuple(Output(path, Role.TABLE, TEXT, 1, "0" * 32) for path in paths)
    return replace(MANIFEST, outputs=outputs, images=(SegmentedImage("", "data", "", "yx", (5, 6), "uint8"),))


def test_the_app_holds_a_manifest_against_the_profile():
    """Of each image of a file; whatever else the node says."""
    whole = manifest_of("a.labels.tif", "x.csv")
    assert not unkept(PROFILE, whole)
    assert unkept(PROFILE, manifest_of("x.csv")) == "of '*.labels.tif' there are 0"
    images = tuple(replace(whole.images[0], folder=folder) for folder in ("s1", "s2"))
    half = replace(manifest_of("s1/a.labels.tif", "s2/x.csv"), images=images)
    assert unkept(PROFILE, half) == "s2: of '*.labels.tif' there are 0"
