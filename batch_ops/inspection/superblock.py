"""The first bytes of a file: is it HDF5, and is it complete? Pure; needs no HDF5 library.

Most wrong uploads (another format, a cut-off transfer) are detected here, with one read and no parser.
Source: HDF5 File Format Specification 3.0, section II.A, and the library's own rule for a file whose
beginning was moved by a user block.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from batch_ops.domain.errors import IlastikBatchError

SIGNATURE = b"\x89HDF\r\n\x1a\n"
MAX_SUPERBLOCK_BYTES = 128
_UNDEFINED = 2**64 - 1
# Consistency flags of superblock 3: open for writing, open for writing beside readers (SWMR).
_STILL_WRITING = 0b101

# The first bytes of other formats that people upload by mistake.
_OTHER_FORMATS = (
    (b"II*\x00", "a TIFF"),
    (b"MM\x00*", "a TIFF"),
    (b"II+\x00", "a BigTIFF"),
    (b"MM\x00+", "a BigTIFF"),
    (b"\x89PNG", "a PNG"),
    (b"\xff\xd8\xff", "a JPEG"),
    (b"PK\x03\x04", "a ZIP archive"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"ZISRAWFILE", "a Zeiss CZI file"),
    (b"\xda\xce\xbe\x0a", "a Nikon ND2 file"),
    (b"\x0e\x03\x13\x01", "an HDF4 file, the older format"),
    (b"\xd0\xcf\x11\xe0", "an OLE document"),
    (b"\x93NUMPY", "a NumPy array"),
    (b"<", "a web page or XML"),
)


class DamagedSuperblock(IlastikBatchError):
    """The signature of HDF5 is right, but what follows can't be."""


@dataclass(frozen=True, slots=True)
class Superblock:
    """`offset`: bytes of the user block before it. `end`: bytes that a whole file has at least, if known.

    `closed`: False if the program that wrote it has marked it as still being written.
    """

    offset: int
    end: int | None
    closed: bool = True


def signature_offsets(size: int) -> Iterator[int]:
    """Return the offsets where the library looks for the signature in a file of `size` bytes: 0, 512, 1024, ..."""
    offset = 0
    while offset + len(SIGNATURE) <= size:
        yield offset
        offset = max(512, offset * 2)


def looks_like(head: bytes) -> str | None:
    """Guess the format of a file that is not HDF5, as "a TIFF"; None if its beginning does not show it."""
    if head and not any(head):
        return "filled with zeros at its beginning, as after an interrupted transfer"
    return next((name for start, name in _OTHER_FORMATS if head.startswith(start)), None)


def parse_superblock(data: bytes, offset: int) -> Superblock:
    """Read the superblock in `data`, found at `offset` of the file. Raises `DamagedSuperblock`."""
    if len(data) < 48 or not data.startswith(SIGNATURE):
        raise DamagedSuperblock
    version = data[8]
    if version in (0, 1):
        width, at = data[13], 24 if version == 0 else 28
    elif version in (2, 3):
        width, at = data[9], 12
    else:
        raise DamagedSuperblock
    if width not in (2, 4, 8):
        raise DamagedSuperblock
    closed = not (version == 3 and data[11] & _STILL_WRITING)
    base = int.from_bytes(data[at : at + width], "little")
    end = int.from_bytes(data[at + 2 * width : at + 3 * width], "little")
    if end >= _UNDEFINED >> (64 - 8 * width):
        return Superblock(offset, None, closed)
    # The stored end is relative to the beginning of the file as it was when the base address was right.
    return Superblock(offset, end + offset - base, closed)


def unfinished(superblock: Superblock, size: int) -> str:
    """Return why a file with a sound superblock can't be opened; "" if it can."""
    if superblock.end is not None and superblock.end > size:
        return (
            f"has {size:,} of {superblock.end:,} bytes: the upload was cut off, or the file was not closed by the "
            f"program that wrote it; upload it again."
        )
    if not superblock.closed:
        return (
            "was not closed by the program that wrote it, so no other program can open it; close it there (or run "
            "h5clear -s on it) and upload it again."
        )
    return ""
