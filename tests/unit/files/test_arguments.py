"""The words of the command line, and the settings that it needs."""

import io
import re
import shlex
from pathlib import Path

import pytest

from batch_ops.files.__main__ import command_line
from batch_ops.files.arguments import parser
from batch_ops.files.console import Console

README = (Path(__file__).parents[3] / "README.md").read_text()


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["dance"],
        ["list", "--state", "ASLEEP"],
        ["list", "--since", "yesterday"],
        ["month", "March"],
        ["show"],
        ["backfill"],
        ["poison", "eat"],
        ["backfill", "x", "--slots", "0"],
    ],
)
def test_wrong_words_are_exit_code_2(words, capsys):
    """With a hint on the error stream."""
    with pytest.raises(SystemExit) as caught:
        parser().parse_args(words)
    assert caught.value.code == 2
    assert "usage:" in capsys.readouterr().err


def test_a_backslash_in_a_name_is_the_slash_that_azure_makes_of_it():
    """Whoever copies a path from Windows finds the file."""
    asked = parser().parse_args(["list", "fly\\a.h5", "--prefix", "fly\\"])
    assert (asked.names, asked.prefix) == (["fly/a.h5"], "fly/")
    assert parser().parse_args(["show", "fly\\a.h5"]).name == "fly/a.h5"


@pytest.mark.parametrize("words", [["--settings", "f", "list"], ["list", "--settings", "f"]])
def test_the_settings_file_is_named_before_or_after_the_command(words):
    """Either is heard."""
    assert parser().parse_args(words).settings == "f"


def test_a_state_that_does_not_exist_is_answered_with_those_that_do(capsys):
    """The states as one types them, none as Python writes them."""
    with pytest.raises(SystemExit):
        parser().parse_args(["list", "--state", "done"])
    error = capsys.readouterr().err
    assert "'SUCCEEDED'" in error
    assert "<State" not in error


def section(title: str) -> str:
    return README.partition(f"## {title}\n")[2].partition("\n## ")[0]


@pytest.fixture
def options(capsys):
    """The options of each command, as its help has them."""

    def help_of(*words: str) -> str:
        with pytest.raises(SystemExit):
            parser().parse_args([*words, "--help"])
        said: str = capsys.readouterr().out
        return said

    names = re.findall(r"(?m)^    ([a-z]+) ", help_of())
    return {name: set(re.findall(r"--[a-z-]+", help_of(name))) for name in names}


def test_the_readme_has_every_command_with_its_options(options):
    """And no other. `list`, `retry` and `cancel` choose by the same words; all speak JSON; few ask."""
    text = section("Steering by hand")
    said: dict[str, str] = {}
    for cells in re.findall(r"(?m)^\| (`.+?) \| .+ \|$", text):
        names = [name for word in re.findall(r"`([a-z, ]+)", cells) for name in word.split() if name in options]
        said |= dict.fromkeys(names, cells)
    assert said.keys() == options.keys()
    for name, cells in said.items():
        assert set(re.findall("--[a-z-]+", cells)) <= options[name], name
    assert set(re.findall(r"--[a-z][a-z-]+", text)) <= set().union(*options.values())
    for name in ("list", "retry", "cancel"):
        assert {"--prefix", "--project", "--state"} <= options[name]
    asking = {name for name, its in options.items() if "--yes" in its}
    assert asking == {"retry", "cancel", "backfill", "rerun", "poison", "purge"}
    assert all("--json" in its for its in options.values())


def test_the_lines_of_the_readme_are_understood():
    """Each that begins with the command, wherever it stands."""
    lines = re.findall(r"python -m batch_ops\.files ([a-z][^`#\n]+)", README)
    assert len(lines) >= 5
    for line in lines:
        parser().parse_args(shlex.split(line))


async def test_a_service_that_is_out_is_exit_code_3():
    """With its sentence: nobody listens there."""
    err, nobody = io.StringIO(), "http://127.0.0.1:1/devstoreaccount1"
    environment = {
        **dict.fromkeys(("BATCH_ACCOUNT_ENDPOINT", "BATCH_POOL_ID", "BATCH_POOL_IDENTITY"), "http://127.0.0.1:1"),
        "BATCH_ACCOUNT_NAME": "a",
        "BATCH_ACCOUNT_KEY": "a2V5",
        "DATA_STORAGE": "DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;AccountKey=a2V5;"
        f"BlobEndpoint={nobody};QueueEndpoint={nobody};TableEndpoint={nobody};",
    }
    console = Console(io.StringIO(), io.StringIO(), err, 100, asks=False)
    assert await command_line(["show", "a.h5"], environment, console) == 3
    assert "could not be reached" in err.getvalue()


async def test_without_settings_it_says_where_they_may_be():
    """Somebody who named no settings is told how to, besides what is missing."""
    err = io.StringIO()
    console = Console(io.StringIO(), io.StringIO(), err, 100, asks=False)
    assert await command_line(["list"], {}, console) == 3
    assert "BATCH_POOL_ID is missing" in err.getvalue()
    assert "--settings or BATCH_OPS_SETTINGS" in err.getvalue()
