"""What comes back from a node is read as if a stranger had written it."""

import dataclasses
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_ops.task.manifest import (
    MAX_BYTES,
    Manifest,
    ManifestError,
    ManifestFile,
    ManifestImage,
    Report,
    plain_line,
)

MANIFEST = Manifest(
    execution="20261122T085551Z-1f0c3a9e",
    task_id="nuclei-abc-1-1",
    run=1,
    attempt=1,
    correlation_id="c-1",
    node="tvm-1",
    started="2026-11-22T08:55:51Z",
    finished="2026-11-22T08:56:02Z",
    seconds={"ilastik": 9.45, "prepare": 0},
    ilastik_version="1.4.2",
    command=("run_ilastik.sh", "--headless"),
    project_sha256="ab" * 32,
    image=ManifestImage("lab/it's α.h5", '"0x8D"', 10, "cd" * 16),
    files=(ManifestFile("a0.tiff", 345320, "ef" * 16, 40), ManifestFile("a1.tiff", 345320, "01" * 16, 40)),
)
REPORT = Report(
    kind="NO_OUTPUT",
    exit_code=81,
    sentence="ilastik ended without an error, but nothing is there.",
    execution="20261122T085551Z-1f0c3a9e",
    started="2026-11-22T08:55:51Z",
    finished="2026-11-22T08:56:02Z",
    seconds={"total": 11.0},
    last_lines=("INFO one", "INFO two"),
    ilastik_exit_code=0,
    task_id="nuclei-abc-1-1",
)
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=60)


def changed(value: Manifest | Report, **changes: object) -> bytes:
    """The JSON of a manifest or report with some top-level values replaced."""
    return json.dumps({**json.loads(value.to_json()), **changes}).encode()


def with_file(**changes: object) -> bytes:
    """The manifest with its first file changed."""
    first, second = json.loads(MANIFEST.to_json())["files"]
    return changed(MANIFEST, files=[{**first, **changes}, second])


def test_a_manifest_comes_back_as_it_was_written():
    """parse is the reverse of to_json, for both files."""
    assert Manifest.parse(MANIFEST.to_json()) == MANIFEST
    assert Report.parse(REPORT.to_json()) == REPORT
    assert Report.parse(dataclasses.replace(REPORT, ilastik_exit_code=None, task_id="").to_json()).task_id == ""


@given(TEXTS, TEXTS, st.lists(TEXTS, max_size=5), st.floats(0, 10**6), st.integers(1, 2**40))
def test_any_text_survives(blob, node, command, seconds, length):
    """Blob names and command lines are any Unicode; they come back unchanged."""
    image = dataclasses.replace(MANIFEST.image, blob=blob, length=length)
    manifest = dataclasses.replace(
        MANIFEST, image=image, node=node, command=tuple(command), seconds={"ilastik": seconds}
    )
    assert Manifest.parse(manifest.to_json()) == manifest


@given(st.binary(max_size=300) | st.text(max_size=300).map(lambda text: text.encode("utf-8", "replace")))
def test_any_bytes_raise_only_the_one_error(content):
    """The parser has two ends: a value, or ManifestError."""
    for kind in (Manifest, Report):
        with pytest.raises(ManifestError):
            kind.parse(content)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.sampled_from([field.name for field in dataclasses.fields(Manifest)]), JSON)
def test_no_value_in_a_place_of_another_type_gets_through(name, value):
    """Whatever stands in a field: a manifest that could have been written, or ManifestError."""
    try:
        parsed = Manifest.parse(changed(MANIFEST, **{name: value}))
    except ManifestError:
        return
    assert Manifest.parse(parsed.to_json()) == parsed


@pytest.mark.parametrize(
    "name",
    [
        "../a.tiff",
        "a/b.tiff",
        "a\\b.tiff",
        "/a.tiff",
        ".tiff",
        ".a.tiff",
        "-a.tiff",
        "a.tif",
        "a.tiff\n",
        "a.tiff\0",
        "ä.tiff",
        "provenance.json",
        "a?.tiff",
        "a" * 200 + ".tiff",
        "A1.TIFF",
        "",
        None,
        7,
    ],
)
def test_a_file_name_is_a_plain_tiff_name(name):
    """No slashes, no dots in front, nothing that could become another blob's name."""
    with pytest.raises(ManifestError):
        Manifest.parse(with_file(name=name))


