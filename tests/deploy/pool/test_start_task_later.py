"""The start task's script where ilastik is installed only when a task needs it: nothing is fetched before, and once."""

import subprocess

import pytest

from tests.deploy.pool.conftest import ARCHIVE, NOISE_BYTES, Node, ilastik_archive


@pytest.fixture
def later(node: Node) -> Node:
    node.extra["ILASTIK_WHEN"] = "needed"
    return node


def installing(node: Node) -> "subprocess.Popen[str]":
    """Do what a task does, with nothing of the start task's environment but what every process has."""
    kept = {name: node.extra[name] for name in ("PATH", "LOCAL_CLOUD_PYTHON")}
    command = ["/bin/bash", str(node.shared / "later/install.sh")]
    return subprocess.Popen(command, env=kept, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def installed(node: Node) -> tuple[int, str]:
    process = installing(node)
    said, _ = process.communicate(timeout=60)
    return process.returncode, said


def test_a_node_that_needs_no_ilastik_fetches_none(later):
    """No token, no archive; twice is once."""
    for _ in range(2):
        done = later.run()
        assert (done.returncode, "is installed when a task needs it" in done.stdout) == (0, True), done.stderr
    assert (later.server.tokens, later.server.ranges) == (0, [])
    assert {path.name for path in later.shared.iterdir()} == {"later", ".ilastik.lock", "python"}


def test_tasks_that_need_it_install_it_once(later):
    """Two at a time: one fetches it, the other waits for it; checked and tried as by the start task itself."""
    assert later.run().returncode == 0

    both = [installing(later), installing(later)]
    said = [process.communicate(timeout=60)[0] for process in both]

    assert [process.returncode for process in both] == [0, 0], said
    assert later.server.ranges == [""]
    assert sorted("is there already" in text for text in said) == [False, True]
    home = later.shared / "later/installed/ilastik"
    assert ((home / "lib/noise").stat().st_size, (home / "VERSION").read_text()) == (NOISE_BYTES, "1.4.2\n")
    assert later.run().returncode == 0
    assert (home / "VERSION").exists()
    assert not (later.shared / "ilastik").exists()


def test_other_users_than_the_start_tasks_can_install_it(later):
    """Tasks are no administrators: the place is theirs, and its lock; the scripts are not."""
    assert later.run().returncode == 0
    modes = {
        name: (later.shared / "later" / name).stat().st_mode & 0o7777
        for name in ("installed", "installed/.ilastik.lock", "install.sh", "start_task.sh", "smoke.h5", ".")
    }
    assert modes == {
        "installed": 0o777,
        "installed/.ilastik.lock": 0o666,
        "install.sh": 0o644,
        "start_task.sh": 0o644,
        "smoke.h5": 0o644,
        ".": 0o755,
    }


@pytest.mark.parametrize("wrong", ["archive", "digest", "program"])
def test_what_is_wrong_with_it_is_said_when_it_is_needed(later, wrong):
    """As by the start task; nothing is left that passes for an ilastik."""
    if wrong == "program":
        later.offer(ilastik_archive(program="#!/bin/sh\nexit 3\n"))
    elif wrong == "digest":
        later.extra["ILASTIK_SHA256"] = "0" * 64
    else:
        del later.server.blobs[ARCHIVE]
    assert later.run().returncode == 0
    code, said = installed(later)
    assert code == {"program": 96, "digest": 94, "archive": 93}[wrong], said
    assert not (later.shared / "later/installed/ilastik").exists()


def test_one_of_another_version_makes_room(later):
    """A start task of another archive leaves none of the old one."""
    assert later.run().returncode == 0
    assert installed(later)[0] == 0
    later.offer(ilastik_archive(news="It is newer."))
    assert later.run().returncode == 0
    assert not (later.shared / "later/installed/ilastik").exists()
    assert installed(later)[0] == 0
    assert (later.shared / "later/installed/ilastik/NEWS").exists()


def test_a_wrong_word_for_when_is_refused(node):
    """The pool's settings are wrong: no node passes for one that is ready."""
    node.extra["ILASTIK_WHEN"] = "sometimes"
    done = node.run()
    assert (done.returncode, "sometimes" in done.stderr) == (90, True)
    assert [path.name for path in node.shared.iterdir()] == ["python"]
