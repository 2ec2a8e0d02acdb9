"""What is known of a file before it is sent."""

import pytest

from batch_ops.domain.uploads import BLOCK_BYTES, MOST_BLOCKS, Upload, is_upload_id, objection

MOST = 10**12


@pytest.mark.parametrize("length", [1, BLOCK_BYTES - 1, BLOCK_BYTES, BLOCK_BYTES + 1, 5 * BLOCK_BYTES])
def test_blocks_are_the_whole_file_and_no_more(length):
    """Each has its place; before the first and after the last there is none."""
    upload = Upload("fly/a.h5", length, "0" * 32)
    lengths = [upload.block_length(number) for number in range(-1, upload.blocks + 1)]
    assert sum(lengths) == length
    assert (lengths[0], lengths[-1]) == (0, 0)
    assert set(lengths[1:-2]) <= {BLOCK_BYTES}


@pytest.mark.parametrize(
    ("name", "length", "said"),
    [
        ("fly/a.h5", 1, ""),
        ("fly/plate 3/A01.ome.tif", 1, ""),
        ("fly/a.xml", 1, ""),
        ("fly/notes.docx", 1, "can't be segmented"),
        ("fly/._a.h5", 1, "never looked at"),
        ("fly/a.h5.part", 1, "never looked at"),
        ("fly/../a.h5", 1, "'.' or '..'"),
        ("fly//a.h5", 1, "can't be the name"),
        ("fly/", 1, "can't be the name"),
        ("fly/a\x01.h5", 1, "control character"),
        ("fly/\ud800.h5", 1, "can't be the name"),
        ("fly/" + "x" * 1020 + ".h5", 1, "can't be the name"),
        ("fly@new/a.h5", 1, "reruns"),
        ("fly/a.h5", 0, "empty"),
        ("fly/a.h5", MOST + 1, "more than"),
        ("fly/a.h5", BLOCK_BYTES * MOST_BLOCKS + 1, "AzCopy"),
    ],
)
def test_what_speaks_against_a_file_is_said_before_it_is_sent(name, length, said):
    """By its name and its bytes, in one sentence."""
    message = objection(name, length, MOST)
    assert said in message
    assert bool(message) == bool(said)


@pytest.mark.parametrize(("text", "is_one"), [("0" * 32, True), ("0" * 31, False), ("A" * 32, False), ("", False)])
def test_ids_of_uploads_are_plain(text, is_one):
    """They become part of the names of blocks."""
    assert is_upload_id(text) is is_one
