"""Ways to break an HDF5 file; each changes the bytes in place."""

import random
import struct
from collections.abc import Callable


def _truncate(data: bytearray, chance: random.Random) -> None:
    del data[chance.randrange(len(data)) :]


def _truncate_quietly(data: bytearray, chance: random.Random) -> None:
    """Cut it off and let the superblock agree, so that the library has to notice by itself."""
    del data[chance.randrange(100, len(data)) :]
    data[40:48] = struct.pack("<Q", len(data))


def _flip(data: bytearray, chance: random.Random) -> None:
    for _ in range(chance.choice([1, 1, 2, 8, 64])):
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)


def _flip_structure(data: bytearray, chance: random.Random) -> None:
    """Bits where the structure is: where bytes are neither zero nor pixels, early in the file."""
    places = [at for at in range(8, min(len(data), 6000)) if data[at]]
    for _ in range(chance.choice([1, 1, 2, 4])):
        data[chance.choice(places)] ^= 1 << chance.randrange(8)


def _overwrite(data: bytearray, chance: random.Random) -> None:
    at = chance.randrange(8, len(data))
    length = chance.choice([1, 2, 4, 8, 8, 100, 1000])
    fill = chance.choice([b"\x00", b"\xff", b"\x7f", None])
    data[at : at + length] = fill * length if fill else chance.randbytes(length)


def _number(data: bytearray, chance: random.Random) -> None:
    """An address or a length that leads somewhere else, to itself, or to the end of the world."""
    at = chance.randrange(8, min(len(data), 8000) - 8) & ~7
    value = chance.choice(
        [0, at, at - 8, len(data), len(data) - 8, 2**31, 2**32, 2**63, 2**64 - 2, chance.randrange(len(data))]
    )
    data[at : at + 8] = struct.pack("<Q", value)


def _transplant(data: bytearray, chance: random.Random) -> None:
    """A piece of the file over another piece: wrong structures with right signatures."""
    length = chance.choice([16, 64, 256, 544])
    source, target = (chance.randrange(8, max(9, len(data) - length)) & ~7 for _ in range(2))
    data[target : target + length] = data[source : source + length]


def _flip_checked(data: bytearray, chance: random.Random) -> None:
    """Bits in an object header of the newer format, with the checksum made right again, as an attacker would."""
    headers = [at for at in range(len(data) - 16) if data[at : at + 4] == b"OHDR"]
    if not headers:
        return _flip_structure(data, chance)
    start = chance.choice(headers)
    flags = data[start + 5]
    at = start + 6 + (16 if flags & 0x20 else 0) + (4 if flags & 0x10 else 0)
    width = 1 << (flags & 3)
    body = at + width
    end = body + int.from_bytes(data[at:body], "little")
    if not body < end <= len(data) - 4:
        return None
    for _ in range(chance.choice([1, 1, 2, 4])):
        data[chance.randrange(body, end)] = chance.choice([0, 1, 0x7F, 0xFF, chance.randrange(256)])
    data[end : end + 4] = struct.pack("<I", lookup3(bytes(data[start:end])))
    return None


def lookup3(key: bytes) -> int:
    """Bob Jenkins' hash in HDF5's form (initial value 0): the checksum of its newer metadata."""
    mask = 0xFFFFFFFF

    def rot(value: int, count: int) -> int:
        return ((value << count) | (value >> (32 - count))) & mask

    a = b = c = (0xDEADBEEF + len(key)) & mask
    last = max(0, (len(key) - 1) // 12)
    padded = key.ljust((last + 1) * 12, b"\x00")
    for block in range(last + 1):
        x, y, z = struct.unpack_from("<III", padded, block * 12)
        a, b, c = (a + x) & mask, (b + y) & mask, (c + z) & mask
        if block < last:
            for count in (4, 6, 8, 16, 19, 4):
                a, c = ((a - c) & mask) ^ rot(c, count), (c + b) & mask
                a, b, c = b, c, a
    for count in (14, 11, 25, 16, 4, 14, 24):
        c = ((c ^ b) - rot(b, count)) & mask
        a, b, c = b, c, a
    return b


MUTATIONS: list[Callable[[bytearray, random.Random], None]] = [
    _truncate,
    _truncate_quietly,
    _flip,
    _flip_structure,
    _flip_structure,
    _flip_structure,
    _flip_checked,
    _flip_checked,
    _overwrite,
    _number,
    _number,
    _transplant,
]
