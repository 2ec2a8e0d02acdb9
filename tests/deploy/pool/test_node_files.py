"""Whose fault it is that a file can't be read."""

import errno

import pytest

from node.files import is_nodes_fault


@pytest.mark.parametrize(
    ("fault", "is_the_nodes"),
    [
        (OSError(errno.EIO, "Input/output error"), True),
        (KeyError("unable to open object (file read failed: errno = 5, error message = 'Input/output error')"), True),
        (KeyError("object 'data' doesn't exist"), False),
        (OSError("unable to open file (truncated file: eof = 96)"), False),
    ],
)
def test_what_the_system_could_not_read_is_the_nodes_fault(fault, is_the_nodes):
    """HDF5 says the system's number in its text alone where it opens something in a file."""
    assert is_nodes_fault(fault) is is_the_nodes
