"""The table of failures: one row a kind, from which all else is read."""

import json
from pathlib import Path

import pytest

from batch_ops.task import contract
from batch_ops.task.failure_kinds import KIND_OF_EXIT, RULES, FailureKind, kind_of_batch_code

REPOSITORY = Path(__file__).resolve().parents[3]


def test_every_kind_has_its_row():
    """What is to be done, and what the reader can do, is known of each."""
    assert list(RULES) == list(FailureKind)
    assert all(rule.tries >= 1 and rule.remedy.endswith(".") for rule in RULES.values())


def test_the_readme_says_how_often_each_kind_is_tried():
    """In its table of what is tried again; losses of a node beside, which have a number of their own."""
    table = (REPOSITORY / "README.md").read_text().partition("## What is tried again")[2].partition("\n## ")[0]
    rows = [row.split("|")[1:3] for row in table.splitlines() if row.startswith("| ")]
    words = {"once": 1, "twice": 2, "3": 3, "4": 4, "5": 5}
    said = {what.strip(): words.get(how.split()[0].strip(",")) for what, how in rows}
    of_kind = {
        FailureKind.STAGING_IN: "could not be fetched",
        FailureKind.NODE: "could not run the task",
        FailureKind.COMMAND: "ended with an error",
        FailureKind.OUT_OF_MEMORY: "too little memory",
        FailureKind.DISK_FULL: "disk was full",
        FailureKind.TIMEOUT: "time limit was reached",
        FailureKind.STAGING_OUT: "results could not be stored",
        FailureKind.NO_OUTPUT: "without its TIFFs",
        FailureKind.LOST: "no longer knows the task",
        FailureKind.ENDED: "somebody ended the task",
    }
    for kind, rule in RULES.items():
        assert [number for what, number in said.items() if of_kind[kind] in what] == [rule.tries], kind


def test_a_kind_is_its_word():
    """Rows, reports and log lines hold the same text."""
    for kind in FailureKind:
        assert (str(kind), f"{kind}", json.loads(json.dumps(kind))) == (kind.name, kind.name, kind.name)


def test_no_code_means_two_things():
    """Each exit code and each code of Batch's stands in one row; every exit code of the contract in one."""
    assert len(KIND_OF_EXIT) == sum(len(rule.exits) for rule in RULES.values())
    assert all(kind_of_batch_code(code) is kind for kind, rule in RULES.items() for code in rule.batch_codes)
    assert set(KIND_OF_EXIT) == {code for name, code in vars(contract).items() if name.startswith("EXIT_")}


def test_a_code_of_batch_has_the_beginning_of_a_sentence():
    """Batch's message alone does not say what it means for the file."""
    assert all(rule.lead for rule in RULES.values() if rule.batch_codes)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("BlobNotFound", FailureKind.STAGING_IN),
        ("FileUploadMiscError", FailureKind.STAGING_OUT),
        ("MaxWallClockTimeExceeded", FailureKind.TIMEOUT),
        ("TaskEnded", FailureKind.ENDED),
        ("Unknown", None),
        ("", None),
    ],
)
def test_a_code_of_batch_is_read_in_either_case(code, kind):
    """By the table: a whole code, or a part of one that Batch does not document."""
    assert kind_of_batch_code(code) is kind_of_batch_code(code.lower()) is kind