@pytest.mark.parametrize(
    "changes",
    [
        {"length": 0},
        {"length": -1},
        {"length": 2**33},
        {"length": 1.5},
        {"length": True},
        {"length": "10"},
        {"md5": "EF" * 16},
        {"md5": "ef" * 15},
        {"md5": None},
        {"pages": 0},
        {"extra": 1},
        {"name": "a1.tiff"},
        {"name": "A1.tiff"},
    ],
)
def test_a_file_has_a_size_a_digest_and_its_own_name(changes):
    """Ranges, types, and no two files that a case-blind disk would lay upon each other."""
    with pytest.raises(ManifestError):
        Manifest.parse(with_file(**changes))


@pytest.mark.parametrize(
    "changes",
    [
        {"files": []},
        {"files": {}},
        {"files": [1]},
        {"image": None},
        {"image": []},
        {"schema": 2},
        {"schema": True},
        {"execution": "../20261122T085551Z-1f0c3a9e"},
        {"execution": "latest"},
        {"task_id": "a/b"},
        {"task_id": ""},
        {"run": -1},
        {"started": "yesterday"},
        {"seconds": {"total": -1}},
        {"seconds": {"total": "1"}},
        {"seconds": {"../x": 1}},
        {"seconds": []},
        {"command": "rm -rf"},
        {"command": ["a"] * 65},
        {"command": ["a" * 5000]},
        {"project_sha256": "x"},
        {"node": "\ud800"},
        {"node": "a" * 201},
        {"unknown": 1},
    ],
)
def test_a_manifest_with_anything_odd_is_no_manifest(changes):
    """Strict: unknown fields, ranges, lengths, counts."""
    with pytest.raises(ManifestError):
        Manifest.parse(changed(MANIFEST, **changes))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b"\xff\xfe",
        b"\xef\xbb\xbf{}",
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"9" * 10_000,
        b'{"schema": NaN}',
        b'{"schema": 1, "schema": 1}',
        b" " * (MAX_BYTES + 1),
    ],
    ids=lambda content: content[:12],
)
def test_malicious_content_is_refused(content):
    """Depth, size, numbers, doubled keys, encodings."""
    for kind in (Manifest, Report):
        with pytest.raises(ManifestError):
            kind.parse(content)


def test_a_doubled_key_is_refused():
    """Two readers could believe two different values."""
    whole = MANIFEST.to_json()
    assert Manifest.parse(whole.replace(b'"run": 1,', b'"run": 2,')).run == 2
    with pytest.raises(ManifestError, match="twice"):
        Manifest.parse(whole.replace(b'"run": 1,', b'"run": 1, "run": 2,'))


def test_a_cut_off_manifest_is_none():
    """Every proper beginning of a manifest is refused: half-written never counts."""
    whole = MANIFEST.to_json().rstrip()
    for length in range(0, len(whole), 7):
        with pytest.raises(ManifestError):
            Manifest.parse(whole[:length])


@pytest.mark.parametrize(
    "changes",
    [
        {"kind": "nothing special"},
        {"exit_code": 256},
        {"exit_code": None},
        {"sentence": "a" * 2001},
        {"last_lines": ["a"] * 41},
        {"last_lines": ["a" * 501]},
        {"last_lines": "a"},
        {"ilastik_exit_code": "0"},
        {"task_id": "a b"},
    ],
)
def test_a_report_is_checked_as_strictly(changes):
    """It ends up in PROBLEM.txt and in the ledger: bounded text, known shapes."""
    with pytest.raises(ManifestError):
        Report.parse(changed(REPORT, **changes))


def test_what_is_missing_among_the_blobs_is_named():
    """A manifest is complete only if every file is there at its length."""
    assert MANIFEST.lacks({"a0.tiff": 345320, "a1.tiff": 345320, "more": 1}) == ()
    assert MANIFEST.lacks({"a0.tiff": 345319}) == ("a0.tiff", "a1.tiff")
    assert MANIFEST.total_bytes == 2 * 345320


def test_a_line_of_a_log_is_made_harmless():
    """Printable, one line, bounded."""
    assert plain_line("\x1b[31mred\ttext\r\n") == " [31mred text"
    assert len(plain_line("a" * 1000)) == 500
