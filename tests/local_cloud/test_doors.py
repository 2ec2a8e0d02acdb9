"""Who may come in at a server of this machine, and with which key."""

import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from local_cloud.doors import kept_key, why_closed


@pytest.mark.parametrize("host", ["127.0.0.1:8100", "localhost", "LOCALHOST:1", "[::1]:8100"])
@pytest.mark.parametrize("origin", [None, "http://127.0.0.1:5000", "https://localhost"])
def test_programs_and_pages_of_this_machine_come_in(host, origin):
    """Under any name of the loopback address."""
    assert why_closed(host, origin) == ""


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        (None, None),
        ("", None),
        ("evil.example", None),
        ("127.0.0.1.evil.example", None),
        ("localhost@evil.example", None),
        ("127.0.0.1", "null"),
        ("127.0.0.1", ""),
        ("127.0.0.1", "http://evil.example"),
        ("127.0.0.1", "http://localhost.evil.example"),
    ],
)
def test_other_names_and_pages_stay_out(host, origin):
    """A page of another host is known by its Origin, or by the name that it made its browser ask."""
    assert why_closed(host, origin)


def test_a_key_is_made_once_and_its_owners_alone(tmp_path):
    """However many ask for it at the same time."""
    path = tmp_path / "new/account.key"
    with ThreadPoolExecutor(8) as pool:
        (key,) = set(pool.map(kept_key, [path] * 64))
    assert len(key) == 44
    assert path.stat().st_mode & 0o077 == 0
    assert [entry.name for entry in path.parent.iterdir()] == ["account.key"]


def test_no_key_opens_nothing(tmp_path):
    """A file that was cut off is no empty key, which everybody would have."""
    (tmp_path / "account.key").write_text("\n")
    with pytest.raises(OSError, match="no key in"):
        kept_key(tmp_path / "account.key")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_a_key_of_somebody_else_is_not_taken(tmp_path):
    """Who made the folder could have put a key there that they know."""
    os.chown(tmp_path, 65534, 65534)
    with pytest.raises(PermissionError, match="belongs to another user"):
        kept_key(tmp_path / "master.key")
