"""Requests about the files of tasks and nodes."""

import asyncio
import mimetypes
import os
import re
import shutil
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote, unquote

from local_cloud.batch.node.retention import files_are_gone
from local_cloud.batch.rest.calls import Call, Reply, listing
from local_cloud.batch.rest.odata import PREFIX, Properties, Property
from local_cloud.batch.rest.operations import FILTERED, NODE, RECURSIVE, TASK, Routes
from local_cloud.batch.service import BatchService
from local_cloud.batch.state.errors import ServiceError
from local_cloud.batch.state.model import Json, TaskState
from local_cloud.batch.state.times import http_date, iso

_CHUNK = 1 << 18  # bytes sent at once
_RANGE = re.compile(r"bytes=(\d{1,18})-(\d{1,18})?")


@dataclass(frozen=True, slots=True)
class Entry:
    """A file or folder below a root, `name` with slashes."""

    name: str
    path: Path
    folder: bool


FILTERS: Properties[Entry] = {"name": Property(lambda entry: entry.name, operators=PREFIX)}


def _task_root(service: BatchService, call: Call) -> Path:
    account = service.account
    task = account.task(call.parts["jobId"], call.parts["taskId"])
    if task.state is TaskState.ACTIVE or task.node is None:
        raise ServiceError(
            "OperationInvalidForCurrentState", f"The task '{task.id}' has not run yet, so it has no files."
        )
    node = account.find_node(task.pool, task.node)
    if files_are_gone(task, account.clock.now()):
        raise ServiceError("TaskFilesCleanedup", f"The retention time of task '{task.id}' is over.")
    if node is None:
        raise ServiceError("TaskFilesUnavailable", f"The node that ran the task '{task.id}' is gone.")
    root = service.agents.of(node).paths.task(account.jobs[task.job].id, task.id).root
    if not root.is_dir():
        if task.state is TaskState.COMPLETED:
            raise ServiceError("TaskFilesUnavailable", f"The files of task '{task.id}' are not there any more.")
        raise ServiceError("FileNotFound", f"The task '{task.id}' has no files yet.")
    return root


def _node_root(service: BatchService, call: Call) -> Path:
    node = service.account.node(call.parts["poolId"], call.parts["nodeId"])
    root = service.agents.of(node).paths.root
    if not root.is_dir():
        raise ServiceError("OperationInvalidForCurrentState", f"The node '{node.id}' is not ready.")
    return root


def _find(root: Path, name: str) -> Path:
    path = Path(os.path.normpath(root / name))
    missing = ServiceError("FileNotFound", f"There is no file '{name}'.", FilePath=name)
    if path == root or not path.is_relative_to(root) or "\0" in name:
        raise missing
    try:
        # A link that leads out of the root shows nothing of this machine.
        if not path.exists() or not path.resolve().is_relative_to(root.resolve()):
            raise missing
    except OSError as exc:  # such as a name that is too long
        raise missing from exc
    return path


def _list(call: Call, root: Path, url: str) -> Reply:
    recursive = call.flag("recursive")
    token = call.query.get("$skiptoken", "")
    entries = (entry for entry in _walk(root, "", recursive) if entry.name > token)

    def view(entry: Entry) -> Json:
        shown: Json = {
            "name": entry.name,
            "url": f"{url}/{quote(entry.name)}",
            "isDirectory": entry.folder,
        }
        if not entry.folder:
            try:
                found = entry.path.stat()
            except OSError:  # gone since it was listed
                return shown
            shown["properties"] = {
                "creationTime": iso(_moment(found.st_ctime)),
                "lastModified": iso(_moment(found.st_mtime)),
                "contentLength": str(found.st_size),
                "contentType": _content_type(entry.path),
                "fileMode": _mode(found.st_mode),
            }
        return shown

    return listing(call, "files", entries, view, lambda entry: entry.name, FILTERS)


