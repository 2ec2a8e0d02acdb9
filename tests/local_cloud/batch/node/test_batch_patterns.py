"""Patterns of output files."""

import pytest

from local_cloud.batch.node.patterns import expand, find

FILES = (
    "a.gif",
    "b.gif",
    "ab.txt",
    ".hidden.gif",
    "abc*",
    "out/c.gif",
    "out/deep/d.gif",
    "out/deep/.e.gif",
    "out/.dot/f.gif",
    "other/c.gif",
)


@pytest.fixture
def folder(tmp_path):
    wd = tmp_path / "task/wd"
    for name in FILES:
        (wd / name).parent.mkdir(parents=True, exist_ok=True)
        (wd / name).write_text(name)
    (tmp_path / "task/stdout.txt").write_text("out")
    (tmp_path / "task/stderr.txt").write_text("err")
    return wd


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("a.gif", ["a.gif"]),
        ("./a.gif", ["a.gif"]),
        ("missing.gif", []),
        ("*.gif", ["a.gif", "b.gif"]),
        (".*.gif", [".hidden.gif"]),
        ("?.gif", ["a.gif", "b.gif"]),
        ("[ac].gif", ["a.gif"]),
        ("[!a].gif", ["b.gif"]),
        ("[a-b].gif", ["a.gif", "b.gif"]),
        ("abc[*]", ["abc*"]),
        ("[z-a].gif", []),
        ("**/*.gif", ["a.gif", "b.gif", "other/c.gif", "out/c.gif", "out/deep/d.gif"]),
        ("out/**/*.gif", ["c.gif", "deep/d.gif"]),
        ("out/**", ["c.gif", "deep/d.gif"]),
        ("out/deep/d.gif", ["d.gif"]),
        ("o*/c.gif", ["other/c.gif", "out/c.gif"]),
        ("../std*.txt", ["stderr.txt", "stdout.txt"]),
        ("../stdout.txt", ["stdout.txt"]),
        ("out", []),
        ("/", []),
    ],
)
def test_a_pattern_names_files(folder, pattern, names):
    """Wildcards, ** and brackets name files; names are relative to the fixed part; dots must be written out."""
    assert [match.name for match in find(pattern, folder)] == names


def test_an_absolute_pattern(folder):
    """A pattern may be absolute."""
    assert [match.name for match in find(f"{folder}/out/*.gif", folder)] == ["c.gif"]


def test_variables_are_expanded():
    """$NAME and ${NAME} stand for the task's variables, unknown ones for nothing."""
    assert expand("$A/${B}c/$NO.txt", {"A": "1", "B": "2"}) == "1/2c/.txt"


def test_links_to_folders_are_not_followed(folder):
    """A link to a folder above does not make the search endless."""
    (folder / "loop").symlink_to(folder)

    assert [match.name for match in find("**/c.gif", folder)] == ["other/c.gif", "out/c.gif"]
