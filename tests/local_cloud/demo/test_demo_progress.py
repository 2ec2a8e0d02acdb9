"""What the demo shows while files are under way, and its last word."""

import io
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from rich.console import Console

from local_cloud.demo.dropped import DroppedFile, FileRow, FileState, row_from_entity
from local_cloud.demo.progress import lines, table, view_for
from local_cloud.demo.report import Summary, faults, summarize, summary_lines

NOW = datetime(2026, 11, 22, 9, 0, 30, tzinfo=UTC)


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


def dropped(name: str, should_be: FileState = FileState.SUCCEEDED) -> DroppedFile:
    return DroppedFile(Path(name), name, should_be)


def done(name: str) -> FileRow:
    return FileRow(f"demo/{name}", FileState.SUCCEEDED, "", "", ago(20), ago(17), ago(7), ago(5))


def test_a_file_without_a_row_counts_from_its_upload() -> None:
    """Before the function app has seen a file it is UPLOADED, and its time runs."""
    (line,) = lines([dropped("a.h5")], {}, {"a.h5": ago(3)}, NOW)
    assert (line.state, line.seconds) == ("UPLOADED", 3.0)


def test_time_stops_at_the_end() -> None:
    """The time of a finished file is that of its way, however long the others take."""
    uploaded = {"a.h5": ago(20)}
    (ended,) = lines([dropped("a.h5")], {"a.h5": done("a.h5")}, uploaded, NOW)
    (running,) = lines([dropped("a.h5")], {"a.h5": FileRow("demo/a.h5", FileState.RUNNING)}, uploaded, NOW)
    assert (ended.seconds, running.seconds) == (15.0, 20.0)


def test_plain_view_prints_changes_only() -> None:
    """Without a terminal each state of a file is one line, once."""
    out = io.StringIO()
    console = Console(file=out, width=200)
    active = lines([dropped("a.h5")], {"a.h5": FileRow("demo/a.h5", FileState.ACTIVE)}, {}, NOW)
    rejected = FileRow("demo/a.h5", FileState.REJECTED, reason="It is [bold]no HDF5[/bold].", finished_at=NOW)
    with view_for(console, 1) as show:
        show(active)
        show(active)
        show(lines([dropped("a.h5")], {"a.h5": rejected}, {}, NOW))
    printed = out.getvalue().splitlines()
    assert len(printed) == 2
    assert printed[1].endswith("REJECTED             It is [bold]no HDF5[/bold].")


def test_table_shows_names_and_reasons_as_they_are() -> None:
    """Brackets in a name are part of the name, not markup."""
    out = io.StringIO()
    row = FileRow("demo/[red]x.h5", FileState.FAILED, reason="[/] no")
    Console(file=out, width=160).print(table(lines([dropped("[red]x.h5")], {"[red]x.h5": row}, {}, NOW)))
    assert "[red]x.h5" in out.getvalue()
    assert "[/] no" in out.getvalue()


@pytest.mark.parametrize(
    ("width", "height", "files", "is_table"),
    [(100, 40, 5, True), (40, 40, 5, False), (100, 40, 36, False)],
)
def test_a_table_only_where_it_has_room(width: int, height: int, files: int, is_table: bool) -> None:
    """In a narrow terminal a table would lose names and reasons, with many files its end: lines lose nothing."""
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=width, height=height)
    with view_for(console, files) as show:
        show(lines([dropped("a.h5")], {}, {}, NOW))
    assert "UPLOADED" in out.getvalue()
    assert ("reason" in out.getvalue()) is is_table


def test_a_name_cannot_forge_lines() -> None:
    """Line ends and escape codes in a file's name are shown as one replacement character each."""
    hostile = dropped("a\n  1.0 s  b.h5 SUCCEEDED\x1b[2J.h5")
    shown = lines([hostile], {}, {}, NOW)[0].name
    shown_lines = faults({}, [hostile], {})[0]
    assert shown == "a\ufffd  1.0 s  b.h5 SUCCEEDED\ufffd[2J.h5"
    assert shown in shown_lines


def test_row_times_may_be_text_or_dates() -> None:
    """A row's times are read as UTC in either form; an unknown state is refused."""
    times = {"dropped_at": "2026-11-22T09:00:10Z", "task_started_at": ago(17)}
    row = row_from_entity({"name": "p/a.h5", "state": "RUNNING", **times})
    assert row.seconds_waiting == 3.0
    with pytest.raises(ValueError, match="BOGUS"):
        row_from_entity({"name": "p/a.h5", "state": "BOGUS"})


def test_summary_counts_and_times() -> None:
    """The summary has files, TIFFs and the median seconds of each part of the way."""
    files = [dropped("a.h5"), dropped("b.h5", FileState.REJECTED), dropped("c.h5")]
    rows = {"a.h5": done("a.h5"), "b.h5": FileRow("demo/b.h5", FileState.REJECTED, reason="cut off")}
    summary = summarize(rows, files, tiffs=3)
    assert summary == Summary(3, 1, 1, 1, 3, waiting=3.0, running=10.0, collecting=2.0)
    shown_lines = summary_lines(summary, Path("/data"), [], kept=True)
    assert shown_lines[0] == "3 files: 1 succeeded, 1 rejected, 1 neither; 3 TIFFs."
    assert any("local_cloud down --data /data" in line for line in shown_lines)
    assert summary_lines(summarize({}, files[:1], tiffs=1), Path("/data"), [], kept=False)[0].startswith("1 file: ")


@pytest.mark.parametrize(
    ("row", "tiffs", "fault"),
    [
        (None, 0, "never seen"),
        (FileRow("demo/a.h5", FileState.FAILED, reason="no luck"), 0, "a.h5 is FAILED instead of SUCCEEDED: no luck"),
        (done("a.h5"), 0, "no TIFF"),
        (done("a.h5"), 3, None),
    ],
)
def test_every_file_must_be_where_it_should_be(row: FileRow | None, tiffs: int, fault: str | None) -> None:
    """A fault for a file that is missing, in another state, or SUCCEEDED without a TIFF; none otherwise."""
    found = faults({} if row is None else {"a.h5": row}, [dropped("a.h5")], {"a.h5": tiffs})
    assert bool(found) == (fault is not None)
    assert fault is None or fault in found[0]


def test_a_rejection_without_a_reason_is_a_fault() -> None:
    """A refused file must come with its sentence."""
    rows = {"a.h5": FileRow("demo/a.h5", FileState.REJECTED)}
    assert "no reason" in faults(rows, [dropped("a.h5", FileState.REJECTED)], {})[0]
