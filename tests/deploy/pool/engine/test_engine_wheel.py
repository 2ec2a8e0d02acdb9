"""The wheel: for pip, and for nodes."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from make_wheel import build_sdist, build_wheel

_HOME = Path(__file__).resolve().parents[4] / "deploy/pool/engine"


def test_the_wheel_holds_all_that_a_run_needs_and_no_times(tmp_path: Path) -> None:
    """The modules, the kernel and its source, by which it is found; the same twice."""
    first, second = tmp_path / "a", tmp_path / "b"
    for folder in (first, second):
        folder.mkdir()
    wheel = first / build_wheel(str(first))
    assert wheel.read_bytes() == (second / build_wheel(str(second))).read_bytes()
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        assert {info.date_time for info in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
    modules = {f"pixel_engine/{path.name}" for path in (_HOME / "pixel_engine").glob("*.py")}
    assert modules <= set(names)
    assert sum(name.endswith(".so") for name in names) == 1


@pytest.mark.slow
def test_pip_installs_a_command_from_the_folder(tmp_path: Path, samples: Path) -> None:
    """Without a network, from what its source package holds, compiled anew elsewhere: the very wheel of this folder."""
    source = tmp_path / "source"
    shutil.unpack_archive(tmp_path / build_sdist(str(tmp_path)), source, filter="data")
    (folder,) = source.iterdir()
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "install", "--no-deps", "--no-index", "--target", tmp_path / "site", folder], check=True)
    case = samples / "cells2d"
    done = subprocess.run(
        [
            *(tmp_path / "site/bin/pixel-engine", "--headless", f"--project={case / 'project.ilp'}"),
            *(case / "input.h5", "--output_format=hdf5", f"--output_filename_format={tmp_path}/r.h5"),
        ],
        env={**os.environ, "PYTHONPATH": str(tmp_path / "site")},
        check=False,
    )
    assert done.returncode == 0
    assert (tmp_path / "r.h5").exists()
    (ours,) = (_HOME / "pixel_engine/native/build").glob("*.so")
    (theirs,) = (tmp_path / "site/pixel_engine/native/build").glob("*.so")
    assert ours.read_bytes() == theirs.read_bytes()
