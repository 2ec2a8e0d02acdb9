"""Is this .h5 whole, harmless and right for its project? (under construction: signatures are stable)"""

from __future__ import annotations

from typing import Protocol, Self

from batch_ops.facts import CheckLimits, ImageOptions, ProjectFacts, Refused, Verdict


class RangeReader(Protocol):
    """A blob of one version: ranged reads, never the whole.

    `read` returns exactly `length` bytes from `offset`; it is only asked for what lies inside `size`.
    Whatever it raises ends the check and reaches the caller.
    """

    @property
    def size(self) -> int: ...

    async def read(self, offset: int, length: int) -> bytes: ...


class Hdf5Checker:
    """Asynchronous context manager; one for the life of the function host serves any number of checks."""

    def __init__(self, *, parsers: int = 8) -> None:
        self._parsers = parsers

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        return None

    async def check_image(
        self,
        name: str,
        reader: RangeReader,
        project: ProjectFacts,
        options: ImageOptions = ImageOptions(),  # noqa: B008 - a frozen value
        limits: CheckLimits = CheckLimits(),  # noqa: B008 - a frozen value
        *,
        head: bytes = b"",
    ) -> Verdict:
        """`head`: the first bytes of the blob, where the caller has them already (not counted as a read)."""
        raise NotImplementedError

    async def inspect_project(
        self,
        name: str,
        source: RangeReader | bytes,
        limits: CheckLimits = CheckLimits(),  # noqa: B008 - a frozen value
        *,
        head: bytes = b"",
    ) -> ProjectFacts | Refused:
        raise NotImplementedError
