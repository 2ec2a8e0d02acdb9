"""What a provenance.json says to whoever takes the results elsewhere: whose they are, and which files."""

import json
from dataclasses import dataclass
from typing import Self

from batch_ops.task.outputs import Role


@dataclass(frozen=True, slots=True)
class Listed:
    """A file that a provenance.json names: path below its folder, length in bytes and MD5 in hex where it is named.

    A log is no result: it may be missing.
    """

    path: str
    length: int | None = None
    md5: str | None = None
    is_log: bool = False


@dataclass(frozen=True, slots=True)
class Publication:
    """Which run of which image a provenance.json describes, and all files that belong to it, itself excepted."""

    name: str
    run: int
    task_id: str
    task_started: str | None
    files: tuple[Listed, ...]

    @classmethod
    def read(cls, document: bytes) -> Self | None:
        """Read what `provenance` wrote, of any schema; None if somebody has made something else of it."""
        try:
            content = json.loads(document)
            run = content["run"]
            named = [*(one | {"path": one["name"]} for one in content["files"]), *content.get("outputs", ())]
            listed = [
                Listed(str(one["path"]), int(one["length"]), str(one["md5"]), one.get("role") == Role.LOG)
                for one in named
            ]
            files = {file.path: file for file in listed}
            if content["log"]:
                files.setdefault(str(content["log"]), Listed(str(content["log"]), is_log=True))
            image, started = str(content["input"]["name"]), content["times"]["task_started"]
            return cls(image, int(run["number"]), str(run["task_id"]), started, tuple(files.values()))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return None
