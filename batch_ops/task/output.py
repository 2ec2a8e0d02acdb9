"""One file of a good execution, as its manifest describes it.

Pure and stdlib only, for Python 3.9 and newer: this module travels to the node (see contract.py).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from batch_ops.task import strict_json
from batch_ops.task.outputs import TIFF, Role, path_fault
from batch_ops.task.strict_json import check_number, check_text, plain_line, refuse

_MAX_BLOB_BYTES = 2**48
_MD5 = re.compile(r"[0-9a-f]{32}")
_MEDIA_TYPE = re.compile(r"[a-z]+/[a-z0-9.+-]+(; charset=utf-8)?")
_AXES = re.compile(r"(t?z?c?yx)?")
_TIFF_NAME = re.compile(r"[A-Za-z0-9._-]+\.tiff")
_ROLES = frozenset(str(role) for role in Role)


@dataclass(frozen=True)
class Output:
    """One file: path below the folder of the results, length in bytes, MD5 in hex.

    `pages` and `axes` (see outputs.PlannedOutput) are those of a multi-page image, else 0 and "". In schema 1 nothing
    says the role (None) and the axes ("").
    """

    path: str
    role: Role | None
    media_type: str
    length: int
    md5: str
    pages: int = 0
    axes: str = ""

    def __post_init__(self) -> None:
        if not isinstance(self.path, str):
            refuse("a path is not text")
        if fault := path_fault(self.path):
            refuse(f"{plain_line(self.path, 100)!r} {fault}")
        if not (self.role is None or isinstance(self.role, Role)):
            refuse(f"{self.path} has no role")
        check_text(self.media_type, f"the media type of {self.path}", 100, _MEDIA_TYPE)
        check_number(self.length, f"the length of {self.path}", 1 if self.is_tiff else 0, _MAX_BLOB_BYTES)
        check_text(self.md5, f"the MD5 of {self.path}", 32, _MD5)
        check_number(self.pages, f"the pages of {self.path}", 1 if self.is_tiff else 0, 2**32)
        check_text(self.axes, f"the axes of {self.path}", 5, _AXES)
        if self.role and bool(self.axes) != bool(self.pages):
            refuse(f"{self.path} has pages without axes, or axes without pages")

    @property
    def is_tiff(self) -> bool:
        return self.media_type == TIFF

    @classmethod
    def read(cls, value: object) -> Output:
        """Read one of a manifest's outputs."""
        data = strict_json.fields(cls, value, "an output")
        role = data["role"]
        if not (isinstance(role, str) and role in _ROLES):
            refuse("an output has a role that is not known")
        return cls(**{**data, "role": Role(role)})

    @classmethod
    def of_schema_1(cls, value: object) -> Output:
        """Read one of the files of a manifest of schema 1."""
        data = strict_json.table(value, "a file")
        if set(data) != {"name", "length", "md5", "pages"}:
            refuse("a file is not described as a TIFF is")
        check_text(data["name"], "a file's name", 128, _TIFF_NAME)
        return cls(data["name"], None, TIFF, data["length"], data["md5"], data["pages"])

    def as_schema_1(self) -> dict[str, Any]:
        """Write one of the files of a manifest of schema 1."""
        return {"name": self.path, "length": self.length, "md5": self.md5, "pages": self.pages}
