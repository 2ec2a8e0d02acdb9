"""What all folders of tests share: one Azurite for the whole session, and names that nobody else uses."""

import asyncio
import os
import threading
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from xdist.scheduler import LoadFileScheduling  # type: ignore[import-untyped]

from local_cloud.azurite.server import Azurite, AzuriteError
from pixel_engine.build import build

_STOP_SECONDS = 30
# Of a test that takes minutes, unless it says otherwise: some install a program first.
_SLOW_SECONDS = 900

# A busy machine is no fault of the code.
settings.register_profile("patient", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")


def pytest_sessionstart() -> None:
    """Compile the pixel engine where its source has changed since `make setup`: it stands in for ilastik."""
    build()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give slow tests longer than the others."""
    for item in items:
        if item.get_closest_marker("slow") and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(_SLOW_SECONDS))


class FileByFile(LoadFileScheduling):  # type: ignore[misc]
    """Gives a worker one file of tests after the other, but the acceptance tests as one: they share a cloud."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return "tests/acceptance" if file.startswith("tests/acceptance/") else file


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> FileByFile | None:
    """Take the place of `--dist loadfile`."""
    return FileByFile(config, log) if config.getoption("dist") == "loadfile" else None


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azurite]:
    """An Azurite that is started when the first test asks for it.

    Where it can't run the test is skipped; with CI set in the environment it fails.
    """
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="azurite", daemon=True)
    thread.start()
    server = Azurite(tmp_path_factory.mktemp("azurite"))
    try:
        try:
            asyncio.run_coroutine_threadsafe(server.start(), loop).result()
        except AzuriteError as exc:
            if os.environ.get("CI"):
                pytest.fail(str(exc))
            pytest.skip(str(exc))
        yield server
        asyncio.run_coroutine_threadsafe(server.stop(), loop).result(_STOP_SECONDS)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(_STOP_SECONDS)
        loop.close()


@pytest.fixture(scope="session")
def azurite(request: pytest.FixtureRequest) -> str:
    """The connection string of the Azurite that all tests share: one that runs already, if the environment names it."""
    running = os.environ.get("AZURITE_CONNECTION")
    return running or str(request.getfixturevalue("emulator").connection_string)


@pytest.fixture
def unique() -> Callable[[str], str]:
    """`unique("input")`: a name of letters and digits for a container, queue or table of this test alone."""
    return lambda prefix: f"{prefix}{uuid.uuid4().hex[:12]}"
