"""The real ImageJ under its launcher: macros that are good, broken, or wait for ever."""

import os
import signal
from pathlib import Path

import numpy as np
import pytest
import tifffile

from batch_ops.task.outputs import Role
from tests.deploy.pool.conftest import REPOSITORY
from tests.deploy.pool.task.tool_folder import blobs, made, profile_of, use_image, use_tool
from tests.installed_tools import TOOLS, need_tool
from tests.waiting import wait_until

pytestmark = pytest.mark.slow
SAMPLE = REPOSITORY / "local_cloud/sample_data/default.ijm"
BEGIN = 'a = split(getArgument(), "|");\nsetBatchMode(true);\nopen(a[0]);\n'
GOOD = 'saveAs("Tiff", a[1] + "/" + a[2] + ".tif");\n'
GOOD += 'f = File.open(a[1] + "/t.csv"); print(f, "id"); print(f, "1"); File.close(f);\n'
DONE = 'print("DONE");\n'


@pytest.fixture
def imagej(folder):
    """A task's folder on a node that has ImageJ."""
    need_tool("imagej")
    folder.extra = {**folder.extra, "TOOLS_HOME": str(TOOLS)}
    use_image(folder, blobs())
    return folder


@pytest.mark.parametrize(
    ("shape", "axes", "dtype", "pages", "objects"),
    [
        ((48, 64), "yx", "uint8", ("yx", 1), 3),
        ((48, 64), "yx", "uint16", ("yx", 1), 3),
        ((48, 64), "yx", "float32", ("yx", 1), 3),
        ((2, 3, 48, 64), "tzyx", "uint8", ("tzyx", 6), 18),
    ],
)
def test_the_sample_macro_finds_the_objects(imagej, shape, axes, dtype, pages, objects):
    """Labels with the image's planes, a row for each object, their number, the version that ImageJ says."""
    use_image(imagej, blobs(shape, dtype), axes)
    use_tool(imagej, profile_of("imagej"), SAMPLE)
    ended = imagej.run()
    assert ended.code == 0, ended.printed
    manifest = imagej.manifest()
    labels, table = manifest.outputs[:2]
    assert (labels.role, labels.axes, labels.pages, table.role) == (Role.LABELS, *pages, Role.TABLE)
    assert manifest.counts.classes[0].objects == (objects,)
    assert manifest.ilastik_version.startswith("ImageJ 1.")
    with made(imagej) as out:
        planes = tifffile.imread(out / labels.path).reshape(-1, 48, 64)
        assert [len(np.unique(plane)) - 1 for plane in planes] == [3] * len(planes)


@pytest.mark.parametrize(
    ("macro", "code", "says"),
    [
        (BEGIN + "nothing(1);\n" + GOOD + DONE, 84, "Macro error"),
        (BEGIN + "if (\n" + DONE, 84, "Macro error"),
        (BEGIN + 'run("No Such Command");\n' + GOOD + DONE, 84, "The macro was canceled"),
        (BEGIN + 'exit("not to my taste");\n' + GOOD + DONE, 84, "ImageJ ended with exit code 2"),
        (BEGIN + GOOD + "exit();\n" + DONE, 84, "The macro was canceled"),
        (BEGIN + GOOD, 81, "never printed 'DONE'"),
        (BEGIN + DONE, 81, "there are 0 files '*.csv'"),
        (BEGIN + 'saveAs("Tiff", a[1] + "/no/such/folder.tif");\n' + DONE, 84, "File saving error"),
        (BEGIN + 'newImage("large", "32-bit", 60000, 60000, 90);\n' + GOOD + DONE, 84, "larger than 2 gigapixels"),
        ('open("/no/such/file.tif");\n' + DONE, 84, ""),
        (BEGIN + 'eval("js", "1");\n' + GOOD + DONE, 84, "Could not find JavaScript engine"),
        (
            BEGIN
            + 'newImage("a", "32-bit", 2000, 2000, 9); for (i = 0; i < 3; i++) run("Duplicate...", "duplicate");\n'
            + GOOD
            + DONE,
            137,
            "memory",
        ),
        (BEGIN + 'newImage("large", "32-bit", 20000, 20000, 90);\n' + GOOD + DONE, 137, "memory"),
        (
            BEGIN + 'for (i = 0; i < 99; i++) newImage("large", "32-bit", 20000, 20000, 1);\n' + GOOD + DONE,
            None,
            "emory",
        ),
    ],
)
def test_a_macro_that_fails_is_never_a_success(imagej, macro, code, says):
    """Each of these ends with 0, or waits for ever, where ImageJ itself is asked."""
    use_tool(imagej, profile_of("imagej", run={"quiet_seconds": 20, "memory_share": 0.2}), macro)
    ended = imagej.run(120)
    assert ended.code == code if code else ended.code != 0, ended.printed
    assert says in imagej.report().sentence
    assert not list((imagej.wd / "out").glob("*"))


@pytest.mark.parametrize(
    "wait",
    ['waitForUser("Look");\n', 'Dialog.create("Size"); Dialog.addNumber("n", 1); Dialog.show();\n', "wait(600000);\n"],
)
def test_a_macro_that_waits_is_ended(imagej, wait):
    """A dialog that nobody sees, or nothing at all; the check would have refused a dialog beforehand."""
    use_tool(imagej, profile_of("imagej", run={"quiet_seconds": 10}), BEGIN + wait + GOOD + DONE)
    ended = imagej.run(120)
    assert (ended.code, imagej.report().kind) == (1, "COMMAND"), ended.printed
    assert "computed hardly anything" in imagej.report().sentence


def test_the_end_from_outside_leaves_neither_java_nor_a_display(imagej):
    """SIGTERM ends xvfb-run, Xvfb and java together."""
    imagej.start_afresh()
    use_tool(imagej, profile_of("imagej"), BEGIN + 'print("begun");\nwhile (true) a = 1;\n' + DONE)
    process = imagej.start()
    log = imagej.wd / "logs"
    try:
        wait_until(lambda: any(b"begun" in path.read_bytes() for path in log.glob("*/ilastik.log")), 60)
        below = _descendants(process.pid)
        os.kill(process.pid, signal.SIGTERM)
        assert process.wait(30) == 143
    finally:
        process.kill()
        process.communicate()
    wait_until(lambda: not [pid for pid in below if Path(f"/proc/{pid}").exists()], 20)
    assert len(below) >= 3


def test_a_truncated_image_never_reaches_the_tool(imagej):
    """ImageJ itself opens a cut TIFF without a word, and counts wrong objects."""
    whole = imagej.wd / "whole.tif"
    tifffile.imwrite(whole, blobs((512, 512)), photometric="minisblack")
    imagej.image.write_bytes(whole.read_bytes()[:100_000])
    whole.unlink()
    imagej.values = {**imagej.values, "axes": ""}
    use_tool(imagej, profile_of("imagej"), SAMPLE)
    ended = imagej.run()
    assert ended.code == 83, ended.printed
    assert "Running:" not in ended.printed


def _descendants(root: int) -> set[int]:
    import psutil

    return {child.pid for child in psutil.Process(root).children(recursive=True)}
