"""Today's app is deployed over a running system of the version before: every file goes on and ends well.

The first half runs the app of commit 1179139 out of `data/`: its function app, its command, its task scripts on the
nodes. Storage, Batch service and function host are today's in both halves and run on, as those in Azure do.
"""

import base64
import json
import os
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
from azure.data.tables import UpdateMode

from batch_ops.task.pictures import OVERLAY, PREVIEW, SMALL
from local_cloud.cloud.folder import write_atomically
from tests.acceptance.lab import REPOSITORY, SETTINGS, Lab, laboratory
from tests.acceptance.test_steering import deaf
from tests.compatibility.stored import APP
from tests.waiting import wait_until

SCRIPTS_BEFORE = "task-1179139/"
NO_COLLECT = "AzureWebJobs.collect.Disabled"
# What the version before left in a state it does not look at again by itself.
UNHURRIED = {"GRACE_SECONDS": "600", "RECHECK_SECONDS": "600"}
# An ilastik that waits beside its image as long as the file `hold` is there.
WAITING = """#!/bin/sh
case "$*" in *held*) while [ -e "{home}/hold" ]; do sleep 0.1; done ;; esac
exec "{stand_in}/run_ilastik.sh" "$@"
"""
# Names by the state in which the version before leaves them.
LEFT = {
    "collecting.h5": "COLLECTING",
    "held-running.h5": "RUNNING",
    "held-preparing.h5": "PREPARING",
    "active.h5": "ACTIVE",
    "submitting.h5": "SUBMITTING",
    "paused/größe 'x'.h5": "WAITING",
    "late/no project yet.h5": "WAITING_FOR_PROJECT",
    "planes/volume.h5": "REJECTED",
    "done.h5": "SUCCEEDED",
}


@dataclass
class Deployment:
    """A cloud, and the folder that its function app is deployed into."""

    lab: Lab
    app: Path
    home: Path

    def deploy(self, source: Path, **settings: str | None) -> None:
        """Put another app and other settings (None: none) in place and have the host start anew."""
        content = json.loads(self.lab.folder.app_settings.read_text())
        values = content["Values"] | settings
        content["Values"] = {name: value for name, value in values.items() if value is not None}
        write_atomically(self.lab.folder.app_settings, json.dumps(content))
        install(source, self.app)
        self.restart()

    def restart(self) -> None:
        """End the function host; the cloud starts another one."""
        host = self.lab.process("local_cloud.functions")
        host.terminate()
        psutil.wait_procs([host], timeout=20)
        url = self.lab.exports["FUNCTIONS_URL"]
        wait_until(lambda: answers(url), 30, lambda: "The function host should have started again.")

    def files(self, *words: str) -> str:
        """An operator's command, of the app that is deployed."""
        return subprocess.run(
            [sys.executable, "-m", "batch_ops.files", *words],
            cwd=self.app,
            env=os.environ | {"BATCH_OPS_SETTINGS": str(self.lab.folder.app_settings)},
            stdout=subprocess.PIPE,
            text=True,
            timeout=60,
            check=True,
        ).stdout

    def rows(self) -> list[Any]:
        """All rows as the app that is deployed reads them."""
        return [json.loads(line) for line in self.files("list", "--json").splitlines()]

    def batch_fault(self, method: str, **fault: Any) -> None:
        """Arm (POST) or clear (DELETE) faults of the Batch service."""
        url = f"{self.lab.exports['AZURE_BATCH_ENDPOINT']}/_local/faults"
        key = {"x-local-key": self.lab.exports["AZURE_BATCH_ACCESS_KEY"]}
        urllib.request.urlopen(urllib.request.Request(url, json.dumps(fault).encode(), key, method=method)).close()  # noqa: S310

    def open_intents(self) -> list[str]:
        """The names of the files that the worklist has in sight."""
        found = self.lab.tables.get_table_client("work").query_entities("PartitionKey eq 'open' and RowKey lt 'j'")
        return [row["name"] for row in found if not row["cleaning"]]


def answers(url: str) -> bool:
    try:
        urllib.request.urlopen(url, timeout=2).close()  # noqa: S310
    except (OSError, urllib.error.URLError):
        return False
    return True


