"""Text from outside, made fit for a sentence.

Standard library only, for Python 3.9 and newer: this module travels to the node (see contract.py).
"""

from __future__ import annotations

# How a cell of a table begins that a spreadsheet takes for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def cell(text: str) -> str:
    """Prepare a name from outside for a table: a spreadsheet shows it, and computes nothing."""
    clean = plain(text, len(text))
    return f"'{clean}" if clean.startswith(_FORMULA) else clean


def plain(text: str, limit: int = 200) -> str:
    """Prepare a name from outside for a sentence: without control characters, and of limited length."""
    clean = text if text.isprintable() else "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
    return clean if len(clean) <= limit else f"{clean[: limit - 1]}…"
