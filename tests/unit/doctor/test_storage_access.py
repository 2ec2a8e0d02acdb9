"""What the doctor tries to do to storage, for whom, and what it says of what outcome of it."""

import pytest

from batch_ops.doctor.findings import Level, exit_code
from batch_ops.doctor.storage_access import Asker, asker, judge, plan
from batch_ops.domain.settings import Settings
from batch_ops.ports.health import Access, AccessProbe, ProbeOutcome, ProbeResult, Resource

SETTINGS = Settings("https://b.west.batch.azure.com", "pool", "/identity", client_id="app-1")


def as_required(who):
    return [
        ProbeResult(probe, ProbeOutcome.DONE if probe.allowed else ProbeOutcome.REFUSED)
        for probe in plan(who, SETTINGS)
    ]


@pytest.mark.parametrize(
    ("uses_key", "application_id", "who"),
    [
        (True, "", Asker.KEY),
        (False, "app-1", Asker.APP),
        (False, "04b07795", Asker.OPERATOR),
        (False, "", Asker.OPERATOR),
    ],
)
def test_the_login_shows_who_is_asking(uses_key, application_id, who):
    """Only the app's own identity is held to the app's limits."""
    assert asker(SETTINGS, uses_key, application_id) is who


def test_without_an_app_identity_in_the_settings_nobody_is_the_app():
    """An empty client id matches no login without one."""
    assert asker(Settings("e", "p", "i"), False, "") is Asker.OPERATOR


def test_the_app_must_be_refused_where_code_comes_from():
    """Writing images, classifiers or scripts decides what the pool runs; nobody else is tried there."""
    forbidden = {probe.name for probe in plan(Asker.APP, SETTINGS) if not probe.allowed}
    assert forbidden == {"input", "projects", "tools"}
    for who in (Asker.KEY, Asker.OPERATOR):
        written = {a.name for a in plan(who, SETTINGS) if a.resource is Resource.CONTAINER and a.access is Access.WRITE}
        assert not written & forbidden


def test_an_operator_writes_into_no_container():
    """What a person's login may do says nothing of the app."""
    assert not [
        a for a in plan(Asker.OPERATOR, SETTINGS) if (a.resource, a.access) == (Resource.CONTAINER, Access.WRITE)
    ]


@pytest.mark.parametrize("who", list(Asker))
def test_everything_in_order_is_fine(who):
    """A refusal where one must be is no fault; the sentences name what was tried."""
    findings = judge(who, as_required(who))
    assert exit_code(findings) == 0
    text = " ".join(finding.sentence for finding in findings)
    assert all(probe.name in text for probe in plan(who, SETTINGS))


def test_what_does_not_answer_at_all_is_one_sentence():
    """It names everything once, whatever was tried with it; another reason has a sentence of its own."""
    probes = plan(Asker.KEY, SETTINGS)
    results = [ProbeResult(probe, ProbeOutcome.FAILED, "no route") for probe in probes[1:]] + [
        ProbeResult(probes[0], ProbeOutcome.FAILED, "a timeout")
    ]
    first, second = (f.sentence for f in judge(Asker.KEY, results) if f.level is Level.FAIL)
    assert first.endswith("; the queues 'blob-created' and 'collect'; the tables 'files' and 'work': no route.")
    assert all(first.count(f"'{probe.name}'") == 1 for probe in probes[1:])
    assert second.endswith("can read the container 'input': a timeout.")


def test_a_key_says_that_roles_do_not_apply():
    """Where a key opens everything there is nothing to refuse."""
    assert [f.sentence for f in judge(Asker.KEY, as_required(Asker.KEY)) if f.level is Level.NOTE] == [
        "These settings hold the storage account's key, which gives access to everything: there are no roles to check."
    ]


@pytest.mark.parametrize(
    ("probe", "outcome", "message"),
    [
        (
            AccessProbe(Resource.CONTAINER, "frozen", Access.WRITE),
            ProbeOutcome.REFUSED,
            "does not let the app's identity write",
        ),
        (AccessProbe(Resource.QUEUE, "collect", Access.READ), ProbeOutcome.FAILED, "could not be found out"),
        (AccessProbe(Resource.TABLE, "files", Access.READ), ProbeOutcome.MISSING, "The table 'files' does not exist"),
        (
            AccessProbe(Resource.CONTAINER, "projects", Access.WRITE, allowed=False),
            ProbeOutcome.DONE,
            "can write to the container 'projects'",
        ),
        (
            AccessProbe(Resource.CONTAINER, "tools", Access.WRITE, allowed=False),
            ProbeOutcome.FAILED,
            "could not be found out",
        ),
    ],
)
def test_each_fault_is_reported_with_what_to_do(probe, outcome, message):
    """One fault among results that are fine: one sentence that fails, with its remedy, and exit code 2."""
    results = [ProbeResult(probe, outcome, "Code") if a.probe == probe else a for a in as_required(Asker.APP)]
    findings = judge(Asker.APP, results)
    (fault,) = [finding for finding in findings if finding.level is Level.FAIL]
    assert message in fault.sentence
    assert fault.remedy
    assert exit_code(findings) == 2


def test_what_is_missing_is_reported_once():
    """Reading and writing a queue that is not there is one fault."""
    results = [
        ProbeResult(a.probe, ProbeOutcome.MISSING) if a.probe.name == "collect" else a for a in as_required(Asker.KEY)
    ]
    assert [f.sentence for f in judge(Asker.KEY, results) if f.level is Level.FAIL] == [
        "The queue 'collect' does not exist."
    ]
