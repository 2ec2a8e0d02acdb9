"""What the doctor says of queues, open files, projects, the parser, and of checks that fail themselves."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from batch_ops.doctor import open_files, projects, queues, self_test
from batch_ops.doctor.findings import Finding, Level, exit_code
from batch_ops.doctor.open_files import OpenFiles
from batch_ops.doctor.projects import ProjectStatus
from batch_ops.doctor.runner import Check, examine
from batch_ops.domain.blob import ImageVersion
from batch_ops.domain.errors import ServiceFault
from batch_ops.domain.file_record import FileRecord, State
from batch_ops.domain.worklist import Board, Intent, Pause
from batch_ops.image.facts import ProjectFacts, Refused, Unchecked
from batch_ops.inspection.checker import ImageChecker
from batch_ops.ports.health import ProbeOutcome, QueueStatus
from batch_ops.task.stored_export import StoredExport
from tests import fakes
from tests.fakes.check import PROJECT

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("status", "level", "message"),
    [
        (QueueStatus("q", False), Level.OK, "The queue 'q' is empty"),
        (QueueStatus("q", False, count=3, oldest=NOW - HOUR / 3), Level.OK, "About 3 messages wait"),
        (QueueStatus("q", False, count=1, oldest=NOW - HOUR / 3), Level.OK, "About 1 message waits"),
        (QueueStatus("q", False, count=3, oldest=NOW - HOUR), Level.FAIL, "the oldest for 60 minutes"),
        (QueueStatus("q", False, count=3), Level.OK, "About 3 messages"),
        (QueueStatus("q", False, ProbeOutcome.MISSING, "QueueNotFound"), Level.FAIL, "can't be read"),
        (QueueStatus("q", True, ProbeOutcome.MISSING), Level.OK, "was ever given up"),
        (QueueStatus("q", True, ProbeOutcome.REFUSED, "403"), Level.FAIL, "'q-poison' can't be read (403)"),
        (QueueStatus("q", True), Level.OK, "'q-poison' is empty"),
        (QueueStatus("q", True, count=2, oldest=NOW - 72 * HOUR), Level.WARN, "the oldest 3 days ago"),
    ],
)
def test_a_queue_that_nobody_empties_stands_out(status, level, message):
    """Old messages and poison; delayed ones that nobody can see yet are no fault."""
    finding = queues.judge(status, NOW)
    assert (finding.level, message in finding.sentence) == (level, True), finding


def intent(name, age, due=timedelta(), **fields):
    return Intent(name, "n", due=NOW - due, added=NOW - age, **fields)


def judged(*intents, **fields):
    return open_files.judge(OpenFiles(Board(tuple(intents)), **fields), NOW)


def test_nothing_open_is_fine():
    """And nothing overdue."""
    assert [f.level for f in judged()] == [Level.OK, Level.OK]


def test_open_files_are_counted_by_state_and_the_oldest_is_named():
    """With what it waits for."""
    records = (
        FileRecord(
            "p/a.h5", 1, State.WAITING_FOR_PROJECT, ImageVersion("0x1", 10), "c", reason="There is no project 'p.ilp'."
        ),
        FileRecord("p/b.h5", 1, State.RUNNING, ImageVersion("0x1", 10), "c"),
    )
    findings = judged(intent("p/a.h5", 30 * HOUR), intent("p/b.h5", HOUR), records=records)
    text = " ".join(finding.sentence for finding in findings)
    assert "2 files are open: 1 RUNNING and 1 WAITING_FOR_PROJECT." in text
    assert "'p/a.h5', has been open for 30 hours, WAITING_FOR_PROJECT: There is no project 'p.ilp'." in text
    assert exit_code(findings) == 1


def test_files_on_their_way_for_a_short_time_are_fine():
    """What is only being cleaned up is not open."""
    findings = judged(intent("p/a.h5", HOUR), intent("p/b.h5", 90 * HOUR, cleaning=True))
    assert {finding.level for finding in findings} == {Level.OK}
    assert "1 file is open" in findings[0].sentence


def test_a_timer_that_stands_still_is_noticed():
    """Whatever is long due shows that nobody looks."""
    findings = judged(intent("p/a.h5", 2 * HOUR, due=HOUR))
    assert [f.remedy for f in findings if f.level is Level.FAIL] == [
        "check that the function `reconcile` runs: look at its log and at RECONCILE_SCHEDULE."
    ]


@pytest.mark.parametrize(("project", "message"), [("", "paused everything"), ("lab", "paused the project lab")])
def test_a_pause_is_remembered(project, message):
    """Nobody should search for hours why nothing begins."""
    findings = judged(pauses=(Pause(project, NOW - 3 * HOUR),))
    assert [message in f.sentence for f in findings if f.level is Level.WARN] == [True]


def test_each_project_has_its_sentence():
    """Usable ones, unusable ones with the reason, wrong configurations; none at all is worth a warning too."""
    good = ProjectStatus("a.ilp", self_test.PROJECT)
    bad = ProjectStatus("b.ilp", Refused("It is not trained."), "The configuration 'b.json' is not JSON.")
    findings = projects.judge([good, bad], more=True, container="projects")
    assert [f.level for f in findings] == [Level.OK, Level.WARN, Level.WARN, Level.NOTE]
    (none,) = projects.judge([], more=False, container="projects")
    assert none.level is Level.WARN


async def test_projects_are_inspected_as_before_a_run():
    """With their configurations; what is no project, or in a folder, is none of them."""
    blobs = fakes.FakeBlobs(containers=["projects"])
    contents = {"a.ilp": b"", "b.ILP": b"REFUSE It is not trained.", "b.json": b"{", "c.txt": b"", "d/e.ilp": b""}
    for name, content in contents.items():
        blobs.upload("projects", name, content)
    found, more = await projects.look(blobs, fakes.FakeCheck(), "projects")
    assert not more
    assert [(project.blob, type(project.found)) for project in found] == [("a.ilp", ProjectFacts), ("b.ILP", Refused)]
    assert [bool(project.config_fault) for project in found] == [False, True]
    blobs.upload("projects", "a.json", b'{"keep_export_settings": true}')
    facts = replace(PROJECT, export=StoredExport(dtype="int64"))
    found, more = await projects.look(blobs, fakes.FakeCheck(project=facts), "projects")
    assert "which TIFF files can't have" in found[0].config_fault
    for number in range(projects.MOST_PROJECTS):
        blobs.upload("projects", f"{number}.ilp", b"")
    found, more = await projects.look(blobs, fakes.FakeCheck(), "projects")
    assert (len(found), more) == (projects.MOST_PROJECTS, True)


async def test_the_parser_is_tried_on_an_image_that_must_be_accepted():
    """With the real parser; a parser that can't work is a failure with its sentence."""
    async with ImageChecker(parsers=1) as check:
        assert self_test.judge(await self_test.look(check)).level is Level.OK
    async with ImageChecker(parsers=1, code="batch_ops.inspection.parser.entry:no_such_function") as check:
        assert self_test.judge(await self_test.look(check)).level is Level.FAIL
    assert self_test.judge(Unchecked("why")).level is Level.FAIL


async def test_a_check_that_fails_or_hangs_hides_no_other():
    """Each is a finding of its own, in the order of the checks."""

    async def good():
        return [Finding("good", Level.OK, "Fine.")]

    async def hangs():
        await asyncio.Event().wait()
        return []

    async def away():
        raise ServiceFault("Table storage is busy.")

    async def broken():
        raise ZeroDivisionError("why\nnot")

    checks = [Check(look.__name__, f"do {look.__name__}", look) for look in (hangs, good, away, broken)]
    findings = await examine(checks, 0.2)
    assert [(f.area, f.level) for f in findings] == [
        ("hangs", Level.FAIL),
        ("good", Level.OK),
        ("away", Level.FAIL),
        ("broken", Level.FAIL),
    ]
    assert "longer than 0.2 seconds to do hangs" in findings[0].sentence
    assert findings[2].sentence == "Table storage is busy."
    assert "ZeroDivisionError: why not" in findings[3].sentence
