"""deploy.sh has the doctor look at what it deployed."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.deploy.test_bicep import DEPLOY, REPOSITORY


def test_the_doctor_is_asked_at_the_end_of_every_run(empty):
    """After the smoke test of the first run, and when nothing was to be done; what it says is shown."""
    first = empty.up().stdout
    assert first.index("the TIFF is there") < first.index("ok    doctor    It was asked.") < first.index("== Ready")
    assert "It was asked." in empty.up().stdout
    assert len(empty.asked()) == 2


def test_the_doctor_gets_the_app_s_settings_and_the_login_of_the_cli(lab):
    """From Azure as they are, in a file that is gone afterwards; its libraries reach it alone, not the CLI."""
    lab.up()
    ((arguments, settings, path, login),) = lab.asked()
    assert arguments[0] == "--settings"
    assert not Path(arguments[1]).exists()
    assert {entry["name"]: entry["value"] for entry in settings} == lab.azure.app_settings
    assert settings
    assert [Path(entry).resolve().parent for entry in path[1:]] == [lab.clone / ".cache/ilastik-batch"]
    assert login == "AzureCliCredential"


def test_what_needs_attention_does_not_stop_a_run(lab):
    """The findings are shown, and the run ends well."""
    lab.doctor_says(1)
    assert "== Ready" in lab.up().stdout


def test_what_does_not_work_fails_the_run_at_its_end(lab):
    """Everything else was done; a finding of the doctor that fails is not passed over."""
    lab.doctor_says(2)
    done = lab.run()
    assert done.returncode == 1
    assert "== Deployed, but something does not work" in done.stdout
    assert "== Ready" not in done.stdout
    assert "the doctor found something that does not work" in done.stderr
    assert len(lab.asked()) == 1


def test_new_roles_have_time_to_spread(empty):
    """After a first deployment the doctor is asked again while something does not work."""
    empty.doctor_says(2, 2, 0)
    assert "== Ready" in empty.up("--no-smoke-test").stdout
    assert len(empty.asked()) == 3


def test_a_failed_smoke_test_has_the_doctor_look_too(empty):
    """What it finds is shown before the script stops."""
    empty.azure.end_of_files = "FAILED"
    done = empty.run("--location", "westeurope")
    assert done.returncode == 1
    assert "It was asked." in done.stdout
    assert "The smoke test ended as FAILED: So it is." in done.stderr


def test_without_a_python_for_it_one_sentence_says_how(lab):
    """The deployment needs Python 3.11 only: it goes on, and tells how the doctor is asked."""
    program = lab.bin / "python3.13"
    program.unlink()
    older = f'#!/bin/bash\n[[ "$*" != *"(3, 12)"* ]] || exit 1\nexec {sys.executable} "$@"\n'
    program.write_text(older)
    program.chmod(0o755)
    done = lab.up()
    assert "the doctor needs Python 3.12 or later" in done.stdout
    assert "python -m batch_ops.doctor --settings app.json" in done.stdout
    assert lab.asked() == []


def test_without_its_libraries_the_run_goes_on(lab):
    """The package index may be out of reach."""
    package = lab.clone / "deploy/package.py"
    package.write_text('import sys\nif "--libraries" in sys.argv: sys.exit("no index")\n' + package.read_text())
    done = lab.up()
    assert "no index" in done.stderr
    assert "The doctor was not asked" in done.stdout
    assert "== Ready" not in done.stdout
    assert "nobody has checked whether it works" in done.stdout


def test_libraries_are_brought_together_once(lab):
    """They are kept for later runs, and half of them never count."""
    lab.up()
    assert "(about a minute)" not in lab.up().stdout
    assert [path.name for path in (lab.clone / ".cache/ilastik-batch").glob("doctor-*.partial")] == []


@pytest.mark.slow
def test_the_real_doctor_understands_the_settings_and_uses_the_login(lab, tmp_path):
    """With what the CLI lists of the app and the CLI's token it gets as far as the network, which is not there."""
    lab.up("--no-smoke-test")
    settings = tmp_path / "settings.json"
    values = [{"name": name, "slotSetting": False, "value": value} for name, value in lab.azure.app_settings.items()]
    settings.write_text(json.dumps(values))
    lab.azure.calls.clear()
    done = subprocess.run(
        [sys.executable, "-m", "batch_ops.doctor", "--json", "--seconds", "5", "--settings", settings],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=REPOSITORY,
        env={
            "PATH": f"{lab.bin}:/usr/bin:/bin",
            "HOME": str(tmp_path),
            "AZURE_TOKEN_CREDENTIALS": "AzureCliCredential",
            # Nobody listens there: the addresses of the stand-in are nobody's.
            "HTTPS_PROXY": "http://127.0.0.1:9",
        },
    )
    found = {f["area"]: f["level"] for f in json.loads(done.stdout)["findings"]}
    assert found["settings"] == "ok", done.stdout
    assert "login" not in found
    assert {"account get-access-token", "batch account show"} <= {call.command for call in lab.azure.calls}
    assert done.returncode == 2


def test_the_login_is_named_as_cloud_shell_needs_it():
    """There the libraries would take the machine's own identity first, which cannot be asked as the app's."""
    assert "AZURE_TOKEN_CREDENTIALS=AzureCliCredential" in (DEPLOY / "lib/doctor.sh").read_text()
    assert "AZURE_TOKEN_CREDENTIALS=AzureCliCredential" in (DEPLOY / "README.md").read_text()


def test_the_doctor_can_be_read_by_python_3_12():
    """Cloud Shell has no newer one; the app itself runs on 3.13."""
    for path in (REPOSITORY / "batch_ops").rglob("*.py"):
        ast.parse(path.read_text(), str(path), feature_version=(3, 12))
