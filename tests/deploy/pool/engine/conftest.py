"""Running the pixel engine inside the test's process, and finding reference data."""

from pathlib import Path

import pytest

from tests.deploy.pool.engine.made_up import Ilastik

REPOSITORY = Path(__file__).resolve().parents[4]


@pytest.fixture
def ilastik(tmp_path: Path) -> Ilastik:
    """Run command lines as if started in the test's own folder."""
    return Ilastik(tmp_path)


@pytest.fixture(scope="session")
def samples() -> Path:
    """Return the small reference cases that are part of the repository."""
    return REPOSITORY / "tests" / "data" / "ilastik"


@pytest.fixture(scope="session")
def reference() -> Path:
    """Return the complete reference set, or skip where it is not beside the repository."""
    folder = REPOSITORY.parent / "shared" / "reference" / "ilastik"
    if not folder.exists():
        pytest.skip(f"the complete reference outputs of ilastik are not at {folder}")
    return folder
