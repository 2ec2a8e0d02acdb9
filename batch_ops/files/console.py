"""The streams that commands read and write, their width, and whether somebody can answer questions."""

import json
from dataclasses import dataclass
from typing import Any, TextIO


@dataclass(frozen=True, slots=True)
class Console:
    """Answers go to `out`; questions and complaints to `err`, so that `out` may be read by a program."""

    source: TextIO
    out: TextIO
    err: TextIO
    width: int
    asks: bool

    def say(self, text: str = "") -> None:
        """Write a line of the answer."""
        self.out.write(f"{text}\n")

    def say_json(self, value: Any) -> None:
        """Write a JSON value on a line of its own; ASCII, so that any terminal can show any name."""
        self.out.write(f"{json.dumps(value)}\n")

    def complain(self, text: str) -> None:
        """Write a sentence about what went wrong."""
        self.err.write(f"{text}\n")

    def agrees(self, question: str, *, yes: bool) -> bool:
        """Ask the person for confirmation; if there is none, only `yes` counts."""
        if yes:
            return True
        if not self.asks:
            self.complain(f"{question} There is nobody to ask, so nothing was done; use --yes to do it without asking.")
            return False
        self.err.write(f"{question} [y/N] ")
        self.err.flush()
        if self.source.readline().strip().lower() in {"y", "yes"}:
            return True
        self.complain("Nothing was done.")
        return False
