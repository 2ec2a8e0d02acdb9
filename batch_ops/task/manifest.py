"""What a task leaves behind: `manifest.json` of a good execution, `outcome.json` of any.

Pure and stdlib only, for Python 3.9 and newer (see contract.py). Both files come back from a machine that
ran other people's data, so `parse` trusts nothing: size, depth, types, ranges, names and counts are
checked, unknown and doubled keys are refused. A value that exists is a value that passed.

    ManifestError(ValueError)    the file is not one of ours; says what is wrong with it
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

SCHEMA = 1
MAX_BYTES = 16 * 2**20
MAX_FILES = 100_000
MAX_LAST_LINES = 40
MAX_LINE_CHARS = 500
MAX_SENTENCE_CHARS = 2000
MAX_SECONDS = 366 * 24 * 3600

_MAX_TIFF_BYTES = 2**32
_MAX_BLOB_BYTES = 2**48
_EXECUTION = re.compile(r"[0-9]{8}T[0-9]{6}Z-[0-9a-f]{8}")
_TIFF_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,120}\.tiff")
_MD5 = re.compile(r"[0-9a-f]{32}")
_FORBIDDEN = re.compile("[\0\ud800-\udfff]")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_UTC = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_KIND = re.compile(r"[A-Z_]{1,32}")
_STEP = re.compile(r"[a-z_]{1,32}")


class ManifestError(ValueError):
    """The file is not a manifest or outcome that the task script could have written."""


@dataclass(frozen=True)
class ManifestFile:
    """One TIFF: name within the execution's folder, length in bytes, MD5 in hex, pages."""

    name: str
    length: int
    md5: str
    pages: int

    def __post_init__(self) -> None:
        _text(self.name, "a file's name", 128, _TIFF_NAME)
        _number(self.length, f"the length of {self.name}", 1, _MAX_TIFF_BYTES)
        _text(self.md5, f"the MD5 of {self.name}", 32, _MD5)
        _number(self.pages, f"the pages of {self.name}", 1, 2**32)


@dataclass(frozen=True)
class ManifestImage:
    """The image as it came to the node: blob name, the ETag that was checked, length in bytes, MD5 in hex."""

    blob: str
    etag: str
    length: int
    md5: str

    def __post_init__(self) -> None:
        _text(self.blob, "the image's blob name", 1024)
        _text(self.etag, "the image's ETag", 256)
        _number(self.length, "the image's length", 1, _MAX_BLOB_BYTES)
        _text(self.md5, "the image's MD5", 32, _MD5)


@dataclass(frozen=True)
class Manifest:
    """One complete execution. `started` and `finished` are UTC, `seconds` the time of each step."""

    execution: str
    task_id: str
    run: int
    attempt: int
    correlation_id: str
    node: str
    started: str
    finished: str
    seconds: Mapping[str, float]
    ilastik_version: str
    command: tuple[str, ...]
    project_sha256: str
    image: ManifestImage
    files: tuple[ManifestFile, ...]
    schema: int = SCHEMA

    def __post_init__(self) -> None:
        _number(self.schema, "the schema", SCHEMA, SCHEMA)
        _common(self)
        _number(self.run, "the run", 0, 2**31)
        _number(self.attempt, "the attempt", 0, 2**31)
        _text(self.ilastik_version, "the ilastik version", 100)
        _text(self.project_sha256, "the project's SHA-256", 64, _SHA256)
        _lines(self.command, "the command", 64, 4096)
        if not isinstance(self.image, ManifestImage):
            _refuse("the image is not described")
        if not isinstance(self.files, tuple) or not 1 <= len(self.files) <= MAX_FILES:
            _refuse(f"there must be 1 to {MAX_FILES} files")
        if not all(isinstance(file, ManifestFile) for file in self.files):
            _refuse("a file is not described")
        # Windows and macOS users download these side by side.
        if len({file.name.lower() for file in self.files}) != len(self.files):
            _refuse("two files have the same name")

    @property
    def total_bytes(self) -> int:
        return sum(file.length for file in self.files)

    def lacks(self, present: Mapping[str, int]) -> tuple[str, ...]:
        """Name the files that are absent, or of another length, among `present` (name -> bytes)."""
        return tuple(file.name for file in self.files if present.get(file.name) != file.length)

    def to_json(self) -> bytes:
        return _to_json(self)

    @classmethod
    def parse(cls, content: bytes) -> Manifest:
        """Read what `to_json` wrote; raises ManifestError for anything else."""
        data = _object(_load(content), "the manifest")
        files = data.get("files")
        if not isinstance(files, list) or len(files) > MAX_FILES:
            _refuse(f"there must be 1 to {MAX_FILES} files")
        data["files"] = tuple(ManifestFile(**_fields(ManifestFile, file, "a file")) for file in files)
        data["image"] = ManifestImage(**_fields(ManifestImage, data.get("image"), "the image"))
        data["command"] = _tuple(data.get("command"))
        return cls(**_fields(cls, data, "the manifest"))


