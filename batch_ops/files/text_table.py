"""Tables of plain text: columns as wide as needed, long text cut, control characters removed. Pure."""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

_GAP = "  "
_LEAST = 8


@dataclass(frozen=True, slots=True)
class Column:
    """`stretches`: shares the remaining width. `keeps_end`: cut in the middle, as names differ at their ends."""

    title: str
    stretches: bool = False
    keeps_end: bool = False


def shown(text: str) -> str:
    """Replace the line breaks and control characters of text from outside."""
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)


def width_of(text: str) -> int:
    """Count the cells that a terminal needs: two for wide characters of East Asia, none for combining marks."""
    return sum(_cells(char) for char in text)


def _cells(char: str) -> int:
    if unicodedata.category(char) in {"Mn", "Me"}:
        return 0
    return 2 if unicodedata.east_asian_width(char) in {"W", "F"} else 1


def cut(text: str, width: int, *, keeps_end: bool = False) -> str:
    """Cut a text to at most `width` cells, with an ellipsis for what is missing."""
    if width_of(text) <= width:
        return text
    end = _tail(text, (width - 1) // 2) if keeps_end else ""
    return f"{_head(text, width - 1 - width_of(end))}…{end}"


def _head(text: str, width: int) -> str:
    taken = 0
    for index, char in enumerate(text):
        taken += _cells(char)
        if taken > width:
            return text[:index]
    return text


def _tail(text: str, width: int) -> str:
    # Combining marks follow their character and stay with it.
    taken, start = 0, len(text)
    for index in range(len(text) - 1, -1, -1):
        taken += _cells(text[index])
        if taken > width:
            break
        if _cells(text[index]):
            start = index
    return text[start:]


def table(columns: Sequence[Column], rows: Sequence[Sequence[str]], width: int) -> list[str]:
    """Write the lines of a table, at most `width` cells wide if its columns can be that narrow."""
    cells = [[shown(cell) for cell in row] for row in rows]
    titles = [column.title for column in columns]
    needed = [max(width_of(cell) for cell in column) for column in zip(titles, *cells, strict=True)]
    widths = _fitted(columns, needed, width - len(_GAP) * (len(columns) - 1))
    return [_line(columns, row, widths) for row in (titles, *cells)]


def _fitted(columns: Sequence[Column], needed: Sequence[int], room: int) -> list[int]:
    """Give fixed columns what they need; the others share the rest evenly and pass on what they don't need."""
    widths = list(needed)
    room -= sum(need for column, need in zip(columns, needed, strict=True) if not column.stretches)
    open_ = sorted((i for i, column in enumerate(columns) if column.stretches), key=lambda i: needed[i])
    for position, index in enumerate(open_):
        share = max(_LEAST, room // (len(open_) - position))
        widths[index] = min(needed[index], share)
        room -= widths[index]
    return widths


def _line(columns: Sequence[Column], row: Sequence[str], widths: Sequence[int]) -> str:
    parts = []
    for column, cell, width in zip(columns, row, widths, strict=True):
        text = cut(cell, width, keeps_end=column.keeps_end)
        parts.append(text + " " * (width - width_of(text)))
    return _GAP.join(parts).rstrip()
