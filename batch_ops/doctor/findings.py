"""What the doctor says: a level, one plain sentence, and what to do about it."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any


class Level(StrEnum):
    """`note`: nothing was judged; it does not affect the exit code."""

    OK = "ok"
    NOTE = "note"
    WARN = "warn"
    FAIL = "fail"


_EXIT_CODES = {Level.OK: 0, Level.NOTE: 0, Level.WARN: 1, Level.FAIL: 2}


@dataclass(frozen=True, slots=True)
class Finding:
    """One result of a check. `remedy` is empty if nothing needs to be done."""

    area: str
    level: Level
    sentence: str
    remedy: str = ""

    @property
    def line(self) -> str:
        """The finding and its remedy for a terminal."""
        text = f"{self.level:<4}  {self.area:<8}  {self.sentence}"
        return f"{text} To do: {self.remedy}" if self.remedy else text

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON for programs; the keys are the fields."""
        return {**asdict(self), "level": str(self.level)}


def exit_code(findings: Iterable[Finding]) -> int:
    """Return 0 if all is well, 1 if something needs attention, 2 if something does not work."""
    return max((_EXIT_CODES[finding.level] for finding in findings), default=0)


def joined(names: Iterable[str]) -> str:
    """Write a list for a sentence: `a, b and c`."""
    *first, last = list(names) or [""]
    return f"{', '.join(first)} and {last}" if first else last
