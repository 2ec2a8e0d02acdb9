"""A microscope's files arrive whole, once, in order of time; what can't be sent lies beside its reason."""

import hashlib
import os
import random
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
from azure.storage.blob import ContainerSasPermissions, generate_container_sas

from batch_ops.domain.file_kinds import IMAGE_SUFFIXES
from deploy.microscope.folders import SUFFIXES
from tests.deploy.microscope.conftest import BLOCK, PowerCut
from tests.structure import REPOSITORY

IMAGE = bytes(range(256)) * 20  # six blocks


def _signed(microscope, permissions):
    return generate_container_sas(
        microscope.container.account_name,
        microscope.container.container_name,
        account_key=microscope.credential,
        permission=ContainerSasPermissions.from_string(permissions),
        expiry=datetime.now(UTC) + timedelta(hours=1),
    )


def test_a_file_is_sent_whole_with_its_md5_and_moved(microscope):
    """Folders are kept; what is no image stays."""
    microscope.write("week 1/a.h5", IMAGE)
    microscope.write("notes.txt", b"mine")
    microscope.send()
    assert microscope.blobs() == {"nuclei/week 1/a.h5": IMAGE}
    [blob] = microscope.container.list_blobs()
    assert bytes(blob.content_settings.content_md5) == hashlib.md5(IMAGE, usedforsecurity=False).digest()
    assert microscope.files("sent") == {"week 1/a.h5": IMAGE}
    assert microscope.files() == {"notes.txt": b"mine"}


def test_a_file_that_still_grows_waits(microscope):
    """Until it was left alone for the time to settle."""
    for part in range(1, 4):
        microscope.write("a.h5", IMAGE * part)
        microscope.look(20)
    assert microscope.look(9) == (1, 0)
    assert not microscope.blobs()
    microscope.look(31)
    assert microscope.blobs() == {"nuclei/a.h5": IMAGE * 3}


def test_a_file_that_changes_while_it_is_sent_waits_again(microscope):
    """Nothing of it is put together."""
    path = microscope.write("a.h5", IMAGE)
    microscope.look()

    def write(kind, number):
        if number == 3:
            path.write_bytes(IMAGE + b"more")
        return ""

    microscope.line.fault = write
    microscope.look()
    assert not microscope.blobs()
    microscope.send()
    assert microscope.blobs() == {"nuclei/a.h5": IMAGE + b"more"}


@pytest.mark.parametrize("name", [".hidden.h5", "~a.h5", "a.h5.part", "a.tif", ".cache/a.h5"])
def test_hidden_and_unfinished_files_are_left_alone(microscope, name):
    """They are other programs' affair."""
    microscope.write(name, IMAGE)
    microscope.send()
    assert not microscope.blobs()
    assert microscope.files() == {name: IMAGE}


@pytest.mark.parametrize("permissions", ["w", "rw"])
def test_the_right_to_write_suffices(microscope, permissions):
    """Also to tell, after an answer was lost, that the blob is this very file; its content stays."""
    microscope.restart(_signed(microscope, permissions))
    microscope.write("a.h5", IMAGE)
    microscope.look()
    microscope.line.fault = lambda kind, number: "after" if kind == "commit" else ""
    assert microscope.look() == (0, 1)
    microscope.line.fault = lambda kind, number: ""
    microscope.look()
    assert microscope.blobs() == {"nuclei/a.h5": IMAGE}
    assert microscope.files("sent") == {"a.h5": IMAGE}


@pytest.mark.parametrize("permissions", ["w", "rw"])
def test_another_image_of_the_same_name_is_never_overwritten(microscope, permissions):
    """The file lies in `failed`, beside a text that says what to do."""
    microscope.container.upload_blob("nuclei/a.h5", b"another image")
    microscope.restart(_signed(microscope, permissions))
    microscope.write("a.h5", IMAGE)
    microscope.send()
    assert microscope.blobs() == {"nuclei/a.h5": b"another image"}
    failed = microscope.files("failed")
    assert failed["a.h5"] == IMAGE
    assert b"give it another name" in failed["a.h5.WHY.txt"]


