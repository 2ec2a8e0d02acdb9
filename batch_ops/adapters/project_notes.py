"""What was found out about projects, in Azure Table storage (port `ProjectNotes`).

In the table of the worklist. Partition `projects` holds one row per project with the facts of its newest version,
`rejected` a row for each image that another version of its project may accept, `answers` one for each kind of image
whose axes were confirmed, `contrasts` one for each folder whose pictures have one,
`strays` one for each folder and suffix of files that can't be segmented.
"""

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from typing import Any

from attrs import define
from azure.data.tables import TableEntity, UpdateMode
from azure.data.tables.aio import TableClient

from batch_ops.adapters.sdk_errors import calls
from batch_ops.adapters.table_rows import MISSING_CODES
from batch_ops.domain import naming
from batch_ops.domain.worklist import FolderContrast
from batch_ops.task.pictures import Contrast, PicturesError
from batch_ops.task.plain_text import plain

_SERVICE = "Table storage"
_PROJECTS = "projects"
_REJECTED = "rejected"
_ANSWERS = "answers"
_CONTRASTS = "contrasts"
_STRAYS = "strays"
_TAKEN_CODES = ("EntityAlreadyExists",)
_CHUNK_CHARS = 30_000


@define(eq=False)
class TableProjectNotes:
    """Beside the worklist in its table."""

    _table: TableClient

    async def project(self, name: str, etag: str) -> Mapping[str, str] | None:
        with calls(_SERVICE, f"read what is known of the project {name}", ignored=MISSING_CODES):
            row = await self._table.get_entity(_PROJECTS, naming.partition_key(name))
            if row["project_etag"] == etag:
                text = "".join(str(row[f"values_{index}"]) for index in range(row["chunks"]))
                return {str(key): str(value) for key, value in json.loads(text).items()}
        return None

    async def save_project(self, name: str, etag: str, values: Mapping[str, str]) -> None:
        text = json.dumps(dict(values))
        # A property holds 32 Ki characters, a project's facts may be longer.
        chunks = [text[start : start + _CHUNK_CHARS] for start in range(0, len(text), _CHUNK_CHARS)]
        row: dict[str, Any] = {
            "PartitionKey": _PROJECTS,
            "RowKey": naming.partition_key(name),
            "project": name,
            "project_etag": etag,
            "chunks": len(chunks),
            **{f"values_{index}": chunk for index, chunk in enumerate(chunks)},
        }
        with calls(_SERVICE, f"keep what is known of the project {name}"):
            await self._table.upsert_entity(row, UpdateMode.REPLACE)

    async def note_rejected(self, project: str, name: str) -> None:
        row = {"PartitionKey": _REJECTED, "RowKey": _key_in_project(project, name), "name": name}
        with calls(_SERVICE, f"note {plain(name)} as rejected"):
            await self._table.upsert_entity(row, UpdateMode.REPLACE)

    async def rejected(self, project: str) -> Sequence[str]:
        with calls(_SERVICE, f"read what {plain(project)} rejected"):
            return [str(row["name"]) async for row in self._of_project(_REJECTED, project)]

    async def forget_rejected(self, project: str, name: str) -> None:
        with calls(_SERVICE, f"forget that {plain(name)} was rejected", ignored=MISSING_CODES):
            await self._table.delete_entity(_REJECTED, _key_in_project(project, name))

    async def answers(self, project: str) -> Mapping[str, str]:
        with calls(_SERVICE, f"read which axes images of {plain(project)} have"):
            return {str(row["kind"]): str(row["axes"]) async for row in self._of_project(_ANSWERS, project)}

    async def answer(self, project: str, kind: str, axes: str) -> None:
        row = {"PartitionKey": _ANSWERS, "RowKey": _key_in_project(project, kind), "kind": kind, "axes": axes}
        with calls(_SERVICE, f"note which axes images of {plain(project)} have"):
            await self._table.upsert_entity(row, UpdateMode.REPLACE)

    async def contrast(self, folder: str) -> FolderContrast | None:
        with calls(_SERVICE, f"read the contrast of {plain(folder)}", ignored=MISSING_CODES):
            row = await self._table.get_entity(_CONTRASTS, _folder_key(folder))
            with suppress(PicturesError, ValueError, RecursionError):
                contrast = Contrast.read(json.loads(row["contrast"]))
                return FolderContrast(str(row["folder"]), contrast, str(row["chosen_by"]))
        return None

    async def keep_contrast(self, kept: FolderContrast) -> None:
        row = {
            "PartitionKey": _CONTRASTS,
            "RowKey": _folder_key(kept.folder),
            "folder": kept.folder,
            "contrast": json.dumps(asdict(kept.contrast)),
            "chosen_by": kept.chosen_by,
        }
        with calls(_SERVICE, f"keep the contrast of {plain(kept.folder)}", ignored=_TAKEN_CODES):
            await self._table.create_entity(row)

    async def forget_contrast(self, folder: str) -> bool:
        key = _folder_key(folder)
        with calls(_SERVICE, f"forget the contrast of {plain(folder)}", ignored=MISSING_CODES):
            # A delete of what is not there is no error to the SDK.
            await self._table.get_entity(_CONTRASTS, key, select=["RowKey"])
            await self._table.delete_entity(_CONTRASTS, key)
            return True
        return False

    async def stray(self, folder: str, suffix: str) -> str:
        with calls(_SERVICE, f"read which files of {plain(folder)} can't be segmented", ignored=MISSING_CODES):
            return str((await self._table.get_entity(_STRAYS, _folder_key(f"{folder}/{suffix}")))["name"])
        return ""

    async def note_stray(self, folder: str, suffix: str, name: str) -> None:
        row = {"PartitionKey": _STRAYS, "RowKey": _folder_key(f"{folder}/{suffix}"), "name": name}
        with calls(_SERVICE, f"note that {plain(name)} can't be segmented", ignored=_TAKEN_CODES):
            await self._table.create_entity(row)

    def _of_project(self, partition: str, project: str) -> AsyncIterator[TableEntity]:
        first = _key_in_project(project, None)
        return self._table.query_entities(
            "PartitionKey eq @partition and RowKey ge @first and RowKey lt @end",
            parameters={"partition": partition, "first": first, "end": f"{first}~"},
        )


def _key_in_project(project: str, what: str | None) -> str:
    return f"{naming.partition_key(project)}!!{naming.file_hash(what) if what is not None else ''}"


def _folder_key(folder: str) -> str:
    return _key_in_project(naming.project_of(f"{folder}/"), folder)
