"""What files in `input` are, by their names."""

import pytest

from batch_ops.domain.file_kinds import Kind, Stray, kind_of, stray_of


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        (Kind.IMAGE, ["a.h5", "p/b c.HDF5", "x.ims", ".h5", "p/.hidden.h5", "plate.csv/a.h5", "a.lux.h5"]),
        (Kind.COMPANION, ["a.xml", "p/a.JSON", "plate.csv"]),
        (
            Kind.IGNORED,
            ["p/", "p/._a.h5", "p/.DS_Store", ".azDownload-1-a.h5.x", "~$a.xlsx", "Thumbs.db"],
        ),
        (Kind.IGNORED, ["p_$folder$", "p/a.h5.part", "a.h5.filepart", "a.TMP"]),
        (Kind.STRAY, ["a", "p/notes.txt", "a.h5.gz", "a.zarr", "a.zarr/.zattrs", "p/a.ZARR/0/0.0.0", "a.zarr/x.h5"]),
    ],
)
def test_kinds(kind, names):
    """The list decides by the end of a name, whatever its case; only in a Zarr nothing is anything by itself."""
    assert {name: kind_of(name) for name in names} == dict.fromkeys(names, kind)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("p/q/a.TXT", Stray("p/q/a.TXT", "p/q", ".txt")),
        ("README", Stray("README", "", "")),
        ("p/measured at 3.5 degrees of whatever", Stray("p/measured at 3.5 degrees of whatever", "p", "")),
        ("p/a.h5.gz", Stray("p/a.h5.gz", "p", ".gz")),
        ("p/a.Zarr/c/0/1", Stray("p/a.Zarr", "p", ".zarr")),
        ("p/a.zarr", Stray("p/a.zarr", "p", ".zarr")),
        ("a.zarr/b.zarr/0", Stray("a.zarr", "", ".zarr")),
    ],
)
def test_strays_are_told_of_by_folder_and_suffix(name, expected):
    """A Zarr is one thing, however many files it has."""
    assert stray_of(name) == expected


def test_what_is_no_stray():
    """Images and what is passed over in silence are none."""
    assert [stray_of(name) for name in ("a.h5", "a.xml", "._a.txt", "p/")] == [None] * 4
