"""Text from outside, made fit for a sentence.

Standard library only, for Python 3.9 and newer: this module travels to the node (see contract.py).
"""

from __future__ import annotations


def plain(text: str, limit: int = 200) -> str:
    """Prepare a name from outside for a sentence: without control characters, and of limited length."""
    clean = text if text.isprintable() else "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
    return clean if len(clean) <= limit else f"{clean[: limit - 1]}…"
