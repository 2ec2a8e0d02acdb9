"""What the check refuses, through the real parser process, and how the sentences say it."""

import h5py
import numpy as np
import pytest

from batch_ops.image.facts import Refused

pytestmark = pytest.mark.asyncio(loop_scope="module")


def _several(h5, file):
    for name in "abcdefg":
        h5.add(file, f"group/{name}")


def _virtual(h5, file):
    layout = h5py.VirtualLayout(shape=(2, 12, 20, 22, 1), dtype="u1")
    layout[:] = h5py.VirtualSource("/etc/other.h5", "k", shape=(2, 12, 20, 22, 1))
    file.create_virtual_dataset("view", layout)


def _views(**sources):
    """Virtual datasets in the file, each with its source there; `%b` in its name is the number of a time point."""

    def build(h5, file):
        file["far"] = h5py.ExternalLink("/etc/other.h5", "/k")
        point, unlimited = (1, 12, 20, 22, 1), h5py.h5s.UNLIMITED
        for name, source in sources.items():
            plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
            space = h5py.h5s.create_simple((2, *point[1:]), (unlimited, *point[1:]))
            wanted = space.copy()
            count = unlimited if "%b" in source else 2
            wanted.select_hyperslab((0,) * 5, (count, 1, 1, 1, 1), block=point, stride=point)
            here = h5py.h5s.create_simple(point if "%b" in source else (2, *point[1:]))
            plist.set_virtual(wanted, b".", source.encode(), here)
            h5py.h5d.create(file.id, name.encode(), h5py.h5t.NATIVE_UINT8, space, plist)

    return build


def _view_of_values_elsewhere(h5, file):
    """HDF5 keeps the values of a dataset in any file that it is told."""
    file.create_dataset("raw", (2, 12, 20, 22, 1), "u1", external=[("/etc/passwd", 0, h5py.h5f.UNLIMITED)])
    _views(view="raw")(h5, file)


def _view_of_a_link_called_upwards(h5, file):
    group = file.create_group("mask")
    group.id.links.create_external(b"..", b"/etc/other.h5", b"/k")
    _views(view="mask/..")(h5, file)


def _view_of_a_long_row(h5, file):
    """As many blocks as are looked at, and the next one a link into another file."""
    h5.add(file, "s0")
    for number in range(1, 1000):
        file[f"s{number}"] = file["s0"]
    file["s1000"] = h5py.ExternalLink("/etc/other.h5", "/k")
    _views(view="s%b")(h5, file)


def _soft_to_external(h5, file):
    file["far"] = h5py.ExternalLink("/etc/other.h5", "/k")
    file["data"] = h5py.SoftLink("/far")


def _unknown_filter(h5, file):
    plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plist.set_chunk((1, 4, 5, 5, 1))
    plist.set_filter(32019, h5py.h5z.FLAG_OPTIONAL, (1, 2, 3))
    space = h5py.h5s.create_simple((2, 12, 20, 22, 1))
    h5py.h5d.create(file.id, b"data", h5py.h5t.NATIVE_UINT8, space, plist)


