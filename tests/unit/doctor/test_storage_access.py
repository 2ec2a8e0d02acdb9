"""What the doctor tries to do to storage, for whom, and what it says of what came of it."""

import base64
import json

import pytest

from batch_ops.doctor.findings import Level, exit_code
from batch_ops.doctor.storage_access import Act, Answer, Ask, Came, Kind, Visitor, judge, plan, visitor
from batch_ops.domain.settings import Settings

SETTINGS = Settings("https://b.west.batch.azure.com", "pool", "/identity", client_id="app-1")


def token(**claims):
    payload = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"head.{payload}.signature"


def as_it_must_be(who):
    return [Answer(ask, Came.DONE if ask.allowed else Came.REFUSED) for ask in plan(who, SETTINGS)]


@pytest.mark.parametrize(
    ("uses_key", "text", "who"),
    [
        (True, "", Visitor.KEY),
        (False, token(appid="app-1"), Visitor.APP),
        (False, token(appid="04b07795"), Visitor.OPERATOR),
        (False, "no token", Visitor.OPERATOR),
        (False, "a.%%%.b", Visitor.OPERATOR),
        (False, token(), Visitor.OPERATOR),
    ],
)
def test_a_token_tells_who_is_asking(uses_key, text, who):
    """Only the app's own identity is held to the app's limits; a token that can't be read is a person's."""
    assert visitor(SETTINGS, uses_key, text) is who


def test_without_an_app_identity_in_the_settings_nobody_is_the_app():
    """An empty client id matches no token without one."""
    assert visitor(Settings("e", "p", "i"), False, token(appid="")) is Visitor.OPERATOR


def test_the_app_must_be_refused_where_code_comes_from():
    """Writing images, classifiers or scripts decides what the pool runs; nobody else is tried there."""
    forbidden = {ask.name for ask in plan(Visitor.APP, SETTINGS) if not ask.allowed}
    assert forbidden == {"input", "projects", "tools"}
    for who in (Visitor.KEY, Visitor.OPERATOR):
        written = {a.name for a in plan(who, SETTINGS) if a.kind is Kind.CONTAINER and a.act is Act.WRITE}
        assert not written & forbidden


def test_an_operator_writes_into_no_container():
    """What a person's login may do says nothing of the app."""
    assert not [a for a in plan(Visitor.OPERATOR, SETTINGS) if (a.kind, a.act) == (Kind.CONTAINER, Act.WRITE)]


@pytest.mark.parametrize("who", list(Visitor))
def test_all_as_it_must_be_is_fine(who):
    """A refusal where one must be is no fault; the sentences name what was tried."""
    findings = judge(who, as_it_must_be(who))
    assert exit_code(findings) == 0
    text = " ".join(finding.sentence for finding in findings)
    assert all(ask.name in text for ask in plan(who, SETTINGS))


def test_what_does_not_answer_at_all_is_one_sentence():
    """It names everything once, whatever was tried with it; another reason has a sentence of its own."""
    asks = plan(Visitor.KEY, SETTINGS)
    answers = [Answer(ask, Came.FAILED, "no route") for ask in asks[1:]] + [Answer(asks[0], Came.FAILED, "a timeout")]
    first, second = (f.sentence for f in judge(Visitor.KEY, answers) if f.level is Level.FAIL)
    assert first.endswith("; the queues 'blob-created' and 'collect'; the tables 'files' and 'work': no route.")
    assert all(first.count(f"'{ask.name}'") == 1 for ask in asks[1:])
    assert second.endswith("can read the container 'input': a timeout.")


def test_a_key_says_that_roles_do_not_apply():
    """Where a key opens everything there is nothing to refuse."""
    assert [f.sentence for f in judge(Visitor.KEY, as_it_must_be(Visitor.KEY)) if f.level is Level.NOTE] == [
        "These settings hold the storage account's key, which opens everything: no roles are there to look at."
    ]


@pytest.mark.parametrize(
    ("ask", "came", "told"),
    [
        (Ask(Kind.CONTAINER, "frozen", Act.WRITE), Came.REFUSED, "does not let the app's identity write"),
        (Ask(Kind.QUEUE, "collect", Act.READ), Came.FAILED, "could not be found out"),
        (Ask(Kind.TABLE, "files", Act.READ), Came.MISSING, "The table 'files' does not exist"),
        (
            Ask(Kind.CONTAINER, "projects", Act.WRITE, allowed=False),
            Came.DONE,
            "can write into the container 'projects'",
        ),
        (Ask(Kind.CONTAINER, "tools", Act.WRITE, allowed=False), Came.FAILED, "could not be found out"),
    ],
)
def test_each_fault_is_told_with_what_to_do(ask, came, told):
    """One fault among answers that are fine: one sentence that fails, with its remedy, and exit code 2."""
    answers = [Answer(ask, came, "Code") if a.ask == ask else a for a in as_it_must_be(Visitor.APP)]
    findings = judge(Visitor.APP, answers)
    (fault,) = [finding for finding in findings if finding.level is Level.FAIL]
    assert told in fault.sentence
    assert fault.remedy
    assert exit_code(findings) == 2


def test_what_is_missing_is_told_once():
    """Reading and writing a queue that is not there is one fault."""
    answers = [Answer(a.ask, Came.MISSING) if a.ask.name == "collect" else a for a in as_it_must_be(Visitor.KEY)]
    assert [f.sentence for f in judge(Visitor.KEY, answers) if f.level is Level.FAIL] == [
        "The queue 'collect' does not exist."
    ]
