"""The review of the Bicep files by Microsoft's compiler finds what it is there for."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.deploy.bicep_review import DEPLOY, REPOSITORY, SNAPSHOTS

needs_bicep = pytest.mark.skipif(
    not shutil.which("bicep") and not os.environ.get("CI"), reason="there is no bicep on PATH"
)
_SMALL = """@description('How many.')
param count int = {count}

@description('How many there are.')
output some int = {out}
"""


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A template of one parameter and one output, and its reviewed snapshots."""
    deploy = tmp_path / "deploy"
    (tmp_path / "snapshots").mkdir()
    deploy.mkdir()
    shutil.copy(DEPLOY / "bicepconfig.json", deploy)
    (deploy / "main.bicep").write_text(_SMALL.format(count=1, out="count"))
    for path in (deploy / "main.bicepparam", tmp_path / "snapshots/everything.bicepparam"):
        path.write_text("using 'main.bicep'\n")
    assert review(tmp_path, "--write").returncode == 0
    return tmp_path


def review(folder: Path, *more: str, path: str | None = None) -> subprocess.CompletedProcess[str]:
    """Run it on a folder with `deploy` and `snapshots`."""
    folders = ("--deploy", folder / "deploy", "--snapshots", folder / "snapshots")
    return subprocess.run(
        [sys.executable, "-m", "tests.deploy.bicep_review", *folders, *more],
        capture_output=True,
        text=True,
        cwd=REPOSITORY,
        env=os.environ | ({} if path is None else {"PATH": path}),
        timeout=300,
    )


@needs_bicep
@pytest.mark.parametrize(
    ("text", "finding"),
    [
        (_SMALL.format(count=1, out="1"), "no-unused-params"),
        (_SMALL.format(count=1, out="count").replace("@description('How many.')\n", ""), "use-description-params"),
        (_SMALL.format(count=1, out="  count"), "is not as `bicep format` has it"),
        (_SMALL.format(count=2, out="count"), '+  "some": 2'),
    ],
    ids=["warning", "linter", "format", "resources"],
)
@pytest.mark.slow
def test_what_changed_is_found(small: Path, text: str, finding: str) -> None:
    """A warning (with which the compiler ends well), a file in another format, a template that makes something else."""
    assert review(small).returncode == 0
    (small / "deploy/main.bicep").write_text(text)
    done = review(small)
    assert (done.returncode, finding in done.stdout) == (1, True), done.stdout + done.stderr


def test_without_a_compiler_it_is_said_what_is_left_out(tmp_path: Path) -> None:
    """Nothing is passed over in silence, and nothing can be renewed."""
    done = review(tmp_path, path="/nowhere")
    assert (done.returncode, "left out" in done.stdout) == (0, True)
    assert review(tmp_path, "--write", path="/nowhere").returncode == 1


def test_only_two_rules_of_the_linter_are_off() -> None:
    """Every other one is on, whatever its default."""
    lines = (DEPLOY / "bicepconfig.json").read_text().splitlines()
    off = [line.split('"')[1] for line in lines if '"level": "off"' in line]
    assert off == ["use-recent-api-versions", "use-user-defined-types"]
    assert len([line for line in lines if '"level": "warning"' in line]) > 40


def test_everything_turned_on_is_more_than_the_default() -> None:
    """The larger snapshot has what the lab's own parameter file leaves out."""
    main, everything = ((SNAPSHOTS / f"{name}.json").read_text() for name in ("main", "everything"))
    for kind in ("Microsoft.Batch/batchAccounts/pools", "Microsoft.Insights/metricAlerts", "Consumption/budgets"):
        assert (kind in main, kind in everything) == (False, True), kind
