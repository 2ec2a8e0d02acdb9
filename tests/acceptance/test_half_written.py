"""Files that are written in pieces: only a whole one is started, and nobody has to help it."""

import pytest

from tests.acceptance.lab import h5
from tests.acceptance.test_once import event, send


def pieces(lab, seed, count=3):
    """An image, cut."""
    whole = h5(lab.tmp / f"pieces{seed}.h5", seed).read_bytes()
    size = -(-len(whole) // count)
    return [whole[start : start + size] for start in range(0, len(whole), size)]


@pytest.mark.slow
def test_a_blob_that_is_appended_to(lab):
    """Event Grid sends an event only for its creation; it is refused while it grows, and runs once it is whole."""
    name = "default/appended.h5"
    blob = lab.blobs.get_blob_client("input", name)
    created = blob.create_append_blob()["etag"]
    send(lab, event(lab, name, created))
    lab.wait(name, "REJECTED")
    for piece in pieces(lab, 32):
        blob.append_block(piece)
        # As the sweep does for files without an event.
        send(lab, event(lab, name, "0x0"))
    # A look that was cut short comes again from the queue after a minute.
    assert lab.wait(name, "SUCCEEDED", seconds=100)["length"] == blob.get_blob_properties().size
    assert len(lab.tasks(name)) == 1
