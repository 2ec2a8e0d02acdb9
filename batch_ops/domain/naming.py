"""Every name that is derived from the name of a blob: keys, task ids, nicknames, folders. Pure.

Blob names are up to 1,024 characters of any Unicode, may differ only by case, and may
hold quotes, newlines or `..`. Batch ids are 64 characters of `[A-Za-z0-9_-]` without regard to case, table
keys 512 UTF-16 units without `/ \\ # ?` and control characters.
"""

import base64
import hashlib
import re
import unicodedata
from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache

from batch_ops.domain.file_kinds import Kind, image_suffix, kind_of

DEFAULT_PROJECT = "default"
PROJECT_SUFFIX = ".ilp"
COMPANION_SUFFIX = ".xml"
CONFIG_SUFFIX = ".json"
# Between the name of a project and that of its rerun.
RERUN_MARK = "@"

_KEY_PREFIX_CHARS = 240
_SLUG_CHARS = 22
_NICKNAME_CHARS = 60
_LONGEST_FOLDER = 900  # leaves room for the names of results within the 1,024 characters of a blob name
_LONGEST_NAME = 1024
_NO_CHARACTER = re.compile(r"[\ud800-\udfff]")
_NOT_IN_XML = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_JOB = re.compile(r"(?P<first>.*-[0-9]{4}-[0-9]{2})(?:-(?P<generation>[0-9]+))?")
_TASK_ID = re.compile(
    r"[a-z0-9]+(?:-[a-z0-9]+)*-(?P<file>[a-z2-7]{26})-(?P<run>[0-9]+)-(?P<attempt>[0-9]+)(?:-p[0-9]+)?"
)


def is_image(name: str) -> bool:
    """Return whether a blob of this name in `input` is an image."""
    return kind_of(name) is Kind.IMAGE


def stem_of(name: str) -> str:
    """Return the name of an image without its suffix."""
    return name[: len(name) - len(image_suffix(name))]


def is_possible(name: str) -> bool:
    """Return whether a blob can have this name at all: nobody could ever find anything under another one."""
    return len(name) <= _LONGEST_NAME and not _NO_CHARACTER.search(name)


def fault_of(name: str) -> str:
    """Return why a blob of this name can't be handled, as a sentence; "" if it can.

    URLs resolve the folders `.` and `..`, and lists of blobs are XML, which can't hold most control characters.
    """
    if {".", ".."} & set(name.split("/")):
        return "A folder in its name is '.' or '..', which no program can address; upload it under another name."
    if _NOT_IN_XML.search(name):
        return "Its name holds a control character and can't be listed; upload it under another name."
    return ""


def project_of(name: str) -> str:
    """Return the project of an image: its first folder, or `default` at the root."""
    first, slash, _ = name.partition("/")
    return first if slash and first else DEFAULT_PROJECT


def folder_of(name: str) -> str:
    """Return the folder of an image, without a slash at its end; "" at the root."""
    return name.rpartition("/")[0]


def classifier_of(name: str) -> str:
    """Return the name under which the classifier of an image is looked up: slashes before it are no folder.

    Keys go by `project_of`, as they always did.
    """
    return project_of(name.lstrip("/"))


def classifier_blobs(project: str, others: Sequence[str] = ()) -> tuple[str, ...]:
    """Return the blobs that may hold a project, the likeliest first: one of ilastik before one of another tool.

    A letter with an accent may be one character or two (macOS writes two), and Windows does not mind `.ILP`.
    `others`: the suffixes of other tools' projects.
    """
    suffixes = (PROJECT_SUFFIX, PROJECT_SUFFIX.upper(), *others)
    return tuple(spelling + suffix for suffix in suffixes for spelling in spellings(project))


def config_blobs(classifier: str) -> tuple[str, ...]:
    """Return the blobs that may hold the configuration beside the blob of a project, the likeliest first."""
    stem, _, suffix = classifier.rpartition(".")
    suffixes = (CONFIG_SUFFIX, CONFIG_SUFFIX.upper()) if suffix.isupper() else (CONFIG_SUFFIX,)
    return tuple(spelling + suffix for suffix in suffixes for spelling in spellings(stem))


def spellings(project: str) -> tuple[str, ...]:
    """Return the ways to compose the letters of a project's name, as given first; images find it by any of them."""
    return tuple(dict.fromkeys((project, *(unicodedata.normalize(form, project) for form in ("NFC", "NFD")))))


def composed(project: str) -> str:
    """Return the one way to compose the letters of a project's name under which something is kept for all of them."""
    return unicodedata.normalize("NFC", project)


def projects_of(name: str) -> tuple[str, ...]:
    """Return the projects (composed) that a file of this name may wait for: its own, and of `P@NAME` also `P`.

    Only its row knows whether it belongs to a rerun.
    """
    project = composed(classifier_of(name))
    first, mark, _ = project.rpartition(RERUN_MARK)
    return (project, first) if mark and first else (project,)


