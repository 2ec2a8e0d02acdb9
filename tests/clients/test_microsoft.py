"""The tests of Microsoft's own SDK, statement by statement, against the local service.

They come in the source packages of azure-batch; nothing of them is kept here. A statement is one line of a test's
body; a call is one call of the client with the assertions on its answer. Every test has an account to itself.
"""

import contextlib
import json
import os
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from local_cloud.doors import new_key
from tests.clients.conftest import FOLDER, output_of
from tests.local_cloud.batch.running import running_service

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

TOOLS = ("azure-mgmt-batch==17.3.0", "aiohttp==3.13.2", "pytest==8.4.2", "requests==2.32.5", "six==1.17.0")


DIGESTS = {  # of the source packages
    "14.2.0": "c79267d6c3d3fe14a16a422ab5bbfabcbd68ed0b58b6bbcdfa0c8345c4c78532",
    "15.1.0": "2f684d176b457b7213535e145180a914ed6844b2d1066fcc22ac88c3ac9e3fa5",
}


class Suite(NamedTuple):
    """Tests of a version; how many they are, and how many statements they have."""

    version: str
    chosen: str
    tests: int
    statements: int


SUITES = {
    "14.2.0": Suite("14.2.0", "", 14, 430),
    "15.1.0-sync": Suite("15.1.0", "not async", 16, 456),
    "15.1.0-aio": Suite("15.1.0", "async", 16, 456),
}
LEAST = 0.9  # of the statements
# Why some do not: what the local service does not do, by test.
REASONS = {
    "test_batch_applications": "application packages come from an account's auto-storage, and there is none",
    "test_batch_certificates": "certificates of pools ended in February 2024; none can be added",
    "test_batch_compute_node_extensions": "a node is a folder, which has no VM extensions",
    "test_batch_job_schedules": "nothing starts jobs by the clock",
}


def groups(entries: list[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """The entries of each call with those that follow it until the next."""
    found: list[dict[str, Any]] = []
    for entry in entries:
        if entry["call"]:
            if found:
                yield found
            found = []
        if entry["call"] or found:
            found.append(entry)
    if found:
        yield found


@pytest.mark.parametrize("suite", SUITES.values(), ids=SUITES)
async def test_statements_of_microsofts_tests_pass(suite, made, table, tmp_path):
    """Most statements pass, and each of the others fails for a reason that is known."""
    tests = made("microsoft/sdist.sh", suite.version, DIGESTS[suite.version])
    python = made("environment.sh", f"azure-batch-{suite.version}", "3.13", f"azure-batch=={suite.version}", *TOOLS)
    written = tmp_path / "statements.jsonl"
    async with contextlib.AsyncExitStack() as stack:
        key = new_key()
        starting = (running_service(key=key, kill_grace=0.2, containers_on_host=True) for _ in range(suite.tests))
        services = [await stack.enter_async_context(one) for one in starting]
        environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(FOLDER / "microsoft"),
            "AZURE_BATCH_ACCOUNT": services[0].account,
            "AZURE_BATCH_ACCESS_KEY": key,
            "LOCAL_BATCH_ENDPOINTS": " ".join(service.endpoint for service in services),
            "STATEMENTS": str(written),
        }
        work = tmp_path / "work"
        await output_of(python, "-m", "statements", tests, work, environment=environment, folder=tmp_path)
        chosen = ["-k", suite.chosen] if suite.chosen else []
        command = [python, "-m", "pytest", "-q", "-p", "statements", "-p", "no:cacheprovider", "-c", os.devnull]
        # Ends with 1 where the preparation of a test has failed; all its statements then have.
        command += [*chosen, work / "test_batch.py"]
        await output_of(*command, environment=environment, folder=work, codes=(0, 1))

    entries = [json.loads(line) for line in written.read_text().splitlines()]
    assert len(entries) == suite.statements
    failed = [entry for entry in entries if entry["error"]]
    calls = list(groups(entries))
    passed = len(entries) - len(failed)
    whole = sum(not any(entry["error"] for entry in group) for group in calls)
    table(
        "Microsoft's tests",
        f"azure-batch {suite.version}{' aio' if suite.chosen == 'async' else ''}",
        f"{passed} of {len(entries)} statements, {whole} of {len(calls)} calls with all their assertions",
    )
    unexplained = [entry for entry in failed if entry["test"] not in REASONS]
    assert not unexplained, report(unexplained)
    assert passed >= LEAST * len(entries), report(failed)


def report(failed: list[dict[str, Any]]) -> str:
    """What failed by itself, each error once, with the last request before it and the answer."""
    lines: dict[str, str] = {}
    for entry in failed:
        if not entry["error"].startswith("UnboundLocalError"):
            where = f"{entry['test']} line {entry['line']} {entry['call']}"
            lines.setdefault(entry["error"], "\n    ".join([f"{where}: {entry['error']}", *entry["requests"][-1:]]))
    return "\n".join(lines.values())
