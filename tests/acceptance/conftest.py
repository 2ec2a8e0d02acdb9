"""The clouds that the acceptance tests share."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.lab import MISBEHAVING, REPOSITORY, SETTINGS, Lab, laboratory


@pytest.fixture(scope="session")
def ilastik_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An ILASTIK_HOME whose program misbehaves on demand."""
    home = tmp_path_factory.mktemp("ilastik")
    real = REPOSITORY / "local_cloud/ilastik"
    (home / "bin").mkdir()
    (home / "bin/python").symlink_to(real / "bin/python")
    program = home / "run_ilastik.sh"
    program.write_text(MISBEHAVING.format(home=real))
    program.chmod(0o755)
    return home


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory, ilastik_home: Path) -> Iterator[Lab]:
    """One cloud for all tests that leave it as they found it."""
    tmp = tmp_path_factory.mktemp("lab")
    with laboratory(tmp, SETTINGS, ilastik_home) as running:
        # Pictures take as long as a small image itself: tests/acceptance/test_one_file.py has some.
        running.project("default", pictures=False)
        yield running
    shutil.rmtree(tmp, ignore_errors=True)


@pytest.fixture(scope="session")
def cells2d() -> Path:
    """A classifier for single planes."""
    return REPOSITORY / "tests/data/ilastik/cells2d/project.ilp"
