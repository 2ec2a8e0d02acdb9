"""The operator's command, as typed, against a whole cloud in real processes."""

import asyncio
import base64
import contextlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from azure.core.exceptions import ResourceExistsError, ResourceNotFoundError

from batch_ops.files.__main__ import command_line
from batch_ops.files.console import Console
from local_cloud.cloud.folder import write_atomically
from local_cloud.events.journal import Journal
from tests.acceptance.lab import REPOSITORY, Lab
from tests.waiting import wait_until

SECONDS = 60


class Operator:
    """Somebody with a shell and the settings file of the cloud."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab

    def types(self, *words: str, code: int = 0) -> str:
        """Run a command; what it wrote. In this process: a new one would spend two seconds on its imports."""
        out, err = io.StringIO(), io.StringIO()
        console = Console(io.StringIO(), out, err, 200, asks=False)
        settings = ("--settings", str(self.lab.folder.app_settings))
        ended = asyncio.run(command_line([*settings, *words], {}, console))
        assert ended == code, out.getvalue() + err.getvalue()
        return out.getvalue()

    def types_in_a_shell(self, *words: str) -> str:
        """The same as a program of its own."""
        done = subprocess.run(
            [sys.executable, "-m", "batch_ops.files", *words],
            cwd=REPOSITORY,
            env=os.environ | {"BATCH_OPS_SETTINGS": str(self.lab.folder.app_settings)},
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def reads(self, *words: str, code: int = 0) -> list[Any]:
        """The JSON lines of a command."""
        return [json.loads(line) for line in self.types(*words, "--json", code=code).splitlines()]


@pytest.fixture
def operator(lab: Lab) -> Operator:
    return Operator(lab)


@contextmanager
def deaf(lab: Lab) -> Iterator[None]:
    """No event of an image is delivered: what is uploaded meanwhile is an older file to the system."""
    write_atomically(lab.folder.events_control, json.dumps({"copies": 0}))
    try:
        yield
        wait_until(lambda: heard_all(lab), 20, lambda: "An event is still on its way.")
    finally:
        lab.folder.events_control.unlink()


def heard_all(lab: Lab) -> bool:
    """Whether whoever delivers events is done with every upload so far."""
    try:
        return not Journal(lab.folder.storage / "journal").read()
    except FileNotFoundError:
        return False  # a file of the journal went while it was looked for


@pytest.mark.slow
def test_list_and_show_agree_with_the_rows(lab, operator):
    """By name, prefix, project and state, as a table and as JSON; a name of any characters comes back exactly."""
    name = "steer list/größe 'x' 細胞.h5"
    lab.project("steer list", pictures=False)
    lab.image(name, seed=41)
    lab.upload("steer list/broken.h5", b"no HDF5 at all")
    lab.wait(name, "SUCCEEDED")
    lab.wait("steer list/broken.h5", "REJECTED")
    rows = {row["name"]: row for row in operator.reads("list", "--project", "steer list")}
    assert {key: row["state"] for key, row in rows.items()} == {name: "SUCCEEDED", "steer list/broken.h5": "REJECTED"}
    assert [r["name"] for r in operator.reads("list", "--state", "rejected", "--prefix", "steer list/")] == [
        "steer list/broken.h5"
    ]
    table = operator.types_in_a_shell("list", "--prefix", "steer list/")
    assert "größe 'x' 細胞.h5" in table
    assert "2 files" in table
    [shown] = operator.reads("show", name)
    assert (shown["name"], shown["tiffs"], len(shown["runs"])) == (name, 2, 1)
    assert "ilastik" in operator.types("show", name)
    operator.types("show", "steer list/none.h5", code=1)


@pytest.mark.slow
def test_cancel_and_retry(lab, operator):
    """A task at work is ended within seconds; a retry is a run of its own; a finished file runs again by force."""
    name = "default/hang-steered.h5"
    lab.image(name, seed=42)
    lab.wait(name, "RUNNING")
    assert operator.reads("cancel", name) == [{"chosen": 1, "done": 1, "left": {}, "dry_run": False}]
    row = lab.wait(name, "CANCELLED")
    assert row["reason"] == "Cancelled by an operator."
    wait_until(
        lambda: [task.state for task in lab.tasks(name)] == ["completed"],
        SECONDS,
        lambda: "The task should have ended.",
    )
    operator.types("retry", "--prefix", name, "--yes")
    lab.wait(name, "RUNNING", run=2)
    operator.types("cancel", "--prefix", "default/hang-steered", "--state", "open", "--yes")
    assert lab.wait(name, run=2)["state"] == "CANCELLED"

    good = "default/steered again.h5"
    lab.image(good, seed=43)
    lab.wait(good, "SUCCEEDED")
    assert operator.reads("retry", good)[0]["left"] == {"SUCCEEDED: only with --force": 1}
    operator.types("retry", good, "--force")
    assert lab.wait(good, "SUCCEEDED", run=2)["reason"] == "2 TIFFs in the results."
    tiffs = {"steered_again0.tiff", "steered_again1.tiff"}
    assert {*tiffs, "objects.csv", "provenance.json", "ilastik.log"} <= set(lab.results(good))


@pytest.mark.slow
def test_poison_is_listed_put_back_and_dropped(lab, operator):
    """What no function can read ends in the poison queue and can be dropped; a lost order is put back and done."""
    name = "default/given up.h5"
    with deaf(lab):
        lab.image(name, seed=70)
        assert operator.reads("list", name, code=1) == []
    poison = lab.queues.get_queue_client("blob-created-poison")
    with contextlib.suppress(ResourceExistsError):
        poison.create_queue()
    order = json.dumps({"look_again": name, "correlation_id": "by hand"})
    poison.send_message(base64.b64encode(order.encode()).decode())
    assert [row["name"] for row in operator.reads("poison", "list", "--prefix", name)] == [name]
    operator.types("poison", "retry", "--prefix", "default/given", "--yes")
    assert lab.wait(name)["state"] == "SUCCEEDED"

    lab.queues.get_queue_client("blob-created").send_message(base64.b64encode(b"gibberish").decode())

    def given_up() -> list[Any]:
        with contextlib.suppress(ResourceNotFoundError):
            return [row for row in operator.reads("poison", "list") if row["text"] == "gibberish"]
        return []

    [message] = wait_until(given_up, SECONDS, lambda: "Gibberish should end in the poison queue.")
    assert operator.reads("poison", "drop", "--id", message["id"], "--yes") == [{"action": "drop", "done": 1}]
    assert given_up() == []
