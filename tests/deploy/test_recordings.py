"""What the real Azure CLI answered to deploy.sh, beside what the fast stand-in for it would have printed."""

import pytest

from tests.deploy import az_cli, calls, recordings

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


def test_no_answer_is_older_than_its_question(deployed):
    """What a first run asks, the real CLI was asked in the same way: after a change run `make recordings`."""
    recorded = {recording.shape for recording in recordings.load()}
    asked = {recordings.shape(call.arguments) for call in deployed.calls}
    assert len(asked) > 30
    assert asked - recorded == set()


def test_nothing_is_made_up():
    """A field that the real CLI never told fails the test that would read it."""
    call = ["group", "show", "--name", "lab"]
    with pytest.raises(AssertionError, match="never told \\['region'\\]"):
        az_cli.run(call, lambda call: {"name": "lab", "region": "westeurope"})
