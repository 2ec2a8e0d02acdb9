"""A node with nothing but a Python for tasks, an archive that looks like ilastik's, and where the node gets it from."""

import bz2
import hashlib
import io
import os
import random
import shlex
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.deploy.pool.tools_server import CLIENT_ID, ToolsServer, tools_server
from tests.deploy.pool.warm_python import warm_python

REPOSITORY = Path(__file__).resolve().parents[3]
# What set-up has made, by the list and the scripts that nodes of Azure get: the wheels, and what is made of them.
WHEELS = Path(sys.prefix) / "node-python.tar"
NODE_PYTHON = Path(os.environ.get("NODE_PYTHON", Path(sys.prefix) / "node-python"))
# As deploy/modules/pool.bicep brings them to a node.
START_FILES = {
    "start_task.sh": REPOSITORY / "deploy/pool/start_task.sh",
    "install_python.py": REPOSITORY / "deploy/pool/install_python.py",
    "node-requirements.txt": REPOSITORY / "deploy/pool/node-requirements.txt",
    "node-python.tar": WHEELS,
    "smoke.h5": REPOSITORY / "deploy/smoke/tiny.h5",
    "smoke.ilp": REPOSITORY / "local_cloud/sample_data/default.ilp",
}
ARCHIVE = "ilastik/ilastik-1.4.2-Linux.tar.bz2"
VERSION = "1.4.2"
STAND_IN = REPOSITORY / "local_cloud/ilastik"
NOISE_BYTES = 300_000  # makes the archive longer than what one read of a socket gives


def archive_of(files: dict[str, str]) -> bytes:
    """A tar.bz2 with one folder at its top, as ilastik's own; texts that begin with `#!` can be run."""
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w") as tar:
        noise = random.Random(1).randbytes(NOISE_BYTES)
        for name, content in {**{name: text.encode() for name, text in files.items()}, "lib/noise": noise}.items():
            entry = tarfile.TarInfo(f"ilastik-{VERSION}-Linux/{name}")
            entry.size, entry.mode = len(content), 0o700 if content.startswith(b"#!") else 0o600
            tar.addfile(entry, io.BytesIO(content))
    return bz2.compress(whole.getvalue())


def ilastik_archive(**changed: str) -> bytes:
    """The archive of the stand-in for ilastik; `program` replaces it, `news` is one more file."""
    program = changed.get("program", f'#!/bin/sh\nexec {shlex.quote(str(STAND_IN / "run_ilastik.sh"))} "$@"\n')
    return archive_of({"run_ilastik.sh": program, **({"NEWS": changed["news"]} if "news" in changed else {})})


@dataclass
class Node:
    """A machine that a start task is run on."""

    shared: Path
    startup: Path
    server: ToolsServer
    archive: bytes
    extra: dict[str, str] = field(default_factory=dict)

    @property
    def home(self) -> Path:
        return self.shared / "ilastik"

    def offer(self, archive: bytes) -> None:
        """Let this be the archive that was deployed."""
        self.archive = self.server.blobs[ARCHIVE] = archive

    def environment(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "ILASTIK_ARCHIVE": ARCHIVE,
            "ILASTIK_SHA256": hashlib.sha256(self.archive).hexdigest(),
            "ILASTIK_VERSION": VERSION,
            "TOOLS_URL": self.server.tools_url,
            "METADATA_URL": self.server.metadata_url,
            "POOL_IDENTITY_CLIENT_ID": CLIENT_ID,
            "AZ_BATCH_NODE_SHARED_DIR": str(self.shared),
            "PAUSE_SECONDS": "0",
            "TRIES": "3",
            **self.extra,
        }

    def start(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            ["/bin/bash", "start_task.sh"],
            cwd=self.startup,
            env={name: text for name, text in self.environment().items() if text},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self) -> subprocess.CompletedProcess[str]:
        process = self.start()
        try:
            out, err = process.communicate(timeout=60)
        finally:
            process.kill()
        return subprocess.CompletedProcess([], process.returncode, out, err)

    def is_complete(self) -> bool:
        """Whether ilastik is there as it was packed, and nothing else beside the Python for tasks."""
        left = {path.name for path in self.shared.iterdir()} - {"ilastik", ".ilastik.lock", "python"}
        noise = self.home / "lib/noise"
        return not left and noise.stat().st_size == NOISE_BYTES and (self.home / "VERSION").read_text() == "1.4.2\n"


@pytest.fixture(scope="session")
def warm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The Python for tasks, whose libraries are loaded: once for all tests instead of for each process."""
    with warm_python(NODE_PYTHON / "bin/python", tmp_path_factory.mktemp("warm")) as there:
        yield there


@pytest.fixture
def server() -> Iterator[ToolsServer]:
    with tools_server() as running:
        yield running


@pytest.fixture
def programs(tmp_path: Path) -> Callable[..., Path]:
    """`programs("lbzip2", text)`: a folder for PATH with a program of this text, before all others."""
    folder = tmp_path / "programs"
    folder.mkdir()

    def add(name: str, text: str) -> Path:
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
        return folder

    # Nothing may be installed on the machine of the tests.
    add("apt-get", "#!/bin/sh\nexit 100\n")
    # The Python of these nodes is the one that the wheels are for.
    add("python3", f'#!/bin/sh\nexec {shlex.quote(sys.executable)} "$@"\n')
    return add


@pytest.fixture
def node(tmp_path: Path, server: ToolsServer, programs: Callable[..., Path], warm: Path) -> Node:
    """A fresh node whose folder has an odd name; the Python for tasks is there already."""
    startup = tmp_path / "startup dir"
    startup.mkdir()
    for name, path in START_FILES.items():
        (startup / name).symlink_to(path) if path is WHEELS else shutil.copy(path, startup / name)
    made = Node(tmp_path / "shared 'dir' é", startup, server, b"")
    made.shared.mkdir()
    (made.shared / "python").symlink_to(NODE_PYTHON)
    made.offer(ilastik_archive())
    folder = programs("nothing", "#!/bin/sh\n")
    made.extra["PATH"] = f"{folder}:{os.environ['PATH']}"
    # What tries ilastik, or the stand-in for it, need not load its libraries.
    made.extra["LOCAL_CLOUD_PYTHON"] = str(warm / "bin/python")
    return made
