"""The archive of ilastik, as deploy.sh downloads it and holds it against its digest."""

import hashlib
import re

from tests.deploy.test_bicep import DEPLOY


def test_an_interrupted_download_goes_on_where_it_stopped(empty):
    """What came through of the archive is kept, and the next run asks for the rest only."""
    empty.azure.archive_cut_at = 100
    assert empty.run("--location", "westeurope").returncode == 1
    assert empty.azure.changes == []
    partial = empty.cached_archive().with_name(empty.cached_archive().name + ".partial")
    assert partial.read_bytes() == empty.azure.archive[:100]
    empty.up()
    assert empty.cached_archive().read_bytes() == empty.azure.archive


def test_an_archive_with_another_digest_is_not_used(empty):
    """With --ilastik-sha256 another archive stops the run before anything is made, and is not kept."""
    done = empty.run("--location", "westeurope", "--ilastik-sha256", "0" * 64)
    assert done.returncode == 1
    assert "It is not used" in done.stderr
    assert empty.azure.changes == []
    assert not empty.cached_archive().exists()


def test_a_digest_on_record_is_insisted_on(empty):
    """An archive that is not the recorded one is not used, unless the person at the keyboard says that it is right."""
    record = empty.clone / "deploy/ilastik.sha256"
    right = hashlib.sha256(empty.azure.archive).hexdigest()
    record.write_text(f"{'0' * 64}  ilastik-1.4.2-Linux.tar.bz2\n{right}  ilastik-1.4.20-Linux.tar.bz2\n")
    done = empty.run("--location", "westeurope")
    assert done.returncode == 1
    assert f"It is not used. If you know it to be right: --ilastik-sha256 {right}" in done.stderr
    assert empty.azure.changes == []
    record.write_text(f"# As it should be.\n{right}  ilastik-1.4.2-Linux.tar.bz2\n")
    assert "is taken as" not in empty.up("--no-smoke-test").stderr


def test_digests_on_record_are_digests():
    """A line for each version, as sha256sum reads them."""
    lines = (DEPLOY / "ilastik.sha256").read_text().splitlines()
    entries = [line for line in lines if not line.startswith("#")]
    assert entries
    assert [line for line in entries if not re.fullmatch(r"[0-9a-f]{64}  ilastik-[\w.]+-Linux\.tar\.bz2", line)] == []
