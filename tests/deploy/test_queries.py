"""The saved queries and those of the alerts find what the app really logs."""

import itertools
import json
import logging
import re
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest

from batch_ops import log_fields
from batch_ops.domain.budget import Budgets
from batch_ops.domain.prices import NodePrices
from tests.world import NAME, World

REPOSITORY = Path(__file__).resolve().parents[2]
QUERIES = REPOSITORY / "deploy/queries"


@pytest.fixture
async def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What is logged of a file whose task fails twice."""
    logger = logging.getLogger("batch_ops")
    log_fields.install(logger)
    caplog.set_level(logging.INFO, logger.name)
    try:
        world = World()
        await world.begin(NAME)
        for _ in range(2):
            await world.fail(NAME, 3)
    finally:
        logger.filters.clear()
    return list(caplog.messages)


def test_the_alert_on_failed_files_finds_them(lines):
    """One line for each file that ended as FAILED, by the words that the query looks for."""
    (begin,) = re.findall(r'Message startswith "([^"]+)"', (QUERIES / "failed-files.kql").read_text())
    assert len([line for line in lines if line.startswith(begin)]) == 1


async def test_the_alert_on_a_pool_finds_its_trouble(caplog):
    """The line that is logged when files wait for long begins with the words that the query looks for."""
    (begin,) = re.findall(r'Message startswith "([^"]+)"', (QUERIES / "pool-trouble.kql").read_text())
    world = World()
    await world.begin(NAME)
    world.batch.pools.clear()
    await world.tick(timedelta(minutes=16))
    (line,) = [line for line in caplog.messages if line.startswith(begin)]
    assert "has no pool 'pool'" in line


async def test_the_alert_on_the_budget_finds_what_is_said_of_it(caplog):
    """The line that is logged when the month's budget is spent begins with the words that the query looks for."""
    (begin,) = re.findall(r'Message startswith "([^"]+)"', (QUERIES / "month-budget.kql").read_text())
    world = World(budgets=Budgets(0), prices=NodePrices.parse('{"d4": {"spot": 1}}'))
    await world.begin(NAME)
    (line,) = [line for line in caplog.messages if line.startswith(begin)]
    assert "is used up: 0.00 USD of 0.00 USD for all projects" in line


@pytest.mark.parametrize("name", ["poison-lately", "failed-files", "pool-trouble", "month-budget"])
@pytest.mark.parametrize("delay", [0.0, 0.4])
def test_every_alert_sees_lines_that_arrive_late(name, delay):
    """A line that arrives up to an hour late is seen, whatever seconds an evaluation is late by; twice at most."""
    alerts = (REPOSITORY / "deploy/modules/alerts.bicep").read_text()
    (rule,) = re.findall(r"evaluationFrequency: 'PT(\d+)M'\s+windowSize: 'PT(\d+)H'", alerts)
    every, window = int(rule[0]), 60 * int(rule[1])
    (arrived,) = re.findall(r"where ingestion_time\(\) > ago\((\d+)m\)", (QUERIES / f"{name}.kql").read_text())
    evaluations = [every * n + (delay if n % 2 else 0.0) for n in range(20)]
    for written, late in itertools.product(range(60, 60 + every), range(61)):
        there = written + late
        seen = [at for at in evaluations if at - window <= written and at - int(arrived) < there <= at]
        assert len(seen) in {1, 2}, (written, late, seen)


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


def test_the_language_service_finds_nothing():
    """Syntax, tables, columns, functions and types of every query are right, as Microsoft's own service sees them."""
    done = faults_of(*sorted(QUERIES.glob("*.kql")))
    assert (done.returncode, done.stdout) == (0, ""), done.stdout + done.stderr


def test_the_language_service_finds_each_slip(tmp_path):
    """A misspelt table, column, operator or function, and a type that does not fit."""
    slips = {
        "table": "AppTrace",
        "column": "AppTraces | where Mesage has 'x'",
        "operator": "AppTraces | wher Message has 'x'",
        "comparison": "AppTraces | where Message startswit 'x'",
        "type": "AppTraces | where SeverityLevel >= 'two' | project ago(1x)",
        "function": "AppTraces | project extracts('x', 1, Message)",
    }
    for name, query in slips.items():
        (tmp_path / f"{name}.kql").write_text(query)
    done = faults_of(*sorted(tmp_path.glob("*.kql")))
    assert done.returncode == 1, done.stderr
    assert set(re.findall(r"(\w+)\.kql:1: KS", done.stdout)) == slips.keys(), done.stdout


def faults_of(*queries):
    """What the language service says of these files."""
    check = REPOSITORY / "tests/deploy/kusto/check.js"
    return subprocess.run(["node", check, *queries], capture_output=True, text=True, timeout=60)


def test_every_query_of_the_template_stands_in_a_file():
    """What is written into the template itself would not be looked at; and no file is left over."""
    template = "".join(path.read_text() for path in (REPOSITORY / "deploy").rglob("*.bicep"))
    loaded = re.findall(r"loadTextContent\('\.\./queries/([\w-]+\.kql)'\)", template)
    assert set(loaded) == {path.name for path in QUERIES.glob("*.kql")}
    assert re.findall(r"(?m)^\s*(?:query|text): '.*\|", template) == []
    assert set(re.findall(r"(?m)^\s*query: (.+)$", template)) <= {"string", "alert.query", "query.text"} | {
        f"loadTextContent('../queries/{name}')" for name in loaded
    }
