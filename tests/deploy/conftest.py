"""A shell in which deploy.sh meets the stand-in for Azure."""

import itertools
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.deploy import quick_python
from tests.deploy.azure import Azure
from tests.deploy.clone import PACKAGE, copy
from tests.deploy.programs import programs


@dataclass
class Deployer:
    """Somebody with a clone of the repository and a login."""

    azure: Azure
    clone: Path
    bin: Path
    faults: list[Exception]
    environment: dict[str, str] = field(default_factory=dict)

    def run(self, *options: str, stdin: str = "", group: str = "lab") -> subprocess.CompletedProcess[str]:
        """Run deploy.sh; `done.stdout` and `done.stderr` are what the person saw."""
        done = subprocess.run(
            ["bash", self.clone / "deploy/deploy.sh", "--resource-group", group, *options],
            capture_output=True,
            text=True,
            input=stdin,
            timeout=60,
            cwd=self.clone,
            env={
                "PATH": f"{self.bin}:{os.environ['PATH']}",
                "HOME": str(self.clone),
                "ILASTIK_BATCH_PAUSE": "0",
                "ILASTIK_BATCH_TRIES": "4",
                "LC_ALL": "C.UTF-8",
                **self.environment,
            },
        )
        assert not self.faults, self.faults
        return done

    def up(self, *options: str) -> subprocess.CompletedProcess[str]:
        """Run it in West Europe; it must succeed."""
        done = self.run("--location", "westeurope", *options)
        assert done.returncode == 0, done.stdout + done.stderr
        return done

    def new_code(self, digest: str) -> None:
        """The package that is built from now on."""
        (self.clone / "deploy/package.py").write_text(PACKAGE.format(digest=digest))

    def new_start_task(self, text: str) -> None:
        """The start task from now on."""
        (self.clone / "deploy/pool/start_task.sh").write_text(text)

    def doctor_says(self, *codes: int) -> None:
        """Its exit codes from now on, run by run; the last one stays."""
        (self.clone / "batch_ops/doctor/codes").write_text(" ".join(map(str, codes)))

    def asked(self) -> list[Any]:
        """What the doctor was asked, run by run: (arguments, settings, begin of the path, kind of login)."""
        notes = self.clone / "batch_ops/doctor/asked"
        return [json.loads(line) for line in notes.read_text().splitlines()] if notes.exists() else []

    def cached_archive(self) -> Path:
        """Where the download of ilastik is kept."""
        return self.clone / ".cache/ilastik-batch/ilastik-1.4.2-Linux.tar.bz2"


@contextmanager
def laboratory(folder: Path, source: Path) -> Iterator[Deployer]:
    """An empty subscription and a fresh clone."""
    clone, tools = folder / "clone", folder / "bin"
    shutil.copytree(source / "clone", clone)
    shutil.copytree(source / "bin", tools)
    azure = Azure(clone / "deploy")
    with programs(azure, tools) as faults:
        yield Deployer(azure, clone, tools, faults)


@pytest.fixture(scope="session")
def source(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """What deploy.sh needs of the repository, as it is now; its package is built in no time. And a quick Python."""
    source = tmp_path_factory.mktemp("source")
    folder, tools = source / "clone", source / "bin"
    copy(folder)
    tools.mkdir()
    with quick_python.running(str(Path(sys.base_prefix) / "bin/python3.13")) as client:
        (tools / "python3.13").write_text(client)
        (tools / "python3.13").chmod(0o755)
        yield source


@pytest.fixture
def empty(tmp_path: Path, source: Path) -> Iterator[Deployer]:
    """Nothing was deployed yet."""
    with laboratory(tmp_path / "lab", source) as deployer:
        yield deployer


@pytest.fixture(scope="session")
def deployed(tmp_path_factory: pytest.TempPathFactory, source: Path) -> Azure:
    """A subscription after the first run."""
    with laboratory(tmp_path_factory.mktemp("deployed") / "lab", source) as deployer:
        deployer.azure.providers["Microsoft.Web"] = "NotRegistered"
        deployer.up()
        return deployer.azure


@pytest.fixture
def lab(empty: Deployer, deployed: Azure) -> Deployer:
    """The first run is over."""
    empty.azure.take_over(deployed)
    cached = empty.cached_archive()
    cached.parent.mkdir(parents=True)
    cached.write_bytes(deployed.archive)
    return empty


@pytest.fixture
def make_empty(tmp_path: Path, source: Path) -> Callable[[], AbstractContextManager[Deployer]]:
    """Further labs in which nothing was deployed yet."""
    numbers = itertools.count()
    return lambda: laboratory(tmp_path / f"lab-{next(numbers)}", source)
