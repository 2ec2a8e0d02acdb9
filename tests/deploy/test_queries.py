"""The saved queries and those of the alerts find what the app really logs."""

import json
import logging
import re
from pathlib import Path

import pytest

from batch_ops import log_fields
from tests.world import World

REPOSITORY = Path(__file__).resolve().parents[2]
QUERIES = REPOSITORY / "deploy/queries"
NAME = "fly/a.h5"


@pytest.fixture
async def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What is logged of a file whose task fails twice."""
    logger = logging.getLogger("batch_ops")
    log_fields.install(logger)
    caplog.set_level(logging.INFO, logger.name)
    try:
        world = World()
        world.project("fly")
        world.drop(NAME)
        await world.start(NAME)
        for _ in range(2):
            world.batch.complete(world.row(NAME).placement.task_id, exit_code=3)
            await world.tick()
    finally:
        logger.filters.clear()
    return list(caplog.messages)


def test_the_alert_on_failed_files_finds_them(lines):
    """One line for each file that ended as FAILED, by the words that the query looks for."""
    (begin,) = re.findall(r'Message startswith "([^"]+)"', (QUERIES / "failed-files.kql").read_text())
    assert len([line for line in lines if line.startswith(begin)]) == 1


def test_a_file_can_be_followed_by_its_correlation_id(lines):
    """The query takes ids out of the lines as they are written, and they are those of the file."""
    patterns = re.findall(r'extract\("([^"]+)", 1, Message\)', (QUERIES / "one-file.kql").read_text())
    ids = [[found[1] if (found := re.search(pattern, line)) else "" for pattern in patterns] for line in lines]
    assert len({correlation for correlation, task in ids if correlation and task}) == 1
    assert {correlation for correlation, _ in ids} <= {f"event-{NAME}", ""}


def test_no_query_asks_for_fields_that_the_worker_drops():
    """The Functions worker hands on a line's text alone."""
    assert [path.name for path in sorted(QUERIES.glob("*.kql")) if "Properties" in path.read_text()] == []


def test_no_line_that_an_alert_counts_is_left_out():
    """Application Insights leaves out lines when there are many; alerts and the story of a file need each of them."""
    host = json.loads((REPOSITORY / "host.json").read_text())
    assert "Trace" in host["logging"]["applicationInsights"]["samplingSettings"]["excludedTypes"].split(";")
