"""The demo with each tool besides ilastik, in a whole cloud: from the upload to labels, tables and counts."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest
import tifffile

from tests.installed_tools import need_tool
from tests.structure import REPOSITORY

TOOLS = {"python": (".tif", 96), "imagej": (".tif", 96), "cellprofiler": (".labels.tiff", 1)}


@pytest.mark.slow
@pytest.mark.parametrize("tool", TOOLS)
def test_the_samples_go_through_another_tool(tmp_path: Path, tool: str) -> None:
    """Three succeed, two are rejected; each result names its tool, its profile and what was counted."""
    if (REPOSITORY / "deploy/pool/tools" / tool).is_dir():
        need_tool(tool)
    arguments = ["--tool", tool, "--data", str(tmp_path / "data"), "--time-limit", "240"]
    command = [sys.executable, "-m", "local_cloud", "demo", *arguments]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=280, cwd=REPOSITORY)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "3 succeeded, 2 rejected; 3 TIFFs" in ended.stdout
    suffix, planes = TOOLS[tool]
    for letter in "abc":
        results = tmp_path / f"data/results/nuclei-{letter}.h5"
        with tifffile.TiffFile(results / f"nuclei-{letter}{suffix}") as labels:
            assert len(labels.pages) == planes
        told = json.loads((results / "provenance.json").read_text())
        assert told["tool"]["name"] == told["plan"]["tool"]["name"] == tool
        assert len(told["tool"]["profile_sha256"]) == 64
        assert "ilastik" not in told
        [counted] = told["objects"]["classes"]
        name = "MyExpt_Nuclei.csv" if tool == "cellprofiler" else "objects.csv"
        with (results / name).open(newline="") as table:
            assert counted["objects"] == [len(list(csv.reader(table))) - 1]
        assert counted["objects"] > [20]