@lru_cache(maxsize=16_384)
def file_hash(name: str) -> str:
    """Return 26 characters `[a-z2-7]` (128 bits) that identify this name, including its case."""
    digest = hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=16).digest()
    return base64.b32encode(digest).decode().rstrip("=").lower()


@lru_cache(maxsize=16_384)
def key_safe(text: str) -> str:
    """Encode text for a table key; keys sort like the text's UTF-8 bytes, and no two texts share one.

    `-`, `_`, digits and ASCII letters stand for themselves. Any other byte becomes a mark and two hex digits;
    the mark sorts where the byte does between the characters that are kept.
    """
    return "".join(_key_byte(byte) for byte in text.encode("utf-8", "surrogatepass"))


def _key_byte(byte: int) -> str:
    char = chr(byte)
    if byte < 0x80 and (char.isalnum() or char in "-_"):
        return char
    for bound, mark in ((0x2D, "!"), (0x30, "."), (0x41, ":"), (0x5F, "["), (0x61, "`")):
        if byte < bound:
            return f"{mark}{byte:02x}"
    return f"~{byte:02x}"


def partition_key(project: str) -> str:
    """Return the partition of a project's files."""
    safe = key_safe(project)
    return safe if len(safe) <= _KEY_PREFIX_CHARS else f"{safe[:_KEY_PREFIX_CHARS]}!!{file_hash(project)}"


def file_key(name: str) -> str:
    """Return the row key of a file's current state: ordered by the start of the name, then by hash."""
    return f"f!{key_safe(name)[:_KEY_PREFIX_CHARS]}!!{file_hash(name)}"


def run_row_key(name: str, run: int) -> str:
    """Return the row key of one run of a file, in the file's partition."""
    return f"r!{key_safe(name)[:_KEY_PREFIX_CHARS]}!!{file_hash(name)}!{run:08d}"


@lru_cache(maxsize=16_384)
def nickname(name: str) -> str:
    """Return the image's local name on a node without suffix, which ilastik uses in the names of its TIFFs.

    ASCII letters, digits, `.`, `_`, `-` only, at most 60 characters, never empty, never starting with `-` or `.`.
    """
    stem = stem_of(name.rpartition("/")[2])
    ascii_stem = unicodedata.normalize("NFKD", stem).encode("ascii", "ignore").decode()
    safe = re.sub(r"[^A-Za-z0-9._-]+", "_", ascii_stem).strip("._-")[:_NICKNAME_CHARS]
    return safe or "image"


def companion_of(name: str) -> str:
    """Return the name of the blob beside an image that may say more of it."""
    return f"{stem_of(name)}{COMPANION_SUFFIX}"


def task_id(name: str, run: int, attempt: int) -> str:
    """Return the id of an attempt's Batch task: readable start, hash of the name, run, attempt; up to 64 characters."""
    slug = re.sub(r"[^a-z0-9]+", "-", nickname(name).lower())[:_SLUG_CHARS].strip("-") or "image"
    return f"{slug}-{file_hash(name)}-{run}-{attempt}"


def file_prefix(name: str) -> str:
    """Return what the ids of all tasks of a file start with (also their folders in `staging`)."""
    return task_id(name, 0, 0).removesuffix("0-0")


@lru_cache(maxsize=16_384)
def file_of_task(task: str) -> str | None:
    """Return the `file_hash` in a task id of ours; None for anybody else's task."""
    match = _TASK_ID.fullmatch(task)
    return match["file"] if match else None


@lru_cache(maxsize=16_384)
def run_of_task(task: str) -> int | None:
    """Return the run in a task id of ours."""
    match = _TASK_ID.fullmatch(task)
    return int(match["run"]) if match else None


def job_id(prefix: str, pool: str, now: datetime, generation: int = 0) -> str:
    """Return the id of a job: one per month and pool; a generation above 0 follows a job that was closed early."""
    base = re.sub(r"[^A-Za-z0-9_-]+", "-", f"{prefix}-{pool}")[:48]
    return f"{base}-{now:%Y-%m}" + (f"-{generation}" if generation else "")


def generation_of(job_id: str) -> tuple[str, int]:
    """Return the id of a month's first job, and which generation after it this job is."""
    match = _JOB.fullmatch(job_id)
    return (match["first"], int(match["generation"] or 0)) if match else (job_id, 0)


def results_folder(name: str) -> str:
    """Return the folder of results: the name of the input blob, ending in `/`.

    Names beyond 900 characters are cut and marked with their hash, as a result's own name must still fit.
    """
    if len(name) <= _LONGEST_FOLDER:
        return f"{name}/"
    return f"{name[:_LONGEST_FOLDER]}~{file_hash(name)}{image_suffix(name)}/"


def frozen_blob(digest: str, suffix: str = PROJECT_SUFFIX) -> str:
    """Return the name of the copy of a classifier that runs use: the SHA-256 of its content."""
    return f"{digest}{suffix}"
