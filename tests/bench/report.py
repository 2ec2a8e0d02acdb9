"""What a benchmark found, as Markdown: printed, and kept in a file between the marks of its section."""

import json
import os
import platform
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
RESULTS = Path(__file__).with_name("RESULTS.md")


class Report:
    """A section: a heading, the command, where and when, then tables and sentences. `is_good`: no target was missed."""

    def __init__(self, name: str, title: str, command: str, file: Path = RESULTS) -> None:
        self.name = name
        self.is_good = True
        self._began = os.getloadavg()[0]
        self._title, self._command, self._file = title, command, file
        self._parts: list[str] = []

    def say(self, sentence: str) -> None:
        """A paragraph."""
        self._parts.append(sentence)

    def table(self, head: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """A table; a number in a cell is written as it is given."""
        lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
        lines += ["| " + " | ".join(map(str, row)) + " |" for row in rows]
        self._parts.append("\n".join(lines))

    def markdown(self) -> str:
        """The whole section."""
        load = f"load average {self._began:.1f} when it began, {os.getloadavg()[0]:.1f} at its end"
        where = f"`{self._command}`, {datetime.now(UTC):%Y-%m-%d}: {machine()}; {load}."
        return "\n\n".join([*([f"## {self._title}"] if self._title else []), where, *self._parts])

    def write(self, file: Path | None = None) -> None:
        """Put the section in the place of the older one. Raises ValueError if the file has no place for it."""
        file = file or self._file
        begin, end = f"<!-- {self.name} -->\n", f"\n<!-- end of {self.name} -->"
        before, found, rest = file.read_text().partition(begin)
        _, closed, after = rest.partition(end)
        if not found or not closed:
            raise ValueError(f"{file} has no place marked {begin.strip()}.")
        file.write_text(f"{before}{begin}{self.markdown()}{end}{after}")


def cpu_table(report: Report, cpu: Mapping[str, float], count: int, thing: str) -> None:
    """CPU seconds by process, and for each of `count` things."""
    total = {"together": sum(cpu.values())}
    rows = [(name, f"{seconds:.1f}", f"{1000 * seconds / count:.1f}") for name, seconds in (dict(cpu) | total).items()]
    report.table(("CPU of", "seconds", f"ms a {thing}"), rows)


def machine() -> str:
    """The machine and the versions that figures depend on."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    name = names[0] if names else platform.processor() or platform.machine()
    lock = json.loads((REPOSITORY / "local_cloud/package-lock.json").read_text())
    azurite = lock["packages"]["node_modules/azurite"]["version"]
    node = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout.strip()
    python = platform.python_version()
    return f"{os.cpu_count()} cores ({name}), Python {python}, Node.js {node}, Azurite {azurite}"
