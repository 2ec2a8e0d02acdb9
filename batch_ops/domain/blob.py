"""A blob as the service shows it, and what of it tells one version of an image from another."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class ImageVersion:
    """One version of an image's content; `md5` in hex where the service has one, `length` in bytes.

    `ends`: digest of its beginning and its end, where it has no `md5`. `begun_etag`: the ETag with which the run began,
    where it is no longer the blob's and no event said why.
    """

    etag: str
    length: int
    md5: str | None = None
    ends: str | None = None
    begun_etag: str = ""


@dataclass(frozen=True, slots=True)
class Blob:
    """One version of a blob. `md5` is the Content-MD5 in hex where the service has one; times are the service's.

    `ends` is not the service's: see `ImageVersion`; None where nobody has read them.
    """

    name: str
    etag: str
    length: int
    modified: datetime
    md5: str | None = None
    tier: str | None = None
    metadata: tuple[tuple[str, str], ...] = ()
    copy_status: str | None = None
    copy_id: str | None = None
    ends: str | None = None

    @property
    def version(self) -> ImageVersion:
        """What tells this version from the next."""
        return ImageVersion(self.etag, self.length, self.md5, self.ends)

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder of an account with a hierarchical namespace, which tools make as an empty blob."""
        return self.meta("hdi_isfolder") == "true"

    @property
    def is_archived(self) -> bool:
        """Whether the content can't be read until somebody rehydrates it."""
        return (self.tier or "").lower() == "archive"

    def meta(self, key: str) -> str | None:
        """Return a metadata value; Azure keeps the keys' case, other tools may not."""
        wanted = key.lower()
        for name, value in self.metadata:
            if name.lower() == wanted:
                return value
        return None
