"""Somebody at a terminal who steers a system over the fakes."""

import io
import json
from dataclasses import dataclass
from typing import Any

import pytest

from batch_ops.files.arguments import parser
from batch_ops.files.commands import run
from batch_ops.files.console import Console
from tests.world import World


@dataclass
class Answer:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> list[Any]:
        return [json.loads(line) for line in self.out.splitlines()]


class Operator:
    """Somebody with a terminal of 100 columns."""

    def __init__(self) -> None:
        self.world = World(backfill_daily_limit=2)

    async def types(self, *words: str, answers: str | None = None) -> Answer:
        """A command, and what is answered to its questions (None: nobody is there)."""
        out, err = io.StringIO(), io.StringIO()
        console = Console(io.StringIO(answers or ""), out, err, 100, asks=answers is not None)
        code = await run(parser().parse_args(words), self.world.system, console)
        return Answer(code, out.getvalue(), err.getvalue())


@pytest.fixture
def operator() -> Operator:
    return Operator()
