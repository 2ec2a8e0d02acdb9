"""What is said of the local cloud and its demo is so."""

import re
import shlex
import subprocess
from pathlib import Path

import pytest

from batch_ops.domain.file_record import State
from local_cloud.cloud.up import parse
from local_cloud.demo.dropped import FileState

LOCAL_CLOUD = Path(__file__).resolve().parents[3] / "local_cloud"


def test_the_demo_knows_every_state() -> None:
    """The demo, which knows nothing of the product, spells the states of a file as the product does."""
    assert {str(state) for state in State} == {str(state) for state in FileState}
    assert {str(s) for s in FileState if s.is_end} == {str(s) for s in State if s.is_final}


def test_links_of_the_coverage_list_lead_somewhere() -> None:
    """Files that the coverage list links to exist."""
    links = re.findall(r"\]\(([^)#:]+)\)", (LOCAL_CLOUD / "COVERAGE.md").read_text())
    assert links
    assert [link for link in links if not (LOCAL_CLOUD / link).exists()] == []


def test_names_with_spaces_reach_the_demo() -> None:
    """As the README quotes them: each is one argument."""
    [line] = re.findall(r"`(FILES=\"'[^`]+)`", (LOCAL_CLOUD.parent / "README.md").read_text())
    shown = subprocess.run(
        ["make", "--no-print-directory", "--dry-run", "demo", *shlex.split(line)],
        cwd=LOCAL_CLOUD.parent,
        capture_output=True,
        text=True,
        check=True,
    )
    assert shlex.split(shown.stdout.splitlines()[-1])[-2:] == ["day 1.h5", "control.h5"]


def test_an_ilastik_home_without_ilastik_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Else the first file would tell it."""
    monkeypatch.setenv("ILASTIK_HOME", str(tmp_path))
    with pytest.raises(SystemExit):
        parse([])
    assert "there is no run_ilastik.sh in it" in capsys.readouterr().err


def test_picture_is_small() -> None:
    """The README's picture is quick to load."""
    assert 10_000 < (LOCAL_CLOUD / "sample_data/segmentation.png").stat().st_size <= 150_000
