"""What a person sees while files are under way: a live table, or plain lines without a terminal."""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from local_cloud.demo.dropped import DroppedFile, FileRow, FileState, printable

_COLOURS = {
    FileState.SUCCEEDED: "green",
    FileState.REJECTED: "yellow",
    FileState.FAILED: "red",
    FileState.SUPERSEDED: "red",
    FileState.CANCELLED: "red",
    FileState.RUNNING: "cyan",
    FileState.COLLECTING: "cyan",
}
_NOT_SEEN_YET = "UPLOADED"
# A narrower table has no room for names and reasons, and one with more lines than the terminal hides the last.
_COLUMNS_OF_A_TABLE = 72
_ROWS_AROUND_A_TABLE = 5


@dataclass(frozen=True, slots=True)
class Line:
    """One file as shown; `state` is UPLOADED while it has no row, `seconds` count from its upload."""

    name: str
    state: str
    seconds: float
    node: str
    reason: str
    colour: str


type Show = Callable[[Sequence[Line]], None]
"""Shows the same lines again and again as they change."""


def lines(
    files: Sequence[DroppedFile], rows: Mapping[str, FileRow], uploaded: Mapping[str, datetime], now: datetime
) -> list[Line]:
    """Decide what to show for each file; `rows` and `uploaded` are keyed by the file's name. Pure."""
    shown = []
    for file in files:
        name = printable(file.name)
        row = rows.get(file.name)
        begun = uploaded.get(file.name, now)
        if row is None:
            shown.append(Line(name, _NOT_SEEN_YET, (now - begun).total_seconds(), "", "", "white"))
            continue
        end = row.finished_at if row.state.is_end and row.finished_at else now
        seconds = max(0.0, (end - begun).total_seconds())
        colour = _COLOURS.get(row.state, "white")
        shown.append(Line(name, row.state.value, seconds, row.node_id, row.reason, colour))
    return shown


class _Plain:
    """A line whenever a file's state changes: for logs and pipes, and where a table has no room."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._last: dict[str, str] = {}

    def show(self, shown: Sequence[Line]) -> None:
        for line in shown:
            if self._last.get(line.name) != line.state:
                self._last[line.name] = line.state
                rest = "  ".join(part for part in (line.node, line.reason) if part)
                self._console.out(f"{line.seconds:6.1f} s  {line.name:<20} {line.state:<20} {rest}".rstrip())


@contextlib.contextmanager
def view_for(console: Console, files: int) -> Iterator[Show]:
    """Give what shows so many files best: a table that is drawn over itself, or plain lines."""
    fits = console.width >= _COLUMNS_OF_A_TABLE and files + _ROWS_AROUND_A_TABLE <= console.height
    if not (console.is_terminal and fits):
        yield _Plain(console).show
        return
    with Live(console=console, auto_refresh=False) as live:
        yield lambda shown: live.update(table(shown), refresh=True)


def table(shown: Sequence[Line]) -> Table:
    """Lay out the lines as a table; names and reasons are text from outside and never markup."""
    drawn = Table(expand=True)
    drawn.add_column("file", overflow="fold", ratio=2)
    drawn.add_column("state", no_wrap=True)
    drawn.add_column("time", justify="right", no_wrap=True)
    drawn.add_column("node", no_wrap=True)
    drawn.add_column("reason", overflow="fold", ratio=3)
    for line in shown:
        drawn.add_row(
            Text(line.name),
            Text(line.state, style=line.colour),
            f"{line.seconds:.1f} s",
            Text(line.node),
            Text(line.reason),
        )
    return drawn