# (build, options of the check, words of the sentence)
REFUSALS = {
    "several": (
        _several,
        {},
        [
            "several datasets",
            "group/a (2 x 12 x 20 x 22 x 1)",
            "group/e",
            "...",
            'such as {"internal_path": "group/a"}',
        ],
    ),
    "empty file": (lambda h5, f: None, {}, ["holds no image"]),
    "only a vector": (lambda h5, f: f.create_dataset("v", data=[1, 2]), {}, ["holds no image"]),
    "six dimensions": (lambda h5, f: f.create_dataset("v", data=np.zeros([2] * 6)), {}, ["holds no image"]),
    "path missing": (lambda h5, f: h5.add(f), {"internal_path": "/no/where"}, ["'/no/where'", "volume/data"]),
    "path is a group": (lambda h5, f: h5.add(f), {"internal_path": "volume"}, ["group at 'volume'"]),
    "path through a dataset": (lambda h5, f: h5.add(f), {"internal_path": "volume/data/x"}, ["no dataset"]),
    "path upwards": (lambda h5, f: h5.add(f), {"internal_path": "../volume"}, ["no dataset"]),
    "text": (lambda h5, f: f.create_dataset("t", data=[["a", "b"]]), {}, ["holds text"]),
    "compound": (lambda h5, f: f.create_dataset("t", data=np.zeros((3, 3), "u1,f4")), {}, ["compound"]),
    "complex": (lambda h5, f: f.create_dataset("t", data=np.zeros((3, 3), "c8")), {}, ["plain numbers"]),
    "zero": (lambda h5, f: h5.add(f, shape=(2, 0, 20, 22, 1)), {}, ["is empty", "2 x 0 x 20"]),
    "null": (lambda h5, f: f.create_dataset("n", data=h5py.Empty("f4")), {}, ["empty dataset 'n'"]),
    "untagged": (
        lambda h5, f: h5.add(f, shape=(30, 20), axes=None),
        {},
        ["does not say which", "axistags", "no usual order"],
    ),
    "tags malformed": (lambda h5, f: h5.add(f).attrs.modify("axistags", "{"), {}, ["axistags", "JSON"]),
    "tags a number": (lambda h5, f: h5.add(f, axes=None).attrs.create("axistags", 7), {}, ["axistags", "not text"]),
    "tags too few": (lambda h5, f: h5.add(f, axes="zyx"), {}, ["3 axes", "5 dimensions"]),
    "tags twice": (lambda h5, f: h5.add(f, axes="tzyyc"), {}, ["twice"]),
    "tags unknown": (lambda h5, f: h5.add(f, axes="tzyxq"), {}, ["'q'"]),
    "configured axes unfit": (lambda h5, f: h5.add(f, axes=None), {"axes": "zyx"}, ["set for its project"]),
    "external storage": (
        lambda h5, f: h5.add(f, axes=None, external=[("/etc/passwd", 0, 99999)]),
        {},
        ["another file", "/etc/passwd"],
    ),
    "virtual": (_virtual, {}, ["another file", "/etc/other.h5"]),
    "virtual by a link": (_views(view="far"), {"internal_path": "view"}, ["another file", "'view' in"]),
    "virtual by a row of links": (
        _views(view="s%b", s0="none", s1="far"),
        {"internal_path": "view"},
        ["another file", "(far)"],
    ),
    "virtual of values elsewhere": (_view_of_values_elsewhere, {"internal_path": "view"}, ["another file", "(raw)"]),
    "virtual of a link upwards": (_view_of_a_link_called_upwards, {"internal_path": "view"}, ["another file"]),
    "virtual of a long row": (_view_of_a_long_row, {"internal_path": "view"}, ["another file"]),
    "virtual by a dangling link": (
        lambda h5, f: (f.__setitem__("soft", h5py.SoftLink("/mask/../x")), _views(view="soft")(h5, f)),
        {"internal_path": "view"},
        ["another file"],
    ),
    "a path too long": (lambda h5, f: h5.add(f, "/".join(["group" * 40] * 12)), {}, ["2,000 characters"]),
    "virtual of itself": (_views(view="/view"), {"internal_path": "view"}, ["from itself"]),
    "virtual of each other": (_views(a="b", b="s%b", s0="/./a"), {"internal_path": "a"}, ["from itself"]),
    "virtual without end": (
        _views(**{f"v{number}": f"v{number + 1}" for number in range(30)}),
        {"internal_path": "v0"},
        ["from itself"],
    ),
    "external link": (
        lambda h5, f: f.__setitem__("d", h5py.ExternalLink("o.h5", "/k")),
        {},
        ["no image", "d is a link"],
    ),
    "external link on the way": (
        lambda h5, f: f.__setitem__("d", h5py.ExternalLink("o.h5", "/k")),
        {"internal_path": "d/e"},
        ["another file at 'd'"],
    ),
    "soft to external": (_soft_to_external, {"internal_path": "data"}, ["another file at 'far'"]),
    "soft cycle": (lambda h5, f: f.update({"a": h5py.SoftLink("/a")}), {"internal_path": "a"}, ["link at 'a'"]),
    "unknown filter": (_unknown_filter, {}, ["JPEG", "32019", "gzip"]),
    "too large": (
        lambda h5, f: f.create_dataset("d", shape=(1 << 20, 1 << 20), dtype="u1", chunks=(1024, 1024)),
        {},
        ["1,099.5 GB", "200.0 GB"],
    ),
    "empty giant": (
        lambda h5, f: f.create_dataset("d", shape=(100, 1 << 10, 1 << 20), dtype="u1", chunks=(1, 1024, 1024)),
        {},
        ["107.4 GB", "far too few"],
    ),
}


