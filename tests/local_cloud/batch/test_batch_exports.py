"""What the command prints opens the service to its clients."""

import os
import subprocess
from pathlib import Path

import pytest

from local_cloud.batch.exports import exports

ENDPOINT = "http://127.0.0.1:8100"


@pytest.mark.parametrize("place", ["file", "variable"])
def test_a_shell_can_run_what_is_printed(place, tmp_path):
    """Account, endpoint and key are then in its environment, wherever the key is kept."""
    folder = tmp_path / "it's a $folder"
    folder.mkdir()
    (folder / "account.key").write_text("a2V5\n")
    key: Path | str = folder / "account.key" if place == "file" else "MY_KEY"
    script = exports("my account", ENDPOINT, key) + "\nenv"

    printed = subprocess.run(
        ["sh", "-eu", "-c", script],
        env={"PATH": os.environ["PATH"], "MY_KEY": "a2V5"},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    ).stdout.splitlines()

    wanted = {"AZURE_BATCH_ACCOUNT=my account", f"AZURE_BATCH_ENDPOINT={ENDPOINT}", "AZURE_BATCH_ACCESS_KEY=a2V5"}
    assert wanted <= set(printed)


def test_the_python_line_makes_a_client():
    """It stands there as it can be pasted."""
    from azure.batch import BatchClient
    from azure.core.credentials import AzureNamedKeyCredential

    (line,) = [line for line in exports("a", ENDPOINT, "K").splitlines() if line.startswith("# Python:")]
    environ = {"AZURE_BATCH_ACCOUNT": "a", "AZURE_BATCH_ACCESS_KEY": "a2V5", "AZURE_BATCH_ENDPOINT": ENDPOINT}
    stand_in = type("os", (), {"environ": environ})
    names = {"BatchClient": BatchClient, "AzureNamedKeyCredential": AzureNamedKeyCredential, "os": stand_in}

    eval(line.partition(":")[2].strip(), names).close()  # noqa: S307 - it is ours
