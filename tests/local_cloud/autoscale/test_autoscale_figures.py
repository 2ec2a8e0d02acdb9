"""The figures that the documentation gives are those that its commands print."""

import re
import shlex
from pathlib import Path

import pytest

from local_cloud.autoscale.command import main

_ROOT = Path(__file__).parents[3]
_TEXT = (_ROOT / "deploy" / "pool" / "AUTOSCALE.md").read_text(encoding="utf-8")
_FIGURES = re.findall(r"```\npython -m local_cloud autoscale (.*?)\n```\n\n(\|.*?\n)\n", _TEXT, re.DOTALL)


def test_the_documentation_gives_figures() -> None:
    """Three commands, each followed by its table."""
    assert len(_FIGURES) == 3


@pytest.mark.slow
@pytest.mark.parametrize(("command", "table"), _FIGURES)
def test_every_table_is_what_its_command_prints(command: str, table: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever changes formula, simulator or traces renews the tables."""
    arguments = [
        str(_ROOT / word) if word.startswith("deploy/") else word for word in shlex.split(command.replace("\\\n", " "))
    ]
    assert main(arguments) == 0
    assert capsys.readouterr().out == table
