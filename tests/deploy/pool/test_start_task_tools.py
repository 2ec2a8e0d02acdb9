"""The start task's script with other tools: each is installed by its own script, or the node says why not."""

import io
import subprocess
import sys
import tarfile

import pytest

from tests.deploy.pool.conftest import REPOSITORY

GOOD = 'mkdir -p "$1" && echo 7 >"$1/VERSION" && echo "Mine 7 is installed in $1"\n'


def bring(node, **installers: str) -> None:
    """Put installers beside the start task, as deploy.sh packs them."""
    with tarfile.open(node.startup / "tools.tar", "w") as archive:
        for name, script in installers.items():
            entry = tarfile.TarInfo(f"tools/{name}/install.sh")
            entry.size = len(script)
            archive.addfile(entry, io.BytesIO(script.encode()))


def test_tools_are_installed_where_they_were_brought_along(node):
    """Each into a folder of its own, which tasks find; again at each start, as each knows whether it is there."""
    bring(node, mine=GOOD, other=GOOD)
    done = node.run()
    assert done.returncode == 0, done.stderr
    assert (node.shared / "tools/mine/VERSION").read_text() == "7\n"
    assert (node.shared / "tools/other/VERSION").exists()
    assert "Mine 7 is installed" in done.stdout
    assert node.run().returncode == 0


@pytest.mark.parametrize(
    ("script", "says"), [("echo no such package >&2; exit 98\n", "no such package"), (None, "unpacked")]
)
def test_a_tool_that_can_not_be_installed_is_reported(node, script, says):
    """The node takes no task: exit code 89, with the script's own last words."""
    if script is None:
        (node.startup / "tools.tar").write_bytes(b"none")
    else:
        bring(node, mine=script)
    done = node.run()
    assert (done.returncode, says in done.stderr) == (89, True)


def test_the_archive_has_what_is_asked_for(tmp_path):
    """The same bytes for the same tools; a name that is none is refused with those that are."""
    command = [sys.executable, str(REPOSITORY / "deploy/package.py"), "--tools"]
    first, second = (
        subprocess.run(
            [*command, str(tmp_path / name), "imagej"], capture_output=True, text=True, check=True, timeout=60
        )
        for name in ("a.tar", "b.tar")
    )
    assert first.stdout == second.stdout
    with tarfile.open(tmp_path / "a.tar") as archive:
        assert archive.getnames() == ["tools/imagej/RunMacro.java", "tools/imagej/install.sh"]
    wrong = [*command, str(tmp_path / "c.tar"), "../engine"]
    done = subprocess.run(wrong, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, "there are cellprofiler, imagej" in done.stderr) == (1, True)