def test_what_storage_has_of_a_file_is_not_sent_again(microscope):
    """After a restart the upload goes on where it was."""
    microscope.write("a.h5", IMAGE)
    microscope.look()
    microscope.line.fault = lambda kind, number: "cut before" if number == 6 else ""
    with pytest.raises(PowerCut):
        microscope.look()
    sent = microscope.line.requests["block"]
    microscope.line.fault = lambda kind, number: ""
    microscope.restart()
    microscope.send()
    assert microscope.blobs() == {"nuclei/a.h5": IMAGE}
    assert microscope.line.requests["block"] - sent <= -(-len(IMAGE) // BLOCK) - 2


@pytest.mark.parametrize(
    ("name", "content", "reason"), [("empty.h5", b"", b"is empty"), ("a\udcff.h5", IMAGE, b"no text")]
)
def test_what_can_never_be_sent_is_put_aside_and_holds_up_nothing(microscope, name, content, reason):
    """With its reason."""
    microscope.write(name, content)
    microscope.write("good.h5", IMAGE)
    microscope.send()
    assert microscope.blobs() == {"nuclei/good.h5": IMAGE}
    assert reason in next(text for name, text in microscope.files("failed").items() if name.endswith("WHY.txt"))


def test_a_fault_that_is_not_the_files_leaves_it_where_it_is(microscope):
    """A role that is missing yet, a container that is not there: it is tried again, less and less often."""
    microscope.restart(_signed(microscope, "l"))
    microscope.write("a.h5", IMAGE)
    microscope.look()
    for _ in range(10):
        microscope.look(60)
    assert microscope.files() == {"a.h5": IMAGE}
    tries = microscope.line.requests.total()
    microscope.look(60)
    assert microscope.line.requests.total() == tries
    microscope.restart()
    microscope.send()
    assert microscope.blobs() == {"nuclei/a.h5": IMAGE}


def test_what_was_sent_but_cannot_be_moved_is_not_sent_again(microscope):
    """A folder for what was sent that nobody can make: also after a restart."""
    sent = microscope.folder.with_name("finished-sent")
    sent.write_bytes(b"in the way")
    microscope.write("a.h5", IMAGE)
    microscope.send()
    before = microscope.line.requests.total()
    microscope.restart()
    microscope.send()
    assert microscope.line.requests.total() == before
    sent.unlink()
    microscope.restart()
    microscope.send()
    assert microscope.files("sent") == {"a.h5": IMAGE}
    assert not microscope.files()


def test_a_later_image_of_a_name_that_was_sent_is_kept_beside_it(microscope):
    """Nothing in `sent` or `failed` is ever replaced."""
    for content in (IMAGE, IMAGE, b"another"):
        microscope.write("a.h5", content)
        microscope.send()
    assert microscope.files("sent") == {"a.h5": IMAGE, "a (2).h5": IMAGE}
    assert microscope.files("failed")["a.h5"] == b"another"


@pytest.mark.parametrize(
    ("files", "share"), [(20, 1 / 4), pytest.param(1000, 1 / 50, marks=[pytest.mark.slow, pytest.mark.timeout(900)])]
)
def test_whatever_breaks_nothing_is_lost_and_nothing_comes_twice(microscope, files, share):
    """Requests that break before or after their effect, and power cuts, drawn at random; each image gets one ETag."""
    draw = random.Random(7)
    images = {f"day {n % 7}/{n}.h5": draw.randbytes(draw.randint(1, 3 * BLOCK)) for n in range(files)}
    for name, content in images.items():
        microscope.write(name, content)
    faults = {"faults": 0}
    etags: dict[str, str] = {}

    def fault(kind, number):
        chosen = draw.choices(["before", "after", "cut before", "cut after"])[0] if draw.random() < share else ""
        faults["faults"] += bool(chosen)
        return chosen

    microscope.line.fault = fault
    while microscope.files():
        try:
            microscope.look(700)
        except PowerCut:
            microscope.restart()
        for blob in microscope.container.list_blobs():
            assert etags.setdefault(blob.name, blob.etag) == blob.etag
    assert microscope.blobs() == {f"nuclei/{name}": content for name, content in images.items()}
    assert microscope.files("sent") == images
    assert faults["faults"] >= files * share


def test_the_command_sends_a_folder_once(microscope, tmp_path):
    """As a task scheduler runs it, with a signature in its environment; then with a file that it can't send."""
    microscope.write("week 1/a.h5", IMAGE)
    environment = {"PATH": os.environ["PATH"], "UPLOAD_SAS": _signed(microscope, "w")}
    options = ("--once", "--settle", "0.1", "--every", "0.1")
    command = [sys.executable, "-m", "microscope", microscope.folder, f"{microscope.container.url}/nuclei", *options]
    for code in (0, 1):
        done = subprocess.run(command, cwd=REPOSITORY / "deploy", env=environment, capture_output=True, text=True)
        assert done.returncode == code, done.stdout + done.stderr
        microscope.write("empty.h5", b"")
    assert environment["UPLOAD_SAS"] not in done.stdout + done.stderr
    assert microscope.blobs() == {"nuclei/week 1/a.h5": IMAGE}
    assert "it is empty" in (microscope.folder / ".uploader/upload.log").read_text()


def test_all_that_is_segmented_is_sent_unless_something_else_is_asked_for():
    """By one list of endings: nothing of an instrument stays on its PC without a word."""
    assert all(suffix.endswith(SUFFIXES) for suffix in IMAGE_SUFFIXES)
    assert set(SUFFIXES) <= set(IMAGE_SUFFIXES)