def _walk(folder: Path, prefix: str, recursive: bool) -> list[Entry]:
    found: list[Entry] = []
    pending = [(folder, prefix)]
    while pending:
        current, above = pending.pop()
        try:
            children = list(os.scandir(current))
        except OSError:
            continue
        for child in children:
            is_folder = child.is_dir(follow_symlinks=False)
            found.append(Entry(above + child.name, Path(child.path), is_folder))
            if is_folder and recursive:
                pending.append((Path(child.path), f"{above}{child.name}/"))
    return sorted(found, key=lambda entry: entry.name)


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _content_type(path: Path) -> str:
    return mimetypes.guess_type(path.name)[0] or "application/octet-stream"


def _mode(mode: int) -> str:
    return f"0o{mode:o}"


def _headers(path: Path, url: str) -> dict[str, str]:
    found = path.stat()
    folder = path.is_dir()
    return {
        "Content-Length": str(0 if folder else found.st_size),
        "Content-Type": _content_type(path),
        "Last-Modified": http_date(_moment(found.st_mtime)),
        "ocp-creation-time": http_date(_moment(found.st_ctime)),
        "ocp-batch-file-url": quote(unquote(url), safe=""),  # the service encodes the whole address
        "ocp-batch-file-isdirectory": str(folder),
        "ocp-batch-file-mode": _mode(found.st_mode),
    }


def _range(call: Call, size: int) -> tuple[int, int]:
    """Return the first byte and the byte after the last one wanted."""
    text = call.headers.get("ocp-range") or call.headers.get("range")
    if text is None:
        return 0, size
    match = _RANGE.fullmatch(text.strip())
    if match is None:
        raise ServiceError("InvalidRange", f"'{text}' is no range such as bytes=0-99.")
    first = int(match[1])
    last = int(match[2]) + 1 if match[2] else size
    if first >= size or last <= first:
        raise ServiceError("InvalidRange", f"The file has {size} bytes; '{text}' is not within them.")
    return first, min(last, size)


async def _read(path: Path, first: int, last: int) -> AsyncIterator[bytes]:
    with path.open("rb") as file:
        file.seek(first)
        left = last - first
        while left > 0:
            chunk = await asyncio.to_thread(file.read, min(_CHUNK, left))
            if not chunk:
                return
            left -= len(chunk)
            yield chunk


def _remove(path: Path, recursive: bool) -> None:
    if not path.is_dir():
        path.unlink(missing_ok=True)
        return
    if not recursive and any(path.iterdir()):
        raise ServiceError("OperationInvalidForCurrentState", f"The folder '{path.name}' is not empty: use recursive.")
    shutil.rmtree(path, ignore_errors=True)


@dataclass(frozen=True, slots=True)
class FileRequests:
    """Requests about the files below a root, which a request names."""

    root: Callable[[BatchService, Call], Path]

    def list(self, service: BatchService, call: Call) -> Reply:
        return _list(call, self.root(service, call), call.url())

    def get(self, service: BatchService, call: Call) -> Reply:
        path = self._path(service, call)
        if path.is_dir():
            raise ServiceError("OperationInvalidForCurrentState", f"'{path.name}' is a folder.")
        headers = _headers(path, call.url())
        first, last = _range(call, int(headers["Content-Length"]))
        headers["Content-Length"] = str(last - first)
        return Reply(200, headers=headers, stream=_read(path, first, last))

    def head(self, service: BatchService, call: Call) -> Reply:
        return Reply(200, headers=_headers(self._path(service, call), call.url()))

    async def delete(self, service: BatchService, call: Call) -> Reply:
        path = _find(self.root(service, call), call.parts["filePath"])
        await asyncio.to_thread(_remove, path, call.flag("recursive"))
        return Reply(200)

    def _path(self, service: BatchService, call: Call) -> Path:
        path = _find(self.root(service, call), call.parts["filePath"])
        call.check_conditions(0, _moment(path.stat().st_mtime))
        return path


ROUTES = Routes()
for _path, _files in ((TASK, FileRequests(_task_root)), (NODE, FileRequests(_node_root))):
    ROUTES.add("GET", f"{_path}/files", FILTERED | RECURSIVE)(_files.list)
    ROUTES.add("GET", f"{_path}/files/{{filePath:path}}")(_files.get)
    ROUTES.add("HEAD", f"{_path}/files/{{filePath:path}}")(_files.head)
    ROUTES.add("DELETE", f"{_path}/files/{{filePath:path}}", RECURSIVE)(_files.delete)
