"""Labs with the real Azure CLI: a fresh one, and one after the first run.

Needs `AZURE_CLI_BIN`, the path of an `az`, and `bicep` on PATH: `make test-deploy` sees to both.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from local_cloud.azurite.server import Azurite
from tests.azure.lab import Lab
from tests.deploy.clone import copy

type Labs = Callable[[], AbstractContextManager[Lab]]


@pytest.fixture(scope="session")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What deploy.sh needs of the repository."""
    folder = tmp_path_factory.mktemp("source")
    copy(folder / "clone")
    return folder / "clone"


@pytest.fixture(scope="session")
def fresh_labs(source: Path, emulator: Azurite, tmp_path_factory: pytest.TempPathFactory) -> Labs:
    """Makes labs of people who have logged in and have deployed nothing."""
    program = os.environ.get("AZURE_CLI_BIN")
    assert program, "AZURE_CLI_BIN names no az; run `make test-deploy`."
    assert shutil.which("bicep"), "There is no Bicep compiler on PATH: https://aka.ms/bicep-install"

    @contextmanager
    def make() -> Iterator[Lab]:
        folder = tmp_path_factory.mktemp("lab")
        shutil.copytree(source, folder / "clone")
        with Lab(folder, folder / "clone", Path(program), emulator).running() as lab:
            done = lab.login()
            assert done.returncode == 0, done.stderr
            yield lab

    return make


@pytest.fixture
def empty(fresh_labs: Labs) -> Iterator[Lab]:
    """Nothing was deployed yet."""
    with fresh_labs() as lab:
        yield lab


@pytest.fixture(scope="session")
def first(fresh_labs: Labs) -> Iterator[Lab]:
    """A first run in a subscription that has never used storage; for tests that only look."""
    with fresh_labs() as lab:
        lab.world.registered.remove("Microsoft.Storage")
        done = lab.deploy("--location", "westeurope")
        assert done.returncode == 0, done.stdout + done.stderr
        yield lab


@pytest.fixture
def deployed(empty: Lab, first: Lab) -> Lab:
    """The first run is over."""
    empty.take_over(first)
    return empty
