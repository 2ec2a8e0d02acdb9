"""Names of blobs as paths that every file system can hold, those of Windows included. Pure.

A blob may be named `a:b`, `con`, `..`, `x.` or in 1,000 characters of one folder. What a file system can't hold, or
would take for something else, is written as `%XX` (its UTF-8 bytes in hex, as in a URL); different names stay
different.
"""

import hashlib
import re

_UNFIT = re.compile(r'[\x00-\x1f\x7f-\x9f<>:"|?*\\%\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]')
# Windows drops dots and spaces at the end of a name, and gives these names to devices, whatever follows a dot.
_DEVICE = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³])(?=\.|$)", re.IGNORECASE)
_LONGEST_BYTES = 200  # of the 255 that most file systems allow, for what programs put behind a name
_KEPT_BYTES = 140


def local_path(name: str) -> tuple[str, ...]:
    """Return the folders and the name of the file in which a blob of this name is kept."""
    return tuple(_segment(segment) for segment in name.split("/"))


def _segment(text: str) -> str:
    if not text:
        return "%"
    fit = _UNFIT.sub(_escaped, text)
    if fit[-1] in ". ":
        fit = fit[:-1] + _bytes(fit[-1])
    if _DEVICE.match(fit):
        fit = _bytes(fit[0]) + fit[1:]
    data = fit.encode()
    if len(data) <= _LONGEST_BYTES:
        return fit
    digest = hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:32]
    return f"{data[:_KEPT_BYTES].decode(errors='ignore')}%~{digest}"


def _escaped(found: re.Match[str]) -> str:
    return _bytes(found[0])


def _bytes(character: str) -> str:
    return "".join(f"%{byte:02X}" for byte in character.encode(errors="surrogatepass"))
