"""What the tests with others' clients share: their environments, services for them, and the table at the end."""

import asyncio
import subprocess
from collections.abc import AsyncIterator, Callable, Collection
from pathlib import Path

import pytest

from tests.local_cloud.batch.running import RunningService, running_service

FOLDER = Path(__file__).parent
REPOSITORY = FOLDER.parents[1]
_TABLE = "clients"


@pytest.fixture(scope="session")
def made() -> Callable[..., Path]:
    """`made("environment.sh", ...)`: what one of this folder's scripts makes, or finds, as the path that it prints."""

    def run(script: str, *arguments: str) -> Path:
        done = subprocess.run([FOLDER / script, *arguments], stdout=subprocess.PIPE, text=True, check=True)
        return Path(done.stdout.strip())

    return run


@pytest.fixture
async def service() -> AsyncIterator[RunningService]:
    """A service with a pool of two nodes."""
    async with running_service(nodes=2, kill_grace=0.2) as running:
        yield running


async def output_of(
    *command: str | Path, environment: dict[str, str], folder: Path, seconds: float = 300, codes: Collection[int] = (0,)
) -> str:
    """What a client's program prints on both streams; AssertionError with it for any other exit code."""
    process = await asyncio.create_subprocess_exec(
        *command,
        env=environment,
        cwd=folder,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        printed, _ = await asyncio.wait_for(process.communicate(), seconds)
    finally:
        if process.returncode is None:
            process.kill()
    text = printed.decode(errors="replace")
    assert process.returncode in codes, text
    return text


@pytest.fixture
def table(record_property: Callable[[str, object], None]) -> Callable[[str, str, str], None]:
    """`table(client, version, figures)`: a row of the table that ends the run."""
    return lambda *row: record_property(_TABLE, row)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what each client could do."""
    reports = [report for kind in ("passed", "failed") for report in terminalreporter.getreports(kind)]
    rows = sorted(row for report in reports for name, row in report.user_properties if name == _TABLE)
    if rows:
        terminalreporter.write_line("\n| client | version | passed |\n|---|---|---|")
        for row in rows:
            terminalreporter.write_line(f"| {' | '.join(map(str, row))} |")
