"""The demo with one's own files, and the README's words about dropping files, in a whole cloud."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import h5py
import numpy as np
import pytest
from azure.storage.blob import BlobServiceClient

from local_cloud.__main__ import main as local_cloud
from local_cloud.cloud.attached import attached_cloud
from local_cloud.cloud.folder import DataFolder, is_held
from local_cloud.demo.dropped import DroppedFile, FileRow, FileState
from local_cloud.demo.main import parse
from local_cloud.demo.report import faults
from local_cloud.demo.samples import nuclei
from local_cloud.demo.volumes import write_volume
from local_cloud.demo.watch import watch
from tests.waiting import wait_until

REPOSITORY = Path(__file__).resolve().parents[3]
PROJECT = REPOSITORY / "local_cloud/sample_data/default.ilp"


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "embryo.h5"
    write_volume(path, nuclei(7)[:2, :64, :48, :16], "txyzc")
    return path


@pytest.mark.slow
def test_own_files_and_a_wrong_one(tmp_path: Path, image: Path) -> None:
    """One's own images give TIFFs and pictures; a file that cannot be segmented makes the demo fail, by name.

    The configuration beside the classifier tells which of several datasets is meant, and its axes.
    """
    thin, plain = tmp_path / "thin.h5", tmp_path / "plain.h5"
    write_volume(thin, np.zeros((2, 64, 48, 4, 1), np.uint8), "txyzc")
    with h5py.File(plain, "w") as file:
        file["thumbnail"] = np.zeros((8, 8), np.uint8)
        file["volume/data"] = nuclei(8)[:2, :64, :48, :16]
    project = tmp_path / "mine.ilp"
    shutil.copy(PROJECT, project)
    project.with_suffix(".json").write_text('{"internal_path": "volume/data", "axes": "txyzc"}')
    data = tmp_path / "data"
    arguments = ["--project", str(project), "--data", str(data), "--time-limit", "90", *map(str, (image, thin, plain))]
    ended = subprocess.run(
        [sys.executable, "-m", "local_cloud", "demo", *arguments],
        capture_output=True,
        text=True,
        timeout=110,
    )
    assert ended.returncode == 1, ended.stderr
    assert "NOT AS IT SHOULD BE: thin.h5 is REJECTED instead of SUCCEEDED: demo/thin.h5 has 4 z slices" in ended.stdout
    assert "the classifier projects/demo.ilp is mine.ilp with mine.json." in ended.stdout
    for name in ("embryo.h5", "plain.h5"):
        assert f"Picture   {data}/results/{name}/pictures/overlay.png" in ended.stdout.replace("\n", "")
    results = sorted(path.name for path in (data / "results/embryo.h5").iterdir())
    assert results == ["embryo0.tiff", "embryo1.tiff", "ilastik.log", "objects.csv", "pictures", "provenance.json"]
    assert [path.name for path in (data / "results/thin.h5").iterdir()] == ["PROBLEM.txt"]


class Standing:
    """A cloud and a storage in which nothing moves any more."""

    def __init__(self, *rows: FileRow) -> None:
        self._rows = {row.blob_name: row for row in rows}
        self.dropped: list[str] = []

    def has_ended(self) -> bool:
        return False

    def drop(self, file: DroppedFile) -> None:
        self.dropped.append(file.name)

    def rows(self, files: Sequence[DroppedFile]) -> dict[str, FileRow]:
        return {name: self._rows[name] for name in self.dropped}

    def given_up(self) -> int:
        return 0


def test_a_project_of_no_use_ends_the_demo(tmp_path: Path) -> None:
    """A project that can't be used will not change while the demo runs: it ends, and says what is wrong with it."""
    files = [DroppedFile(tmp_path, name, FileState.SUCCEEDED) for name in ("a.h5", "b.h5")]
    standing = Standing(
        FileRow("a.h5", FileState.WAITING_FOR_PROJECT, reason="demo.ilp has no stored classifier."),
        FileRow("b.h5", FileState.REJECTED, reason="b.h5 is empty."),
    )
    rows = watch(standing, standing, files, lambda shown: None, time_limit=20, log=tmp_path, patience=0.1)
    assert standing.dropped == ["a.h5", "b.h5"]
    assert faults(rows, files, {})[0] == (
        "a.h5 is WAITING_FOR_PROJECT instead of SUCCEEDED: demo.ilp has no stored classifier."
    )


@pytest.mark.slow
def test_readme_python_works_in_a_kept_cloud(tmp_path: Path, image: Path) -> None:
    """`--keep`: the cloud goes on after its starter; the README's Python drops a file into it; `down` ends it."""
    blocks = re.findall(r"```python\n(.*?)```", (REPOSITORY / "README.md").read_text(), re.DOTALL)
    [drop] = [block for block in blocks if "BlobServiceClient" in block]
    (tmp_path / "my_training.ilp").write_bytes(PROJECT.read_bytes())
    folder = DataFolder(tmp_path / "data")
    with attached_cloud(folder) as cloud:
        exports = cloud.wait_ready()
        cloud.keep()
    try:
        assert is_held(folder)
        subprocess.run([sys.executable, "-c", drop], cwd=tmp_path, env=os.environ | exports, timeout=60, check=True)
        connection = exports["AZURE_STORAGE_CONNECTION_STRING"]
        with BlobServiceClient.from_connection_string(connection) as blobs:
            done = blobs.get_blob_client("results", "embryos/monday/embryo.h5/provenance.json")
            wait_until(done.exists, 60)
    finally:
        assert local_cloud(["down", "--data", str(folder.root)]) == 0
    assert not is_held(folder)
    assert "nclosed" not in folder.log("functions").read_text()


def test_a_file_that_may_not_be_read_is_reported_first(image: Path, capsys: pytest.CaptureFixture[str]) -> None:
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


def test_a_disk_without_room_is_reported_first(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Before anything starts, the demo says how much room it needs and where there is too little."""
    huge = tmp_path / "huge.h5"
    with huge.open("wb") as file:
        file.truncate(2**43)
    assert local_cloud(["demo", "--data", str(tmp_path / "data"), str(huge)]) == 1
    assert re.search(r"needs about [\d,]+ MB of disk, and \S+ has [\d,]+ MB left", capsys.readouterr().err)


def test_a_folder_with_other_things_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The demo clears only folders that a demo has made."""
    precious = tmp_path / "thesis.tex"
    precious.write_text("x")
    assert local_cloud(["demo", "--data", str(tmp_path)]) == 1
    assert "holds other things" in capsys.readouterr().err
    assert precious.exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("fly",), "usage: python -m local_cloud COMMAND"),
        (("demo", "nowhere.h5"), "nowhere.h5 is not a file"),
        (("demo", "README.md"), "README.md does not end in .h5, .hdf5"),
        (("up", "--setting", "GRACE_SECONDS"), "NAME=VALUE"),
        (("up", "--nodes", "0"), "at least 1"),
    ],
)
def test_wrong_arguments_are_reported(
    arguments: tuple[str, ...], says: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A wrong command line ends with exit code 2 and says what is right."""
    monkeypatch.chdir(REPOSITORY)
    try:
        code: object = local_cloud(arguments)
    except SystemExit as ended:
        code = ended.code
    assert code == 2
    assert says in capsys.readouterr().err


def test_the_command_is_a_program() -> None:
    """`python -m local_cloud` without a command ends as the function does."""
    ended = subprocess.run([sys.executable, "-m", "local_cloud"], capture_output=True, text=True, timeout=60)
    assert ended.returncode == 2
    assert "usage: python -m local_cloud COMMAND" in ended.stderr
