"""Ended at any moment and in any way, the cloud leaves no process behind."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from local_cloud.cloud.folder import DataFolder, is_held, read_owner
from tests.waiting import wait_until

MOMENTS = ["local_cloud up", "azurite.js", "local_cloud.batch", "local_cloud.functions", "run_task"]


@pytest.fixture
def start(leftovers, tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Starts a command of the local cloud, in a process group as a terminal makes one."""
    started = []

    def begin(*arguments: str) -> subprocess.Popen[bytes]:
        with (tmp_path / "output").open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "local_cloud", *arguments],
                env=leftovers.env,
                stdout=subprocess.DEVNULL,
                stderr=output,
                start_new_session=True,
                # A shell that runs the tests in the background has them, and all they start, ignore Ctrl-C.
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
            )
        started.append(process)
        return process

    yield begin
    for process in started:
        process.kill()
        process.wait(10)


def wait_for(words: str, leftovers, demo: subprocess.Popen[bytes]) -> None:
    """Return once a process with these words in its command line runs; fails at once where the demo has ended."""
    wait_until(lambda: demo.poll() is not None or any(words in command for command in leftovers.commands()), 60, words)
    assert demo.poll() is None, f"the demo ended with {demo.returncode} before {words} ran"


@pytest.mark.slow
@pytest.mark.parametrize("moment", MOMENTS)
def test_ctrl_c_in_the_demo(tmp_path: Path, start, leftovers, moment: str) -> None:
    """Ctrl-C while one part after the other starts, and while a task runs: nothing stays, no traceback."""
    demo = start("demo", "--data", str(tmp_path / "data"))
    wait_for(moment, leftovers, demo)
    os.killpg(demo.pid, signal.SIGINT)
    assert demo.wait(40) == 130
    assert "Traceback" not in (tmp_path / "output").read_text()
    leftovers.wait_gone()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the leash for a SIGKILL is Linux's")
@pytest.mark.parametrize("victim", ["demo", "supervisor"])
def test_killed_outright(tmp_path: Path, start, leftovers, victim: str) -> None:
    """A SIGKILL for the demo, or for the supervisor of all services, leaves nothing running either."""
    folder = DataFolder(tmp_path / "data")
    demo = start("demo", "--data", str(folder.root))
    wait_for("run_task", leftovers, demo)
    owner = demo.pid if victim == "demo" else read_owner(folder)
    assert owner is not None
    os.kill(owner, signal.SIGKILL)
    demo.wait(40)
    leftovers.wait_gone(40)


@pytest.mark.slow
def test_state_survives_and_down_ends_it(tmp_path: Path, start, leftovers) -> None:
    """`up`, `down` from elsewhere, `up` again: same ports and key, the same blobs, and another link to the page."""
    from azure.storage.blob import BlobServiceClient

    folder = DataFolder(tmp_path / "data")
    exports = []
    for _ in range(2):
        up = start("up", "--data", str(folder.root))
        wait_until(folder.env.exists, 60)
        exports.append(folder.env.read_text())
        assert is_held(folder)
        connection = exports[-1].split("'")[1]
        with BlobServiceClient.from_connection_string(connection) as blobs:
            found = list(blobs.get_container_client("projects").list_blob_names())
            if not found:
                blobs.get_blob_client("projects", "kept.ilp").upload_blob(b"x")
        down = start("down", "--data", str(folder.root))
        assert down.wait(60) == 0
        assert up.wait(10) == 0
        assert not folder.env.exists()
        leftovers.wait_gone()
    first, second = (text.partition("export PAGE_URL=") for text in exports)
    assert first[0] == second[0]
    # The link opens the page until `down`.
    assert first[2] != second[2]
    assert found == ["kept.ilp"]


def test_a_second_up_in_a_folder_is_refused(tmp_path: Path, start, leftovers) -> None:
    """The second `up` says which process has the folder, and leaves the first alone."""
    folder = DataFolder(tmp_path / "data")
    first = start("up", "--data", str(folder.root))
    wait_until(lambda: is_held(folder) and read_owner(folder))
    second = start("up", "--data", str(folder.root))
    assert second.wait(30) == 1
    assert f"process {first.pid}" in (tmp_path / "output").read_text()
    assert first.poll() is None
    first.terminate()
    first.wait(40)
    leftovers.wait_gone()
