"""Where the commands read and write: streams, their width, and whether somebody is there to answer."""

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
        """Write a JSON value on a line of its own; ASCII, so that every name survives every terminal."""
        self.out.write(f"{json.dumps(value)}\n")

    def complain(self, text: str) -> None:
        """Write a sentence about what went wrong."""
        self.err.write(f"{text}\n")

    def agrees(self, question: str, *, yes: bool) -> bool:
        """Ask the person; where there is none, only `yes` counts."""
        if yes:
            return True
        if not self.asks:
            self.complain(f"{question} Nobody is here to ask: nothing was done; --yes does it without a question.")
            return False
        self.err.write(f"{question} [y/N] ")
        self.err.flush()
        if self.source.readline().strip().lower() in {"y", "yes"}:
            return True
        self.complain("Nothing was done.")
        return False
