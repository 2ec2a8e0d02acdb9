"""ILASTIK_HOME on a machine without ilastik: the script and the Python beside it."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile

_REPOSITORY = Path(__file__).resolve().parents[3]
_HOME = _REPOSITORY / "local_cloud/ilastik"
_SAMPLES = _REPOSITORY / "tests/data/ilastik"


def start(program: Path, *arguments: str, directory: Path, **changed: str) -> subprocess.CompletedProcess[str]:
    """Run a program in a nearly empty environment."""
    environment = {"PATH": "/usr/bin:/bin", "LOCAL_CLOUD_PYTHON": sys.executable, **changed}
    command = [str(program), *arguments]
    return subprocess.run(command, cwd=directory, env=environment, capture_output=True, text=True, timeout=110)


@pytest.fixture
def linked(tmp_path: Path) -> Path:
    """Return ILASTIK_HOME behind a symbolic link, as a node sees it."""
    link = tmp_path / "a link with spaces"
    link.symlink_to(_HOME)
    return link


def test_the_script_runs_anywhere(linked: Path, tmp_path: Path) -> None:
    """Through a link, from another folder, with an empty environment: pixels, progress on stderr, log file."""
    case = _SAMPLES / "cells2d"
    done = start(
        linked / "run_ilastik.sh",
        *("--headless", f"--project={case / 'project.ilp'}", str(case / "input.h5"), "--logfile=run.log"),
        *("--export_source=Simple Segmentation", "--output_format=multipage tiff"),
        *("--output_filename_format=out/{nickname}.tiff", "--nonsense"),
        directory=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    assert "100% of input.h5" in done.stderr
    assert "--nonsense" in done.stderr
    assert "100% of input.h5" in (tmp_path / "run.log").read_text()
    expected = tifffile.imread(case / "expected" / "input.tiff")
    assert np.array_equal(tifffile.imread(tmp_path / "out" / "input.tiff"), expected)


def test_the_python_beside_it_has_what_tasks_need(linked: Path, tmp_path: Path) -> None:
    """Task scripts run with ILASTIK_HOME/bin/python and find h5py; arguments and exit codes pass through."""
    code = "import sys, h5py; print(sys.argv[1:]); sys.exit(7)"
    done = start(linked / "bin" / "python", "-c", code, "a b", "*", directory=tmp_path)
    assert (done.returncode, done.stdout.strip()) == (7, "['a b', '*']")


def test_a_missing_python_is_named(tmp_path: Path) -> None:
    """Without the project's environment, the message says what to run."""
    done = start(_HOME / "bin" / "python", "-V", directory=tmp_path, LOCAL_CLOUD_PYTHON="/nowhere/python")
    assert done.returncode != 0
    assert "/nowhere/python" in done.stderr
    assert "make" in done.stderr
