"""The doctor's command, examining a whole cloud: once as a program, else in this process, which knows its imports."""

import json
import subprocess
import sys

import pytest

from batch_ops.doctor.__main__ import main
from tests.acceptance.lab import REPOSITORY

SECONDS = 120


def levels(printed: str) -> dict[str, set[str]]:
    """Area -> levels of its findings."""
    found: dict[str, set[str]] = {}
    for finding in json.loads(printed)["findings"]:
        found.setdefault(finding["area"], set()).add(finding["level"])
    return found


def everything(lab) -> list[str]:
    """Names of all blobs, in every container."""
    return sorted(
        f"{container.name}/{blob.name}"
        for container in lab.blobs.list_containers()
        for blob in lab.blobs.get_container_client(container.name).list_blobs()
        if container.name in {"input", "projects", "frozen", "tools", "results"}
    )


@pytest.mark.slow
def test_a_working_cloud_is_found_healthy_and_left_unchanged(lab, capsys):
    """Everything answers, every sentence names what was examined, and no probe is left behind."""
    lab.image("default/doctor.h5", seed=9)
    assert lab.wait("default/doctor.h5")["state"] == "SUCCEEDED"
    before = everything(lab)
    code = main(["--settings", str(lab.folder.app_settings), "--json"])

    printed = capsys.readouterr().out
    assert code in {0, 1}, printed
    found = levels(printed)
    for area in ("settings", "storage", "tools", "pool", "parser", "events"):
        assert found[area] <= {"ok", "note"}, (area, printed)
    assert {"queues", "files", "projects", "azure"} <= set(found)
    assert "default.ilp' can be used" in printed
    assert not [name for name in everything(lab) if "doctor-probe" in name]
    assert set(before) <= set(everything(lab))


def test_its_lines_are_for_people(lab):
    """A level, an area and a sentence a line."""
    command = [sys.executable, "-m", "batch_ops.doctor", "--settings", lab.folder.app_settings]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=SECONDS)
    assert done.returncode in {0, 1}, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "ok    settings  The app's settings are complete."
    assert {line.split()[0] for line in lines} <= {"ok", "note", "warn", "fail"}
    assert [line for line in lines if "These settings hold the storage account's key" in line]


@pytest.mark.parametrize(
    ("change", "area", "message"),
    [
        ({"BATCH_POOL_ID": "no-such-pool"}, "pool", "has no pool 'no-such-pool'"),
        ({"INPUT_CONTAINER": "no-such-container"}, "storage", "The container 'no-such-container' does not exist."),
        ({"TASK_SCRIPTS": "elsewhere/"}, "tools", "there is no tools/elsewhere/run_task.sh"),
        ({"BATCH_ACCOUNT_KEY": "d3Jvbmc="}, "pool", "Azure Batch does not let this app look at the pool"),
        ({"BATCH_POOL_ID": ""}, "settings", "BATCH_POOL_ID is missing"),
    ],
)
def test_each_fault_is_reported_besides_the_other_findings(lab, tmp_path, capsys, change, area, message):
    """Each fault fails in its own area, and hides no other finding."""
    values = json.loads(lab.folder.app_settings.read_text())["Values"]
    file = tmp_path / "settings.json"
    file.write_text(json.dumps({"Values": values | change}))
    code = main(["--settings", str(file), "--json"])

    printed = capsys.readouterr().out
    assert code == 2, printed
    failed = [f for f in json.loads(printed)["findings"] if f["level"] == "fail"]
    assert [f["area"] for f in failed if message in f["sentence"]] == [area], failed
    if area != "settings":
        assert "parser" in levels(printed)
