"""What comes back from a node is read as if a stranger had written it."""

import dataclasses
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_ops.task.manifest import MAX_WARNING_CHARS, Manifest, as_warning
from batch_ops.task.report import Report
from batch_ops.task.run_plan import RunWarning
from batch_ops.task.strict_json import MAX_BYTES, ManifestError, plain_line
from tests.unit.task.samples import MANIFEST, OLD, REPORT, changed, with_file, with_output

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=60)


def test_a_manifest_comes_back_as_it_was_written():
    """parse is the reverse of to_json, for both files."""
    assert Manifest.parse(MANIFEST.to_json()) == MANIFEST
    assert Manifest.parse(OLD.to_json()) == OLD
    assert list(json.loads(OLD.to_json()))[-2:] == ["files", "schema"]
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


@given(
    st.sampled_from([MANIFEST, OLD]),
    st.sampled_from(["files", *(field.name for field in dataclasses.fields(Manifest))]),
    JSON,
)
def test_no_value_in_a_place_of_another_type_gets_through(manifest, name, value):
    """Whatever stands in a field: a manifest that could have been written, or ManifestError."""
    try:
        parsed = Manifest.parse(changed(manifest, **{name: value}))
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
def test_before_outputs_had_roles_all_were_tiffs(name):
    """No slashes, no dots in front, nothing that could become another blob's name."""
    with pytest.raises(ManifestError):
        Manifest.parse(with_file(name=name))


@pytest.mark.parametrize(
    "changes",
    [
        {"length": 1.5},
        {"length": "10"},
        {"md5": "EF" * 16},
        {"md5": "ef" * 15},
        {"pages": 0},
        {"extra": 1},
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
        {"path": "../a.tiff"},
        {"path": "manifest.json"},
        {"path": "a/b/c/d/e.tiff"},
        {"path": "b.h5/a.tiff"},
        {"path": None},
        {"path": "PICTURES/a.PNG"},
        {"path": "pictures"},
        {"role": None},
        {"role": "masterpiece"},
        {"role": ["log"]},
        {"media_type": "a tiff"},
        {"media_type": None},
        {"length": 0},
        {"length": 2**48 + 1},
        {"md5": None},
        {"pages": 0},
        {"pages": True},
        {"axes": ""},
        {"axes": "xyz"},
        {"axes": None},
        {"extra": 1},
    ],
)
def test_an_output_is_what_its_role_and_type_say(changes):
    """Paths within the folder, known roles, no TIFF without pages and axes, each in its own place on any disk."""
    with pytest.raises(ManifestError):
        Manifest.parse(with_output(**changes))


@pytest.mark.parametrize(
    "warnings",
    [
        *([{"code": "axes", "sentence": text}] for text in ("a\nb", "\x1b[31m", "a" * (MAX_WARNING_CHARS + 1), None)),
        *([{"code": code, "sentence": "a"}] for code in ("", "A b", None, "a" * 41)),
        [{"code": "axes"}],
        ["axes"],
        {},
        [{"code": "axes", "sentence": "a"}] * 11,
    ],
)
def test_warnings_are_few_plain_lines(warnings):
    """All of them have to fit into one property of a row, and onto a terminal."""
    with pytest.raises(ManifestError):
        Manifest.parse(changed(MANIFEST, warnings=warnings))


@given(st.text())
def test_any_warning_can_be_made_to_fit(sentence):
    """Whatever the node finds in a file."""
    manifest = dataclasses.replace(MANIFEST, warnings=(as_warning(RunWarning("axes", sentence)),))
    assert Manifest.parse(manifest.to_json()) == manifest


@pytest.mark.parametrize(
    "content",
    [
        changed(OLD, schema=2),
        changed(MANIFEST, schema=1),
        changed(OLD, warnings=[]),
        changed(MANIFEST, files=[]),
        changed(MANIFEST, schema=2),
        changed(dataclasses.replace(MANIFEST, class_pixels=(), images=()), schema=2),
        changed(dataclasses.replace(MANIFEST, images=()), schema=3),
        changed(MANIFEST, schema=4),
        changed(MANIFEST, schema=3),
        changed(dataclasses.replace(MANIFEST, images=()), schema=4),
        changed(MANIFEST, schema=5),
        changed(MANIFEST, schema=9),
    ],
)
def test_the_schemas_do_not_mix(content):
    """Schema 1 has no roles, 2 has; then counts, pixels, contrast, images, engines, parts; no later is known."""
    with pytest.raises(ManifestError):
        Manifest.parse(content)


@pytest.mark.parametrize(
    "changes",
    [
        {"outputs": []},
        {"outputs": {}},
        {"outputs": [1]},
        {"image": None},
        {"image": []},
        {"schema": 0},
        {"schema": True},
        {"contrast": []},
        {"contrast": {"dtype": "uint8", "limits": [[1, 0]]}},
        {"contrast": {"dtype": "uint8", "limits": [[0, 1]], "more": 1}},
        {"class_pixels": None},
        {"class_pixels": [-1]},
        {"class_pixels": [1] * 256},
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


def test_a_log_is_no_result():
    """The row's bytes are those of TIFFs, pictures and tables."""
    assert (MANIFEST.total_bytes, OLD.total_bytes) == (345320 + 2**33, 2 * 345320)


def test_a_line_of_a_log_is_made_harmless():
    """Printable, one line, bounded."""
    assert plain_line("\x1b[31mred\ttext\r\n") == " [31mred text"
    assert len(plain_line("a" * 1000)) == 500
