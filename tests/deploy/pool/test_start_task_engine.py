"""The start task's script with a pixel engine: it is installed and tried, or the node says why not."""

import subprocess
import sys
import zipfile

import pytest

from tests.deploy.pool.conftest import REPOSITORY


def test_the_pixel_engine_is_installed_and_tried_where_it_was_brought_along(node, tmp_path):
    """From the package that deploy.sh builds, in the Python for tasks; twice is once; a changed one replaces it."""
    wheel = node.startup / "engine.whl"
    built = subprocess.run(
        [sys.executable, REPOSITORY / "deploy/package.py", "--engine", wheel],
        capture_output=True,
        text=True,
        timeout=110,
    )
    assert built.returncode == 0, built.stderr
    home = node.shared / "engine"

    done = node.run()
    again = node.run()

    assert (done.returncode, again.returncode) == (0, 0), done.stderr
    assert ("pixel engine is installed" in done.stdout, "pixel engine" in again.stdout) == (True, False)
    image, project = (str(node.startup / name) for name in ("smoke.h5/volume/data", "smoke.ilp"))
    options = ("--headless", f"--project={project}", "--output_format=multipage tiff", "--ignore_training_axistags")
    target = tmp_path / "segmented.tiff"
    run = [home / "pixel_engine/run_ilastik.sh", *options, image, f"--output_filename_format={target}"]
    assert subprocess.run(run, env={"PATH": "/usr/bin:/bin"}, timeout=60).returncode == 0
    assert target.exists()

    with zipfile.ZipFile(wheel, "a") as archive:
        archive.writestr("pixel_engine/__main__.py.new", "")
    assert node.run().returncode == 0
    assert (home / "pixel_engine/__main__.py.new").exists()
    assert {path.name for path in node.shared.iterdir()} == {"engine", "ilastik", ".ilastik.lock", "python"}


@pytest.mark.parametrize("broken", ["no archive", "no program"])
def test_a_pixel_engine_that_does_not_work_here_is_reported(node, broken):
    """The node is not used: exit code 99, and nothing passes for an engine."""
    wheel = node.startup / "engine.whl"
    if broken == "no archive":
        wheel.write_bytes(b"none")
    else:
        with zipfile.ZipFile(wheel, "w") as archive:
            archive.writestr("pixel_engine/run_ilastik.sh", "#!/bin/sh\nexit 3\n")

    done = node.run()

    assert (done.returncode, "pixel engine" in done.stderr) == (99, True)
    assert {path.name for path in node.shared.iterdir()} == {".ilastik.lock", "python"}