def install(source: Path, app: Path) -> None:
    """The app's code in its folder: out of a zip, or as the repository has it."""
    shutil.rmtree(app, ignore_errors=True)
    if source.suffix == ".zip":
        with zipfile.ZipFile(source) as archive:
            archive.extractall(app)
        return
    shutil.copytree(source / "batch_ops", app / "batch_ops", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("function_app.py", "host.json"):
        shutil.copy(source / name, app)


@pytest.fixture
def before(tmp_path: Path) -> Iterator[Deployment]:
    """A running system of the version before, without images."""
    home, app = tmp_path / "ilastik", tmp_path / "app"
    stand_in = REPOSITORY / "local_cloud/ilastik"
    (home / "bin").mkdir(parents=True)
    (home / "bin/python").symlink_to(stand_in / "bin/python")
    (home / "run_ilastik.sh").write_text(WAITING.format(home=home, stand_in=stand_in))
    (home / "run_ilastik.sh").chmod(0o755)
    install(APP, app)
    settings = SETTINGS | {"TASK_SCRIPTS": SCRIPTS_BEFORE, "RECONCILE_SCHEDULE": "* * * * * *"} | UNHURRIED
    with laboratory(tmp_path, settings, home, app) as lab:
        lines = (app / "deploy/pool/task_tools.txt").read_text().splitlines()
        for path, name in (line.split() for line in lines if line and not line.startswith("#")):
            lab.upload(f"{SCRIPTS_BEFORE}{name}", app / path, "tools")
        for project in ("default", "paused"):
            lab.project(project)
        yield Deployment(lab, app, home)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_every_open_file_goes_on_under_the_new_version(before: Deployment):
    """Files in every state: one task a run, complete results, nothing left, and what was done stays done."""
    lab, hold = before.lab, before.home / "hold"
    leave_files_in_every_state(before, hold)
    published = lab.results("done.h5")
    jobs_before = {task.id for name in LEFT for task in lab.tasks(name)}

    hurried = {name: SETTINGS[name] for name in UNHURRIED}
    before.deploy(REPOSITORY, TASK_SCRIPTS="task/", **hurried, **{NO_COLLECT: None})
    before.batch_fault("DELETE")
    hold.unlink()
    for project in ("late", "planes"):
        lab.project(project)
    lab.queues.get_queue_client("blob-created").send_message(look_again("done.h5"))
    before.files("resume", "--project", "paused")
    before.files("poison", "retry", "--all")

    for name in [*LEFT, "poisoned.h5"]:
        row = lab.wait(name, "SUCCEEDED")
        runs = 2 if name == "planes/volume.h5" else 1
        assert (row["run"], row["attempt"]) == (runs, 1), row
        [task] = lab.tasks(name)
        scripts = SCRIPTS_BEFORE if task.id in jobs_before else "task/"
        assert task.command_line == f"/bin/bash {scripts}run_task.sh"
        results = lab.results(name)
        document = json.loads(results["provenance.json"])
        assert {file["name"]: file["length"] for file in document["files"]} == {
            leaf: len(data) for leaf, data in results.items() if leaf.endswith(".tiff")
        }
        assert len(document["files"]) == row["tiffs"] == 2
        others = {"provenance.json", "ilastik.log"} | ({"objects.csv"} if "objects_wanted" in row else set())
        others |= {PREVIEW, OVERLAY, SMALL} if "pictures_wanted" in row else set()
        assert set(results) == {file["name"] for file in document["files"]} | others
        assert not lab.staged(name)
    assert lab.results("done.h5") == published
    wait_until(lambda: not before.open_intents(), 20, lambda: f"Still open: {before.open_intents()}")
    listed = before.rows()
    install(APP, before.app)
    known = before.rows()
    told = [{key: row[key] for key in known[0]} for row in listed]
    assert known == told, "The version before should read these rows if it is brought back."
    assert len(listed) == len(LEFT) + 1


def leave_files_in_every_state(before: Deployment, hold: Path) -> None:
    """What the version before leaves behind, as in `LEFT`; and a message that it gave up."""
    lab = before.lab
    lab.image("done.h5")
    lab.project("planes", REPOSITORY / "tests/data/ilastik/cells2d/project.ilp")
    lab.image("planes/volume.h5")
    # Before the host starts anew: it may hear of a pause five seconds late.
    before.files("pause", "--project", "paused")
    for name in ("done.h5", "planes/volume.h5"):
        lab.wait(name, LEFT[name])
    before.deploy(APP, **{NO_COLLECT: "true"})
    lab.image("collecting.h5")
    lab.wait("collecting.h5", "COLLECTING")
    hold.touch()
    for name in ("held-running.h5", "held-preparing.h5"):
        lab.image(name)
        lab.wait(name, "RUNNING")
    lab.image("active.h5")
    lab.wait("active.h5", "ACTIVE")
    before.batch_fault("POST", kind="error", match="POST /jobs/", retryAfter=1)
    for name in ("submitting.h5", "paused/größe 'x'.h5", "late/no project yet.h5"):
        lab.image(name)
        lab.wait(name, LEFT[name])
    put_off = "Batch should have put off the task."
    wait_until(lambda: (lab.row("submitting.h5") or {}).get("not_before"), 20, lambda: put_off)
    give_up(lab, "poisoned.h5")
    # The local Batch service knows no job preparation, which is what a task would be PREPARING for.
    row = lab.wait("held-preparing.h5", "RUNNING")
    changes = {key: row[key] for key in ("PartitionKey", "RowKey")} | {"state": "PREPARING"}
    lab.tables.get_table_client("files").update_entity(changes, UpdateMode.MERGE)
    for name, state in LEFT.items():
        lab.wait(name, state, seconds=1)


def give_up(lab: Lab, name: str) -> None:
    """An image whose message has come to rest in the poison queue."""
    with deaf(lab):
        lab.image(name)
    queue = lab.queues.get_queue_client("blob-created-poison")
    queue.create_queue()
    queue.send_message(look_again(name))


def look_again(name: str) -> str:
    """The app's own message, as the version before writes it."""
    return base64.b64encode(json.dumps({"look_again": name, "correlation_id": f"of {name}"}).encode()).decode()
