"""A container of blobs in memory, and what blobs may be called and carry."""

import re
from bisect import bisect_left, insort
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import quote

from batch_ops.domain.blob import Blob
from batch_ops.domain.errors import RequestRefused, ServiceFault

_METADATA_BYTES = 8 * 1024
_LONGEST_NAME = 1024
_METADATA_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Stored:
    blob: Blob
    data: bytes


@dataclass(slots=True)
class Container:
    """`watch` hears about every change once it took effect: the name, what was there before, and what is there now."""

    blobs: dict[str, Stored] = field(default_factory=dict)
    names: list[str] = field(default_factory=list)
    watch: Callable[[str, Stored | None, Stored | None], None] | None = None

    def put(self, stored: Stored) -> None:
        name = stored.blob.name
        before = self.blobs.get(name)
        if before is None:
            insort(self.names, name)
        self.blobs[name] = stored
        if self.watch is not None:
            self.watch(name, before, stored)

    def remove(self, name: str) -> None:
        before = self.blobs.pop(name)
        del self.names[bisect_left(self.names, name)]
        if self.watch is not None:
            self.watch(name, before, None)


def check_not_pending(container: str, found: Stored) -> None:
    if found.blob.copy_status == "pending":
        raise ServiceFault(f"{container}/{found.blob.name} is still being copied (PendingCopyOperation).")


def is_archived(found: Stored) -> bool:
    return found.blob.tier == "Archive"


def check_name(name: str) -> None:
    if not 1 <= len(name) <= _LONGEST_NAME:
        raise RequestRefused(f"A blob's name has 1 to 1,024 characters, not {len(name)}.")


def checked_metadata(metadata: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    size = 0
    for key, value in metadata.items():
        if not _METADATA_KEY.fullmatch(key):
            raise RequestRefused(f"{key!r} can't be a key of metadata.")
        size += len(key) + len(value if value.isascii() else quote(value))
    if size > _METADATA_BYTES:
        raise RequestRefused("The metadata are longer than 8 KiB (MetadataTooLarge).")
    return tuple(metadata.items())
