"""Makes a failing history as short as it gets: actions are left out as long as it still fails (delta debugging)."""

from collections.abc import Callable, Sequence


def shortest[T](items: Sequence[T], fails: Callable[[Sequence[T]], bool], most_tries: int = 2000) -> list[T]:
    """A part of the items, in their order, that still fails and of which no single item can be left out."""
    kept, size, tries = list(items), max(1, len(items) // 2), 0
    while True:
        before = len(kept)
        start = 0
        while start < len(kept) and tries < most_tries:
            tries += 1
            shorter = kept[:start] + kept[start + size :]
            if fails(shorter):
                kept = shorter
            else:
                start += size
        if tries >= most_tries or (size == 1 and len(kept) == before):
            return kept
        size = max(1, size // 2)
