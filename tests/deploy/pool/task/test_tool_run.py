"""The task script with another tool than ilastik: what it gets, what is taken of what it leaves, how it ends."""

import csv
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import tifffile

from batch_ops.task.outputs import Role
from batch_ops.tools.profiles import load
from tests.deploy.pool.conftest import REPOSITORY
from tests.deploy.pool.task.tool_folder import blobs, made, profile_of, use_image, use_tool
from tests.waiting import wait_until

SAMPLE = REPOSITORY / "local_cloud/sample_data/default.py"
DUMP = """
import json, os, sys
from pathlib import Path
import tifffile
image, out, stem = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
with tifffile.TiffFile(image) as tiff:
    said = {"axes": tiff.series[0].axes, "shape": tiff.series[0].shape, "beside": len(list(image.parent.iterdir()))}
    pixels = tiff.asarray()
said |= {"env": dict(os.environ), "words": sys.argv[1:]}
(out / "said.csv").write_text("a\\n1\\n")
tifffile.imwrite(out / "same.tif", pixels.reshape(-1, *pixels.shape[-2:]), photometric="minisblack", metadata=None)
(out / "more.json").write_text(json.dumps(said))
print(json.dumps(said))
"""


def test_a_script_is_a_tool(folder):
    """The demo's own: labels and a table of each plane's objects, their number, the picture, a manifest with roles."""
    use_image(folder, blobs((2, 48, 64)), "tyx")
    use_tool(folder, profile_of("python"), SAMPLE)
    ended = folder.run()
    assert ended.code == 0, ended.printed
    manifest = folder.manifest()
    roles = [(one.path, one.role, one.pages, one.axes) for one in manifest.outputs]
    assert roles[:2] == [("nuclei.tif", Role.LABELS, 2, "tyx"), ("objects.csv", Role.TABLE, 0, "")]
    assert manifest.ilastik_version.startswith("Python 3.")
    assert [(one.name, one.objects) for one in manifest.counts.classes] == [("rows", (6,))]
    with made(folder) as out:
        labels = tifffile.imread(out / "nuclei.tif")
        assert [len(np.unique(plane)) - 1 for plane in labels] == [3, 3]
        with (out / "objects.csv").open(newline="") as file:
            assert sorted(int(row["pixels"]) for row in csv.DictReader(file)) == [81] * 6


def test_a_tool_gets_the_pixels_alone_in_a_folder_and_nothing_else(folder):
    """Pages t, z, c by ImageJ's words; no value of the task in its environment; what else it leaves is no output."""
    pixels = np.arange(2 * 3 * 4 * 5, dtype=np.uint16).reshape(2, 3, 4, 5)
    use_image(folder, pixels, "tcyx")
    folder.extra["AZ_BATCH_AUTHENTICATION_TOKEN"] = "secret"
    use_tool(folder, profile_of("python"), DUMP)
    ended = folder.run()
    assert ended.code == 0, ended.printed
    with made(folder) as out:
        assert (tifffile.imread(out / "same.tif") == pixels.reshape(6, 4, 5)).all()
        assert not (out / "more.json").exists()
    assert [warning.code for warning in folder.manifest().warnings] == ["files-left-aside"]
    (said,) = (line for line in ended.printed.splitlines() if line.startswith('{"axes"'))
    assert '"axes": "TCYX", "shape": [2, 3, 4, 5], "beside": 1' in said
    assert "secret" not in said
    assert "ILASTIK_TASK" not in said


def test_one_more_tool_with_an_input_of_its_own_takes_no_line_of_the_product(folder, tmp_path):
    """A profile says how its input is made and how it is run; here an array of numpy, which nothing else has."""
    (tmp_path / "mine.toml").write_text(
        """
name = "mine"
title = "Mine"
suffix = ".mine"
outputs = [{ pattern = "*.txt", role = "table" }]
[run]
command = ["{python}", "{project}", "{image}", "{out}/{stem}.txt"]
[input]
ending = ".npy"
convert = ["{python}", "-c",
  "import numpy, sys, tifffile; n, i, o = sys.argv; numpy.save(open(o, 'wb'), tifffile.imread(i))",
  "{image}", "{given}"]
"""
    )
    folder.start_afresh()
    [profile] = load(tmp_path.glob("*.toml")).profiles
    use_image(folder, blobs())
    script = "import sys, numpy\nopen(sys.argv[2], 'w').write(sys.argv[1][-11:] + str(numpy.load(sys.argv[1]).sum()))"
    use_tool(folder, profile, script)
    ended = folder.run()
    assert ended.code == 0, ended.printed
    with made(folder) as out:
        assert (out / "nuclei.txt").read_text() == f"/nuclei.npy{blobs().sum()}"
    assert folder.manifest().ilastik_version.startswith("Mine")


def test_an_image_of_the_wrong_kind_is_refused_before_the_tool_starts(folder):
    """Also where nobody could check it before."""
    use_image(folder, blobs(dtype="float16"))
    use_tool(folder, profile_of("python"), SAMPLE)
    ended = folder.run()
    assert ended.code == 83, ended.printed
    assert "holds float16, and Python reads" in folder.report().sentence
    assert "Running:" not in ended.printed


def test_a_node_without_the_tool_says_so(folder):
    """Another node may have it."""
    use_image(folder, blobs())
    use_tool(folder, profile_of("imagej"), 'print("DONE");')
    ended = folder.run()
    assert (ended.code, folder.report().kind) == (86, "NODE")
    assert "There is no ImageJ in" in folder.report().sentence


def test_another_project_than_the_frozen_one_is_refused(folder):
    """The digest is that of the run."""
    use_image(folder, blobs())
    use_tool(folder, profile_of("python"), SAMPLE)
    (folder.wd / "project.py").write_text("print('something else')")
    assert (folder.run().code, folder.report().kind) == (85, "STAGING_IN")


def test_the_end_from_outside_ends_all_that_the_tool_has_started(folder):
    """SIGTERM, as Batch sends it: its children, and theirs, end with it."""
    use_image(folder, blobs())
    folder.start_afresh()
    script = "import subprocess, sys, time\nsubprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
    use_tool(folder, profile_of("python"), script + "print('begun', flush=True)\ntime.sleep(600)")
    process = folder.start()
    try:
        log = lambda: [path for path in (folder.wd / "logs").glob("*/ilastik.log") if b"begun" in path.read_bytes()]  # noqa: E731
        wait_until(log, 60)
        os.kill(process.pid, signal.SIGTERM)
        assert process.wait(30) == 143
    finally:
        process.kill()
        process.communicate()
    assert folder.report().kind == "ENDED"
    wait_until(lambda: not _below(folder.wd), 10)


def _below(place: Path) -> list[str]:
    """The processes that still work in a folder."""
    listed = subprocess.run(["pgrep", "-f", str(place)], capture_output=True, text=True, check=False).stdout.split()
    return [pid for pid in listed if int(pid) not in (os.getpid(), os.getppid()) and sys.platform == "linux"]
