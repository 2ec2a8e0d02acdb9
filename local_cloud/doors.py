"""Who may come in at a server of this machine: callers of this machine, and no web page of another.

A page in a browser here can send requests to 127.0.0.1 as well. Its `Origin` gives it away, or - where it made its own
host name point here, so that nothing is cross-origin any more - the `Host` that the browser was sent to.
"""

import os
import re
import secrets
import tempfile
from base64 import b64encode
from contextlib import suppress
from pathlib import Path

_LOOPBACK = r"(?:127\.0\.0\.1|localhost|\[::1\])(?::\d{1,5})?"
_HOST = re.compile(_LOOPBACK, re.IGNORECASE)
_ORIGIN = re.compile(rf"https?://{_LOOPBACK}", re.IGNORECASE)


def why_closed(host: str | None, origin: str | None) -> str:
    """Say why a request with these headers is refused; empty if it may pass. An absent header is None."""
    if host is None or not _HOST.fullmatch(host):
        return "This server answers to 127.0.0.1 and localhost only."
    if origin is not None and not _ORIGIN.fullmatch(origin):
        return "This server is not for web pages of other hosts."
    return ""


def new_key() -> str:
    """Make a key of 256 random bits, in base64 as accounts have it."""
    return b64encode(secrets.token_bytes(32)).decode()


def kept_key(path: Path) -> str:
    """Read the key in this file, or make one there that only its owner can read.

    The file appears whole or not at all. Raises OSError, also where another user could have put a key there, and
    where there is none in it: an empty one would open every door.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if path.parent.stat().st_uid != os.geteuid():
        raise PermissionError(f"The folder {path.parent} belongs to another user; name one of your own.")
    with tempfile.NamedTemporaryFile("w", dir=path.parent) as file:  # readable by its owner alone
        file.write(new_key())
        file.flush()
        with suppress(FileExistsError):
            path.hardlink_to(file.name)
    if not (key := path.read_text().strip()):
        raise OSError(f"There is no key in {path}; remove the file, and another is made.")
    return key
