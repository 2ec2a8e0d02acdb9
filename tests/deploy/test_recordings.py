"""What the real Azure CLI answered to deploy.sh, beside what the fast stand-in for it would have printed."""

import ast
import re
from pathlib import Path

import pytest

from tests.deploy import answers, az_cli, calls, recordings

QUERIED = [r for r in recordings.load() if "--query" in r.words and r.code == 0 and r.document is not None]


def test_queries_print_as_the_real_cli_prints():
    """A recorded document under a recorded query, in the format of the call."""
    wrong = []
    for recording in QUERIED:
        value = dict(zip(recording.words, recording.words[1:], strict=False))
        call = az_cli.Call("", {name: value[name] for name in ("--query", "--output")}, ())
        printed = az_cli.shown(call, recording.document)
        if printed.strip() != recording.out.strip():
            wrong.append((recording.shape, recording.out, printed))
    assert len(QUERIED) > 20
    assert wrong == []


def test_the_readme_has_the_table_of_calls():
    """As `python -m tests.deploy.calls` writes it: every command of the scripts stands there, recorded or not."""
    assert calls.table() in calls.README.read_text()


@pytest.mark.parametrize(
    ("words", "recorded"),
    [
        ("group show --name lab --query location --only-show-errors --output tsv", True),
        ("group show --name lab --query tags --only-show-errors --output tsv", False),
        (
            "rest --method get --only-show-errors --output json --url X/batchAccounts/b/pools?api-version=2025-06-01",
            True,
        ),
        (
            "rest --method get --only-show-errors --output json --url X/batchAccounts/b/pools?api-version=2024-07-01",
            False,
        ),
        ("role assignment delete --ids x --only-show-errors --output none", True),
        ("role assignment delete --ids x --yes --only-show-errors --output none", False),
    ],
)
def test_no_answer_is_older_than_its_question(words, recorded):
    """Whatever deploy.sh asks in a fast test, the real CLI was asked in the same way: else it is no answer."""
    if recorded:
        assert answers.of(words.split()).document is not None or "--output none" in words
    else:
        with pytest.raises(AssertionError, match="run `make recordings`"):
            answers.of(words.split())


@pytest.mark.parametrize(
    "own", [{"region": "westeurope"}, {"location": 7}, {"tags": ["a"]}, {"properties": {"provisioned": "yes"}}]
)
def test_nothing_is_made_up(own):
    """What a test's subscription has goes where the real CLI told it, in the same kind of value."""
    words = ["group", "show", "--name", "lab", "--query", "location", "--only-show-errors", "--output", "tsv"]
    with pytest.raises(AssertionError, match="The real CLI"):
        answers.of(words, own)


def test_a_refusal_is_one_that_was_seen():
    """Its text and its exit code are the real ones; only names differ."""
    seen = answers.refusal("group show", "ResourceGroupNotFound", lab="mine")
    assert (seen.code, str(seen).splitlines()[0]) == (
        3,
        "(ResourceGroupNotFound) Resource group 'mine' could not be found.",
    )
    with pytest.raises(AssertionError, match="never seen to refuse"):
        answers.refusal("group show", "Conflict")


def test_every_answer_of_the_stand_in_for_azure_names_its_source():
    """Else a recording of it would be a recording of what we believe."""
    nameless = []
    for path in sorted((Path(__file__).parents[1] / "azure").glob("*.py")):
        for function in ast.walk(ast.parse(path.read_text())):
            if not isinstance(function, ast.FunctionDef):
                continue
            by = {ast.unparse(decorator).partition("(")[0] for decorator in function.decorator_list}
            named = re.search(r"https://|spec: |spec |cli: |type: ", ast.get_docstring(function) or "")
            if by & {"route", "_rule"} and not named:
                nameless.append(f"{path.name}: {function.name}")
    assert nameless == []
