"""Blobs' names as paths: what no file system can hold is spelled out, and different names stay different."""

import os
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_ops.domain.local_names import local_path

_DEVICES = {"con", "prn", "aux", "nul", *(f"{port}{number}" for port in ("com", "lpt") for number in range(10))}
_HARD = st.text(st.sampled_from('/\\.:% ~aACcOoNn1"\x00\n\u202e\ud800é'), max_size=12)


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("fly/a b.h5", ("fly", "a b.h5")),
        ("fly/ünï.h5", ("fly", "ünï.h5")),
        ("../etc/x.h5", (".%2E", "etc", "x.h5")),
        ("/x.h5", ("%", "x.h5")),
        ("a:b/x?.h5", ("a%3Ab", "x%3F.h5")),
        ("100%/x.h5", ("100%25", "x.h5")),
        ("con/Aux.h5", ("%63on", "%41ux.h5")),
        ("fly./x.h5 ", ("fly%2E", "x.h5%20")),
        ("\u202e5h.x", ("%E2%80%AE5h.x",)),
    ],
)
def test_what_a_disk_cannot_hold_is_spelled_out(name, path):
    """The rest stays as it is."""
    assert local_path(name) == path


@given(st.lists(_HARD | st.text(max_size=300), min_size=2, max_size=2, unique=True))
def test_every_name_is_a_path_of_its_own_that_windows_can_hold(names):
    """Nothing leads out of the folder, names a device or a stream, or is too long."""
    first, second = map(local_path, names)
    assert first != second
    for segment in (*first, *second):
        assert segment not in {"", ".", ".."}
        assert not set(segment) & set('/\\:*?"<>|' + "".join(map(chr, range(32))))
        assert segment[-1] not in ". "
        assert segment.split(".")[0].lower() not in _DEVICES
        assert len(os.fsencode(segment)) <= 200


def test_long_names_that_differ_at_their_ends_stay_different():
    """A hash stands for what was cut."""
    long = string.ascii_letters * 20
    assert local_path(f"{long}1.h5") != local_path(f"{long}2.h5")
