"""Reads the journal that `journal.cjs` writes, from where the last reader had done with it."""

import contextlib
import json
import logging
import os
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

_log = logging.getLogger("Events.Journal")
_CURSOR = "cursor.json"
_MOST_AT_ONCE = 1 << 20  # bytes read in one go


@dataclass(frozen=True, order=True, slots=True)
class Position:
    """After a record: the file's name and the bytes read of it. Positions sort by age."""

    file: str
    offset: int


@dataclass(frozen=True, slots=True)
class Commit:
    """A request that committed a blob. `etag` as answered, in quotes; `content_length` is the request's."""

    sequence: int
    time: str
    api: str
    container: str
    blob: str
    etag: str
    blob_type: str
    content_length: int
    content_type: str
    client_request_id: str
    request_id: str


class Journal:
    """The journal in `folder`; `read` what is new, then `done` with it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._read_to = self._stored_position()

    def read(self) -> list[tuple[Position, Commit | None]]:
        """Yield commits since the last call, oldest first; None for a line that names no blob or has no meaning."""
        found: list[tuple[Position, Commit | None]] = []
        files = [name for name in self._files() if name >= self._read_to.file]
        for index, name in enumerate(files):
            offset = self._read_to.offset if name == self._read_to.file else 0
            with (self._folder / name).open("rb") as file:
                file.seek(offset)
                block = file.read(_MOST_AT_ONCE)
            complete = block[: block.rfind(b"\n") + 1]
            for line in complete.splitlines(keepends=True):
                offset += len(line)
                self._read_to = Position(name, offset)
                found.append((self._read_to, _commit(line)))
            if len(block) == _MOST_AT_ONCE:
                break
            if index + 1 < len(files):
                # A newer file exists, so nothing more comes to this one; half a line is a writer that was killed.
                self._read_to = Position(files[index + 1], 0)
        return found

    def done(self, position: Position) -> None:
        """Remember that all up to there is dealt with, and delete the files that lie behind."""
        partial = self._folder / f"{_CURSOR}.partial"
        partial.write_text(json.dumps({"file": position.file, "offset": position.offset}))
        partial.replace(self._folder / _CURSOR)
        for name in self._files():
            if name < position.file:
                (self._folder / name).unlink(missing_ok=True)

    def _files(self) -> list[str]:
        with contextlib.suppress(FileNotFoundError), os.scandir(self._folder) as entries:
            return sorted(entry.name for entry in entries if entry.name.endswith(".jsonl"))
        return []

    def _stored_position(self) -> Position:
        try:
            stored = json.loads((self._folder / _CURSOR).read_text())
            return Position(str(stored["file"]), int(stored["offset"]))
        except FileNotFoundError:
            return Position("", 0)
        except (ValueError, KeyError, TypeError):
            _log.warning("%s has no meaning; the whole journal is read again.", self._folder / _CURSOR)
            return Position("", 0)


def _commit(line: bytes) -> Commit | None:
    try:
        fields = json.loads(line)
        _, _account, container, blob = str(fields.pop("path")).split("/", 3)
        return Commit(container=unquote(container), blob=unquote(blob), **fields)
    except (ValueError, KeyError, TypeError) as exc:
        # A blob in the root container has no container in its path; Azure sends its events, this does not.
        _log.warning("A line of the journal is left out (%s): %.300s", exc, line.decode(errors="replace"))
        return None
