"""A cloud that another program starts for itself: it ends with that program, unless it is to be kept."""

import contextlib
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence

from local_cloud.cloud.errors import CloudError, ServiceEndedError
from local_cloud.cloud.folder import DataFolder
from local_cloud.cloud.stack import REPOSITORY

_SECONDS_TO_START = 120.0
_SECONDS_TO_STOP = 40.0


class AttachedCloud:
    """A running `up` whose standard input is our pipe: if we die, however, it ends."""

    def __init__(self, process: subprocess.Popen[bytes], folder: DataFolder) -> None:
        self._process = process
        self._folder = folder
        self._kept = False

    def wait_ready(self) -> dict[str, str]:
        """Wait for the cloud, then return its exports. Raises ServiceEndedError with its last words."""
        deadline = time.monotonic() + _SECONDS_TO_START
        while not self._folder.env.exists():
            if self._process.poll() is not None:
                said = self._folder.log("cloud").read_text(errors="replace").strip()
                raise ServiceEndedError(said or f"The cloud ended with exit code {self._process.returncode}.")
            if time.monotonic() > deadline:
                raise ServiceEndedError(f"The cloud was not ready within {_SECONDS_TO_START:.0f} s.")
            time.sleep(0.05)
        return read_exports(self._folder)

    def has_ended(self) -> bool:
        return self._process.poll() is not None

    def keep(self) -> None:
        """Let the cloud run on after this program."""
        assert self._process.stdin is not None
        self._process.stdin.write(b"keep\n")
        self._process.stdin.close()
        self._kept = True

    def stop(self) -> None:
        """End the cloud unless it is kept; return when all its processes have ended."""
        if self._kept:
            self._process.returncode = 0  # not ours to wait for any more: no warning that it still runs
            return
        if self._process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.close()
        try:
            self._process.wait(_SECONDS_TO_STOP)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


@contextlib.contextmanager
def attached_cloud(folder: DataFolder, arguments: Sequence[str] = ()) -> Iterator[AttachedCloud]:
    """Start `up` for this folder; `arguments` are its further options. It ends with the block."""
    log = folder.log("cloud")
    log.parent.mkdir(parents=True, exist_ok=True)
    folder.env.unlink(missing_ok=True)
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "local_cloud", "up", "--attached", "--data", str(folder.root), *arguments],
            stdin=subprocess.PIPE,
            stdout=out,
            stderr=subprocess.STDOUT,
            cwd=REPOSITORY,
            start_new_session=True,  # the terminal's Ctrl-C is ours; we end it in order
        )
    cloud = AttachedCloud(process, folder)
    try:
        yield cloud
    finally:
        with _interrupts_ignored():  # an impatient second Ctrl-C must not leave the cloud behind
            cloud.stop()


def read_exports(folder: DataFolder) -> dict[str, str]:
    """Read the values in `env`. Raises CloudError where no cloud is ready."""
    try:
        lines = folder.env.read_text().splitlines()
    except FileNotFoundError as exc:
        raise CloudError(f"No cloud is running in {folder.root}.") from exc
    words = [shlex.split(line)[1] for line in lines]
    return dict(word.split("=", 1) for word in words)


@contextlib.contextmanager
def _interrupts_ignored() -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
