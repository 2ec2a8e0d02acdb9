"""Signature and length, guess without the HDF5 library."""

import pytest

from batch_ops.inspection.superblock import (
    SIGNATURE,
    DamagedSuperblock,
    looks_like,
    parse_superblock,
    signature_offsets,
)

LIBVERS = ["earliest", "v108", "v110", "latest"]


@pytest.mark.parametrize("libver", LIBVERS)
def test_end_is_the_length_of_a_whole_file(h5, libver):
    """Every superblock version says how long its file must be, to the byte."""
    data = h5.file(libver=libver)
    assert parse_superblock(data[:128], 0).end == len(data)


@pytest.mark.parametrize("user_block", [512, 1024, 2048, 131072])
@pytest.mark.parametrize("libver", ["earliest", "latest"])
def test_end_counts_the_user_block(h5, libver, user_block):
    """A user block before the superblock is part of the length."""
    data = h5.file(libver=libver, userblock_size=user_block)
    assert data[user_block:].startswith(SIGNATURE)
    assert user_block in signature_offsets(len(data))
    assert parse_superblock(data[user_block : user_block + 128], user_block).end == len(data)


@pytest.mark.parametrize("libver", ["earliest", "latest"])
def test_end_moves_with_a_user_block_put_before_later(h5, libver):
    """A block that another program put before a finished file shifts its end, as the library takes it."""
    data = bytes(512) + h5.file(libver=libver)
    assert parse_superblock(data[512:640], 512).end == len(data)


def test_signature_is_looked_for_where_the_library_looks():
    """0, then 512 and every doubling of it that still has room for a signature."""
    assert list(signature_offsets(4100)) == [0, 512, 1024, 2048]
    assert list(signature_offsets(7)) == []


@pytest.mark.parametrize("at", [8, 13])
def test_impossible_superblock_is_damaged(h5, at):
    """An unknown version or an odd width of addresses is no superblock."""
    data = bytearray(h5.file(libver="earliest")[:128])
    data[at] = 77
    with pytest.raises(DamagedSuperblock):
        parse_superblock(bytes(data), 0)


def test_cut_superblock_is_damaged(h5):
    """Fewer bytes than a superblock has are no superblock."""
    with pytest.raises(DamagedSuperblock):
        parse_superblock(h5.file()[:30], 0)


@pytest.mark.parametrize(
    ("head", "seems"), [(b"II*\x00abc", "TIFF"), (b"PK\x03\x04", "ZIP"), (bytes(9), "zeros"), (b"abc", None)]
)
def test_other_formats_are_recognised(head, seems):
    """People learn what they dropped instead, where its beginning tells."""
    guess = looks_like(head)
    assert guess is None if seems is None else seems in str(guess)
