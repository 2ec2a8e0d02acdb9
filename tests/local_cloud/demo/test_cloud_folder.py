"""The data folder of a local cloud."""

import json
import random
import shlex
import subprocess
from dataclasses import asdict
from pathlib import Path

import pytest

from local_cloud.cloud.errors import CloudError, FolderInUseError, PortTakenError
from local_cloud.cloud.folder import (
    DataFolder,
    hold,
    is_held,
    load_or_make_identity,
    read_owner,
    write_exports,
)


def test_identity_survives_a_restart(tmp_path: Path) -> None:
    """Ports and key stay the same: stored URLs and signed requests refer to them."""
    folder = DataFolder(tmp_path)
    first = load_or_make_identity(folder, is_free=lambda port: True, choose=random.Random(1))
    second = load_or_make_identity(folder, is_free=lambda port: True, choose=random.Random(2))
    assert first == second
    assert folder.identity.stat().st_mode & 0o077 == 0


def test_a_folder_of_an_earlier_version_gets_keys_of_its_own(tmp_path: Path) -> None:
    """Its storage had the key that all emulators have; ports and the Batch account's key stay."""
    folder = DataFolder(tmp_path)
    first = load_or_make_identity(folder, is_free=lambda port: True, choose=random.Random(1))
    kept = {name: value for name, value in asdict(first).items() if name not in {"storage_key", "functions_key"}}
    folder.identity.write_text(json.dumps(kept))
    second = load_or_make_identity(folder, is_free=lambda port: True, choose=random.Random(1))
    assert (second.ports, second.batch_key) == (first.ports, first.batch_key)
    assert len({second.batch_key, second.storage_key, second.functions_key}) == 3
    assert load_or_make_identity(folder, is_free=lambda port: True, choose=random.Random(1)) == second


def test_nobody_else_sees_into_a_folder(tmp_path: Path) -> None:
    """A folder that others could read is closed to them when a cloud starts in it."""
    folder = DataFolder(tmp_path / "open")
    folder.root.mkdir(mode=0o755)
    with hold(folder):
        assert folder.root.stat().st_mode & 0o077 == 0


def test_ports_are_free_and_differ(tmp_path: Path) -> None:
    """Only ports that are free are chosen, each once."""
    identity = load_or_make_identity(DataFolder(tmp_path), is_free=lambda port: port % 2 == 0, choose=random.Random(1))
    chosen = set(asdict(identity.ports).values())
    assert len(chosen) == 5
    assert not any(port % 2 for port in chosen)


def test_a_taken_port_is_a_sentence(tmp_path: Path) -> None:
    """Where another program took a port of this cloud, the message names it and what to do."""
    folder = DataFolder(tmp_path)
    load_or_make_identity(folder, is_free=lambda port: True, choose=random.Random(1))
    with pytest.raises(PortTakenError, match=r"Port \d+ .*in use by another program.*--data"):
        load_or_make_identity(folder, is_free=lambda port: False, choose=random.Random(1))


def test_a_damaged_identity_is_a_sentence(tmp_path: Path) -> None:
    """A half-written file names itself."""
    folder = DataFolder(tmp_path)
    folder.identity.write_text('{"ports": {"blob": 1}}')
    with pytest.raises(CloudError, match=r"cloud\.json is damaged"):
        load_or_make_identity(folder, is_free=lambda port: True, choose=random.Random(1))


def test_a_folder_has_one_cloud(tmp_path: Path) -> None:
    """A second `up` in one folder is refused with the first one's process id; a released folder is free."""
    folder = DataFolder(tmp_path / "new")
    assert not is_held(folder)
    with hold(folder):
        assert is_held(folder)
        with pytest.raises(FolderInUseError, match=f"process {read_owner(folder)}"), hold(folder):
            pass
    assert not is_held(folder)
    with hold(folder):
        assert read_owner(folder) is not None


def test_exports_can_be_sourced(tmp_path: Path) -> None:
    """A shell that sources `env` gets the values as they are, whatever is in them."""
    env = tmp_path / "env"
    write_exports(env, {"A": "x;y=$HOME 'q'", "B": "2"})
    script = f'. {shlex.quote(str(env))}; printf "%s|%s" "$A" "$B"'
    said = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True, timeout=10)
    assert said.stdout == "x;y=$HOME 'q'|2"
    assert env.stat().st_mode & 0o077 == 0
