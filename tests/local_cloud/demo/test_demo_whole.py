"""The demo with one's own files, and the README's words about dropping files, in a whole cloud."""

import os
import re
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
from azure.storage.blob import BlobServiceClient

from local_cloud.cloud.attached import attached_cloud
from local_cloud.cloud.folder import DataFolder
from local_cloud.demo.main import parse
from local_cloud.demo.samples import nuclei
from local_cloud.demo.volumes import write_volume

REPOSITORY = Path(__file__).resolve().parents[3]
PROJECT = REPOSITORY / "local_cloud/sample_data/default.ilp"


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "embryo.h5"
    write_volume(path, nuclei(7)[:2, :64, :48, :16], "txyzc")
    return path


def test_own_files_and_a_wrong_one(tmp_path: Path, image: Path) -> None:
    """One's own image gives TIFFs and a picture; a file that cannot be segmented makes the demo fail, by name."""
    thin = tmp_path / "thin.h5"
    write_volume(thin, np.zeros((2, 64, 48, 4, 1), np.uint8), "txyzc")
    data = tmp_path / "data"
    arguments = ["--project", str(PROJECT), "--data", str(data), "--time-limit", "90", str(image), str(thin)]
    ended = subprocess.run(
        [sys.executable, "-m", "local_cloud", "demo", *arguments],
        capture_output=True,
        text=True,
        timeout=110,
    )
    assert ended.returncode == 1, ended.stderr
    assert "NOT AS IT SHOULD BE: thin.h5 is REJECTED instead of SUCCEEDED: demo/thin.h5 has 4 z slices" in ended.stdout
    assert (data / "pictures/embryo.h5.png").exists()
    results = sorted(path.name for path in (data / "results/embryo.h5").iterdir())
    assert results == ["embryo0.tiff", "embryo1.tiff", "ilastik.log", "provenance.json"]
    assert [path.name for path in (data / "results/thin.h5").iterdir()] == ["PROBLEM.txt"]


def test_a_project_of_no_use_ends_the_demo(tmp_path: Path, image: Path) -> None:
    """A project that can't be used will not change while the demo runs: it ends, and says what is wrong with it."""
    project = tmp_path / "objects.ilp"
    with h5py.File(project, "w") as file:
        file["workflowName"] = b"Object Classification"
    arguments = [f"--project={project}", f"--data={tmp_path / 'data'}", str(image)]
    ended = subprocess.run(
        [sys.executable, "-m", "local_cloud", "demo", *arguments],
        capture_output=True,
        text=True,
        timeout=110,
    )
    assert ended.returncode == 1, ended.stderr
    assert "the classifier projects/demo.ilp is objects.ilp" in ended.stdout
    assert (
        "NOT AS IT SHOULD BE: embryo.h5 is WAITING_FOR_PROJECT instead of SUCCEEDED: demo.ilp is a project of the "
        "workflow 'Object Classification'" in ended.stdout
    )


def test_readme_python_works_as_printed(tmp_path: Path, image: Path, wait_until) -> None:
    """The README's Python drops a file, and its results appear where the README says."""
    blocks = re.findall(r"```python\n(.*?)```", (REPOSITORY / "README.md").read_text(), re.DOTALL)
    assert len(blocks) == 1
    (tmp_path / "my_training.ilp").write_bytes(PROJECT.read_bytes())
    with attached_cloud(DataFolder(tmp_path / "data")) as cloud:
        exports = cloud.wait_ready()
        subprocess.run(
            [sys.executable, "-c", blocks[0]], cwd=tmp_path, env=os.environ | exports, timeout=60, check=True
        )
        connection = exports["AZURE_STORAGE_CONNECTION_STRING"]
        with BlobServiceClient.from_connection_string(connection) as blobs:
            done = blobs.get_blob_client("results", "embryos/monday/embryo.h5/provenance.json")
            wait_until(done.exists, 60)


def test_a_file_that_may_not_be_read_is_told_first(image: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Before anything starts, a file without permission to read is named."""
    closed = image.with_name("closed.h5")
    closed.write_bytes(b"x")
    closed.chmod(0)
    if os.access(closed, os.R_OK):  # whoever may read everything sees the same with a link that leads to itself
        closed.unlink()
        closed.symlink_to(closed)
    with pytest.raises(SystemExit):
        parse([str(image), str(closed)])
    assert "closed.h5" in capsys.readouterr().err


def test_a_disk_without_room_is_told_first(tmp_path: Path, image: Path) -> None:
    """Before anything starts, the demo says how much room it needs and where there is too little."""
    huge = tmp_path / "huge.h5"
    with huge.open("wb") as file:
        file.truncate(2**43)
    ended = subprocess.run(
        [sys.executable, "-m", "local_cloud", "demo", "--data", str(tmp_path / "data"), str(huge)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ended.returncode == 1
    assert re.search(r"needs about [\d,]+ MB of disk, and \S+ has [\d,]+ MB left", ended.stderr)


def test_a_folder_with_other_things_is_left_alone(tmp_path: Path) -> None:
    """The demo clears only folders that a demo has made."""
    precious = tmp_path / "thesis.tex"
    precious.write_text("x")
    ended = subprocess.run(
        [sys.executable, "-m", "local_cloud", "demo", "--data", str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ended.returncode == 1
    assert "holds other things" in ended.stderr
    assert precious.exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "usage: python -m local_cloud COMMAND"),
        (("fly",), "usage: python -m local_cloud COMMAND"),
        (("demo", "nowhere.h5"), "nowhere.h5 is not a file"),
        (("demo", "README.md"), "README.md does not end in .h5"),
        (("up", "--setting", "GRACE_SECONDS"), "NAME=VALUE"),
        (("up", "--nodes", "0"), "at least 1"),
    ],
)
def test_wrong_arguments_are_told(arguments: tuple[str, ...], says: str) -> None:
    """A wrong command line ends with exit code 2 and says what is right."""
    ended = subprocess.run(
        [sys.executable, "-m", "local_cloud", *arguments], capture_output=True, text=True, timeout=60
    )
    assert ended.returncode == 2
    assert says in ended.stderr
