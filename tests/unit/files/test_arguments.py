"""The words of the command line, and the settings that it needs."""

import io

import pytest

from batch_ops.files.__main__ import command_line
from batch_ops.files.arguments import parser
from batch_ops.files.console import Console


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


async def test_without_settings_it_says_where_they_may_be():
    """Somebody who named no settings is told how to, besides what is missing."""
    err = io.StringIO()
    console = Console(io.StringIO(), io.StringIO(), err, 100, asks=False)
    assert await command_line(["list"], {}, console) == 3
    assert "BATCH_POOL_ID is missing" in err.getvalue()
    assert "--settings or BATCH_OPS_SETTINGS" in err.getvalue()
