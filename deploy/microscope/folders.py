"""The folder of the microscope: what in it is ready, and where it goes. All that must outlast a restart is a file.

A file in the watched folder is not sent; what was sent lies in `sent`, what can't be sent in `failed`, beside a text
that says why. `.uploader` in the watched folder holds the notes.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
from contextlib import suppress
from pathlib import Path

from .transfer import State

NOTES = ".uploader"
# Those of the images that are segmented; `.ome.tif` is one in `.tif`.
SUFFIXES = (".h5", ".hdf5", ".ims", ".tif", ".tiff")
# What programs write beside a file until it is whole.
_UNFINISHED = (".part", ".partial", ".tmp", ".temp", ".crdownload", ".filepart", ".lock")


class Watched:
    """The files below a folder that have one of these endings, and how long each has been as it is."""

    def __init__(self, root: Path, suffixes: tuple[str, ...]) -> None:
        self._root = root
        self._suffixes = suffixes
        self._seen: dict[Path, tuple[State, float]] = {}

    def settled(self, now: float, seconds: float) -> list[tuple[Path, State]]:
        """List the files that have not changed for so long, the oldest first. `now` is of a clock that only goes on."""
        before, self._seen = self._seen, {}
        for path in self._files():
            try:
                state = State.of(path)
            except OSError:
                continue
            known, since = before.get(path, (None, now))
            self._seen[path] = (state, since if known == state else now)
        ready = [(path, state) for path, (state, since) in self._seen.items() if now - since >= seconds]
        return sorted((found for found in ready if _is_closed(found[0])), key=lambda found: found[1].changed)

    @property
    def number(self) -> int:
        """How many files there were at the last look."""
        return len(self._seen)

    def _files(self) -> list[Path]:
        found = []
        for folder, folders, names in os.walk(self._root):
            folders[:] = [name for name in folders if not name.startswith(".")]
            for name in names:
                low = name.lower()
                if low.endswith(self._suffixes) and not low.startswith((".", "~")) and not low.endswith(_UNFINISHED):
                    found.append(Path(folder, name))
        return found


def _is_closed(path: Path) -> bool:
    """Return whether no program has the file open, where the system says so: Windows renames no open file."""
    if os.name == "nt":
        try:
            os.rename(path, path)
        except OSError:
            return False
    return True


class Arrived:
    """Notes of what was sent but could not be moved yet. A disk that is full keeps none: then it is compared again."""

    def __init__(self, root: Path) -> None:
        self._folder = root / NOTES
        self._kept: dict[str, object] = {}

    def has(self, name: str, seen: State) -> bool:
        """Return whether this very file is noted."""
        if name not in self._kept:
            try:
                self._kept[name] = json.loads(self._path(name).read_text(encoding="utf-8"))
            except (OSError, ValueError):
                return False
        return self._kept[name] == [name, seen.length, seen.changed]

    def add(self, name: str, seen: State) -> None:
        """Note the file."""
        self._kept[name] = [name, seen.length, seen.changed]
        path = self._path(name)
        with suppress(OSError):
            self._folder.mkdir(exist_ok=True)
            part = path.with_suffix(".part")
            part.write_text(json.dumps(self._kept[name]), encoding="utf-8")
            os.replace(part, path)

    def forget(self, name: str) -> None:
        """Drop the note."""
        self._kept.pop(name, None)
        with suppress(OSError):
            self._path(name).unlink()

    def _path(self, name: str) -> Path:
        return self._folder / f"{hashlib.sha256(name.encode(errors='surrogatepass')).hexdigest()[:40]}.json"


def move(path: Path, root: Path, target: Path) -> Path:
    """Move a file out of the watched folder, below `target`; never over another. Raises `OSError`."""
    place = target / path.relative_to(root)
    place.parent.mkdir(parents=True, exist_ok=True)
    number = 1
    while True:
        try:
            # Takes the name, or fails where it is taken; then the file takes its place.
            place.open("xb").close()
        except FileExistsError:
            number += 1
            place = place.with_name(f"{path.stem} ({number}){path.suffix}")
            continue
        try:
            os.replace(path, place)
        except OSError as exc:
            with suppress(OSError):
                place.unlink()
            if exc.errno == errno.EXDEV:
                raise OSError(exc.errno, f"{target} lies on another disk than {root}") from exc
            raise
        return place