@dataclass(frozen=True)
class Report:
    """How an execution ended (`outcome.json`), for the ledger and for PROBLEM.txt.

    `kind` is `SUCCEEDED` or a `FailureKind`, `exit_code` what Batch sees, `last_lines` the end of ilastik's
    log. `ilastik_exit_code` is None where ilastik was never started; the ids are "" where they were unknown.
    """

    kind: str
    exit_code: int
    sentence: str
    execution: str
    started: str
    finished: str
    seconds: Mapping[str, float]
    last_lines: tuple[str, ...]
    ilastik_exit_code: int | None = None
    task_id: str = ""
    correlation_id: str = ""
    node: str = ""
    schema: int = SCHEMA

    def __post_init__(self) -> None:
        _number(self.schema, "the schema", SCHEMA, SCHEMA)
        _common(self)
        _text(self.kind, "the kind", 32, _KIND)
        _number(self.exit_code, "the exit code", 0, 255)
        _text(self.sentence, "the sentence", MAX_SENTENCE_CHARS)
        _lines(self.last_lines, "the last lines", MAX_LAST_LINES, MAX_LINE_CHARS)
        if self.ilastik_exit_code is not None:
            _number(self.ilastik_exit_code, "ilastik's exit code", -64, 255)

    def to_json(self) -> bytes:
        return _to_json(self)

    @classmethod
    def parse(cls, content: bytes) -> Report:
        """Read what `to_json` wrote; raises ManifestError for anything else."""
        data = _object(_load(content), "the outcome")
        data["last_lines"] = _tuple(data.get("last_lines"))
        return cls(**_fields(cls, data, "the outcome"))


def plain_line(text: str, limit: int = MAX_LINE_CHARS) -> str:
    """Turn text from a log into one line for a report: printable, and of limited length."""
    clean = "".join(c if c.isprintable() else " " for c in text.rstrip())
    return clean if len(clean) <= limit else f"{clean[: limit - 1]}…"


def _common(value: Manifest | Report) -> None:
    _text(value.execution, "the execution", 25, _EXECUTION)
    unnamed = isinstance(value, Report) and value.task_id == ""
    if not unnamed:
        _text(value.task_id, "the task id", 64, _ID)
    _text(value.correlation_id, "the correlation id", 200)
    _text(value.node, "the node", 200)
    _text(value.started, "the start", 20, _UTC)
    _text(value.finished, "the end", 20, _UTC)
    if not isinstance(value.seconds, Mapping) or len(value.seconds) > 16:
        _refuse("the timings are not a short table")
    for step, seconds in value.seconds.items():
        _text(step, "a step", 32, _STEP)
        if isinstance(seconds, bool) or not isinstance(seconds, (int, float)):
            _refuse(f"the seconds of {step} are not a number")
        if not 0 <= seconds <= MAX_SECONDS:
            _refuse(f"the seconds of {step} are out of range")


def _text(value: object, what: str, limit: int, pattern: re.Pattern[str] | None = None) -> None:
    if not isinstance(value, str):
        _refuse(f"{what} is not text")
    if len(value) > limit:
        _refuse(f"{what} is longer than {limit} characters")
    if pattern and not pattern.fullmatch(value):
        _refuse(f"{what} is not in the required form")
    if _FORBIDDEN.search(value):
        _refuse(f"{what} holds characters that no text may hold")


def _number(value: object, what: str, least: int, most: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        _refuse(f"{what} is not a whole number")
    if not least <= value <= most:
        _refuse(f"{what} is out of range")


def _lines(value: object, what: str, most: int, limit: int) -> None:
    if not isinstance(value, tuple) or len(value) > most:
        _refuse(f"{what}: not a list of at most {most}")
    for line in value:
        _text(line, what, limit)


def _to_json(value: Manifest | Report) -> bytes:
    return (json.dumps(dataclasses.asdict(value), indent=1, allow_nan=False) + "\n").encode()


def _load(content: bytes) -> object:
    if len(content) > MAX_BYTES:
        _refuse(f"it is longer than {MAX_BYTES} bytes")
    try:
        return json.loads(content.decode("utf-8"), object_pairs_hook=_without_doubles, parse_constant=_no_constant)
    except ManifestError:
        raise
    except (ValueError, RecursionError) as exc:
        raise ManifestError(f"This is not a manifest: it is not JSON ({type(exc).__name__}).") from exc


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    data = dict(pairs)
    if len(data) != len(pairs):
        _refuse("a key stands twice")
    return data


def _no_constant(name: str) -> NoReturn:
    _refuse(f"{name} is not a number")


def _object(value: object, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        _refuse(f"{what} is not a table")
    return value


def _tuple(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value


def _fields(kind: type, value: object, what: str) -> dict[str, Any]:
    data = _object(value, what)
    names = {field.name for field in dataclasses.fields(kind)}
    if set(data) != names:
        odd = ", ".join(sorted(plain_line(name, 40) for name in set(data) ^ names)[:5])
        _refuse(f"{what} lacks or has beyond its fields: {odd}")
    return data


def _refuse(reason: str) -> NoReturn:
    raise ManifestError(f"This is not a manifest of a task: {reason}.")
