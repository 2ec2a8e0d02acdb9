"""Send, move, wait: what becomes of each file of the watched folder."""

from __future__ import annotations

import logging
import unicodedata
from contextlib import suppress
from pathlib import Path

from .folders import Arrived, Watched, move
from .transfer import Later, Refused, State, Transfer

_FIRST_WAIT, _LONGEST_WAIT = 10.0, 600.0
log = logging.getLogger("upload")


class Uploader:
    """Watches, sends, moves. `transfer` sends one file."""

    def __init__(self, root: Path, prefix: str, sent: Path, failed: Path, transfer: Transfer, watched: Watched) -> None:
        self._root, self._prefix, self._sent, self._failed = root, prefix, sent, failed
        self._transfer, self._watched = transfer, watched
        self._arrived = Arrived(root)
        self._waits: dict[str, tuple[float, float]] = {}
        self.failures = 0

    def look(self, now: float, settle: float) -> tuple[int, int]:
        """Send what is ready. Return how many of the others may still change, and how many are to be tried again."""
        ready = self._watched.settled(now, settle)
        waiting = 0
        for path, seen in ready:
            name = self._name(path)
            is_due = now >= self._waits.get(name, (0.0, 0.0))[0]
            waiting += not (is_due and self._one(path, name, seen, now))
        return self._watched.number - len(ready), waiting

    def _name(self, path: Path) -> str:
        # A letter with an accent may be one character or two (macOS writes two); one name for one image.
        return unicodedata.normalize("NFC", self._prefix + path.relative_to(self._root).as_posix())

    def _one(self, path: Path, name: str, seen: State, now: float) -> bool:
        try:
            if not self._arrived.has(name, seen):
                self._transfer.send(path, name, seen)
                log.info("%s was sent: %s bytes", _shown(name), f"{seen.length:,}")
                self._arrived.add(name, seen)
            return self._moved(path, name, self._sent, now)
        except Later as exc:
            self._wait(name, now, str(exc))
        except Refused as exc:
            return self._fail(path, name, str(exc), now)
        except Exception:
            # One file must not hold up the others.
            log.exception("Unexpected")
            self._wait(name, now, "it could not be sent for a reason that nobody expected (see the log)")
        return False

    def _fail(self, path: Path, name: str, reason: str, now: float) -> bool:
        self.failures += 1
        log.error("%s can't be sent: %s", _shown(name), reason)
        return self._moved(path, name, self._failed, now, f"{path.name} was not sent: {reason}.\n")

    def _moved(self, path: Path, name: str, target: Path, now: float, text: str = "") -> bool:
        try:
            place = move(path, self._root, target)
        except OSError as exc:
            self._wait(name, now, f"it can't be moved to {target} ({exc.strerror or exc})")
            return False
        if text:
            with suppress(OSError):
                place.with_name(f"{place.name}.WHY.txt").write_text(text, encoding="utf-8", errors="replace")
        self._arrived.forget(name)
        self._waits.pop(name, None)
        return True

    def _wait(self, name: str, now: float, reason: str) -> None:
        _, before = self._waits.get(name, (0.0, _FIRST_WAIT / 2))
        seconds = min(before * 2, _LONGEST_WAIT)
        self._waits[name] = (now + seconds, seconds)
        log.warning("%s: %s; again in %.0f seconds", _shown(name), reason, seconds)


def _shown(name: str) -> str:
    """A name for the log, in one line."""
    return name if name.isprintable() else ascii(name)
