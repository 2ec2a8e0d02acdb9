"""Tables of plain text."""

import pytest

from batch_ops.files.text_table import Column, cut, shown, table, width_of


@pytest.mark.parametrize(
    ("text", "width", "head", "middle"),
    [
        ("short", 10, "short", "short"),
        ("project/very/long/name.h5", 12, "project/ver\u2026", "projec\u2026me.h5"),
        ("\u4e2d\u6587\u540d\u5b57", 5, "\u4e2d\u6587\u2026", "\u4e2d\u2026\u5b57"),
        ("e\u0301e\u0301e\u0301e\u0301", 3, "e\u0301e\u0301\u2026", "e\u0301\u2026e\u0301"),
    ],
)
def test_what_is_too_wide_is_cut(text, width, head, middle):
    """By the cells of a terminal; names keep their ends, and no mark loses its letter."""
    assert cut(text, width) == head
    assert cut(text, width, keeps_end=True) == middle
    assert width_of(cut(text, width)) <= width


def test_columns_that_stretch_share_what_is_left():
    """One that needs less gives the rest to the other; fixed ones are never cut."""
    columns = (Column("STATE"), Column("NAME", stretches=True, keeps_end=True), Column("REASON", stretches=True))
    lines = table(columns, [("WAITING_FOR_PROJECT", "a" * 60, "why"), ("OK", "b", "x" * 3)], 60)
    assert max(len(line) for line in lines) <= 60
    assert lines[1].startswith("WAITING_FOR_PROJECT  aaa")
    assert lines[1].endswith("  why")
    assert shown("a\tb") == "a\N{REPLACEMENT CHARACTER}b"