@pytest.mark.parametrize("case", REFUSALS)
async def test_unfit_file_is_refused_with_a_sentence(h5, check, case):
    """Each fault is distinguished, with the file's name and what to do, in one line."""
    build, options, words = REFUSALS[case]
    verdict = await check(h5.file(lambda f: build(h5, f)), **options)
    assert isinstance(verdict, Refused), verdict
    assert verdict.sentence.startswith("x.h5 ")
    assert "\n" not in verdict.sentence
    assert verdict.sentence.endswith(".")
    for word in words:
        assert word in verdict.sentence


@pytest.mark.parametrize("size", [0, 1, 7, 8, 100])
async def test_file_of_a_few_bytes_is_refused(h5, check, size):
    """Nothing, less than a signature, less than a superblock."""
    verdict = await check(h5.file()[:size])
    assert isinstance(verdict, Refused)
    assert ("empty" in verdict.sentence) == (size == 0)


async def test_truncated_file_says_how_much_is_missing(h5, check):
    """Bytes there and bytes expected, found by one read and without a parser."""
    data = h5.file()
    reader = h5.reader(data[:-1000])
    verdict = await check(reader)
    assert f"{len(data) - 1000:,} of {len(data):,} bytes" in verdict.sentence
    assert len(reader.reads) == 1


async def test_file_still_open_for_writing_is_refused(h5, check, tmp_path):
    """Acquisition that crashed leaves a mark on which the library, and so ilastik, refuses the file."""
    with h5py.File(tmp_path / "open.h5", "w", libver="latest") as file:
        h5.add(file)
        file.flush()
        data = (tmp_path / "open.h5").read_bytes()
    (tmp_path / "crashed.h5").write_bytes(data)
    with pytest.raises(OSError, match="already open"):
        h5py.File(tmp_path / "crashed.h5", "r")
    assert "was not closed" in (await check(data)).sentence


async def test_name_that_is_no_text_is_refused(h5, check):
    """A dataset that nobody could name on a command line."""
    for name in (b"\xff\xfe", b"new\nline"):
        data = h5.file(lambda f, n=name: h5.add(f, "plain").file.move(b"plain", n))
        assert "rename it" in (await check(data)).sentence


async def test_other_format_is_named(check):
    """A PNG under the name of an .h5 is called one, whatever its length."""
    verdict = await check(b"\x89PNG" + bytes(100_000))
    assert "is neither an HDF5 file nor a TIFF: it is a PNG" in verdict.sentence
    assert "upload an image (.h5, .hdf5, .ims," in verdict.sentence


async def test_damaged_structure_is_refused(h5, check):
    """A whole file whose root group is garbage is damaged, whatever the library makes of it."""
    data = bytearray(h5.file(libver="latest"))
    data[48:600] = b"\xff" * 552
    verdict = await check(bytes(data))
    assert "damaged" in verdict.sentence


async def test_hostile_names_are_tamed(h5, check):
    """Control characters do not reach the sentence, and no name makes it endless."""
    data = h5.file(lambda f: [h5.add(f, f"a\n\x1b[31m{i}" + "b" * 5000) for i in range(3)])
    verdict = await check(data, name="evil\r\n\x00" + "n" * 900)
    assert verdict.sentence.isprintable()
    assert len(verdict.sentence) < 1000
