"""Running the ilastik stand-in inside the test's process, and finding reference data."""

from pathlib import Path

import pytest

from local_cloud.ilastik.batch import run
from local_cloud.ilastik.build import build
from local_cloud.ilastik.command import parse_command
from local_cloud.ilastik.errors import IlastikError
from local_cloud.ilastik.settings import Settings
from tests.local_cloud.ilastik.made_up import Ended, Ilastik

REPOSITORY = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="session", autouse=True)
def _kernel() -> None:
    build()


@pytest.fixture
def ilastik(tmp_path: Path) -> Ilastik:
    """Run a command line (without the program) as if started in the test's own folder."""

    def run_there(*arguments: str, directory: Path = tmp_path, threads: int = 2, work_bytes: int = 2**28) -> Ended:
        said: list[str] = []
        try:
            run(parse_command(arguments), Settings(threads, work_bytes), directory, said.append)
        except IlastikError as exc:
            return Ended(exc.exit_code, "\n".join([*said, str(exc)]))
        return Ended(0, "\n".join(said))

    return run_there


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
