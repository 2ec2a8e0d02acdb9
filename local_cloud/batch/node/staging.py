"""Resource files into a task's working directory, output files out of it; failures are values."""

import asyncio
import errno
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from local_cloud.batch.node.blob_access import BlobAccess, StorageTrouble, Trouble
from local_cloud.batch.node.patterns import expand, find, is_wild
from local_cloud.batch.state.model import Failure, Json

_DOWNLOAD_CODES = {
    Trouble.DENIED: ("BlobAccessDenied", "Access for one of the specified blobs is denied"),
    Trouble.CONFLICT: ("BlobAccessDenied", "Access for one of the specified blobs is denied"),
    Trouble.NOT_FOUND: ("BlobNotFound", "One of the specified blobs is not found"),
    Trouble.TIMED_OUT: ("BlobDownloadTimedOut", "Downloading one of the specified blobs took too long"),
    Trouble.OTHER: ("BlobDownloadMiscError", "One of the specified blobs could not be downloaded"),
}
_LISTING_CODES = {
    Trouble.DENIED: ("ResourceContainerAccessDenied", "Access to the specified container is denied"),
    Trouble.CONFLICT: ("ResourceContainerAccessDenied", "Access to the specified container is denied"),
    Trouble.NOT_FOUND: ("ResourceContainerNotFound", "The specified container is not found"),
    Trouble.TIMED_OUT: ("ResourceContainerListTimedOut", "Listing the specified container took too long"),
    Trouble.OTHER: ("ResourceContainerListMiscError", "The specified container could not be listed"),
}
_UPLOAD_CODES = {
    Trouble.DENIED: ("FileUploadAccessDenied", "Access to the container of an output file is denied"),
    Trouble.CONFLICT: ("FileUploadConflict", "An output file met a conflict in its container"),
    Trouble.NOT_FOUND: ("FileUploadContainerNotFound", "The container of an output file is not found"),
    Trouble.TIMED_OUT: ("FileUploadTimedOut", "Uploading the output files took too long"),
    Trouble.OTHER: ("FileUploadMiscError", "An output file could not be uploaded"),
}
# Called before each upload with the number of files uploaded so far; what it returns fails the upload.
UploadHook = Callable[[int], Awaitable[Failure | None]]


def failure(code: str, message: str, detail: str = "", category: str = "usererror", **more: Any) -> Failure:
    """Make a failure with the service's usual details."""
    details = [("Message", detail)] if detail else []
    return Failure(category, code, message, (*details, *((name, str(text)) for name, text in more.items())))


def _from(trouble: StorageTrouble, codes: Mapping[Trouble, tuple[str, str]]) -> Failure:
    code, message = codes[trouble.trouble]
    return failure(code, message, str(trouble))


def disk_full(path: str) -> Failure:
    """Make the failure that a node without room reports."""
    return failure("DiskFull", "The node's disk is full", f"there was no room for {path}")


async def fetch_resource_files(files: list[Json], directory: Path, access: BlobAccess) -> Failure | None:
    """Download all resource files; return the first failure, or None."""
    for file in files:
        identity = file.get("identityReference", {}).get("resourceId")
        mode = int(file.get("fileMode", "0770"), 8)
        try:
            if "httpUrl" in file:
                wanted: list[tuple[str | None, Path]] = [(None, directory / file["filePath"])]
            else:
                prefix = file.get("blobPrefix", "")
                names = await access.names(file["storageContainerUrl"], prefix, identity)
                folder = directory / file.get("filePath", ".")
                wanted = [(name, folder / name) for name in names]
        except StorageTrouble as trouble:
            return _from(trouble, _LISTING_CODES)
        for name, target in wanted:
            found = await _fetch(file, name, target, directory, identity, mode, access)
            if found is not None:
                return found
    return None


async def _fetch(
    file: Json,
    name: str | None,
    target: Path,
    directory: Path,
    identity: str | None,
    mode: int,
    access: BlobAccess,
) -> Failure | None:
    problem = _make_room(target, directory)
    if problem is not None:
        return problem
    try:
        if name is None:
            await access.download(file["httpUrl"], identity, target)
        else:
            await access.download_blob(file["storageContainerUrl"], name, identity, target)
        await asyncio.to_thread(target.chmod, mode)
    except StorageTrouble as trouble:
        return _from(trouble, _DOWNLOAD_CODES)
    except IsADirectoryError as exc:
        return _from_os(exc, target, "ResourceFileCreateFailed")
    except OSError as exc:
        return _from_os(exc, target, "ResourceFileWriteFailed")
    return None


def _make_room(target: Path, directory: Path) -> Failure | None:
    # A blob's name is not ours to trust: it must not lead out of the working directory.
    if not target.resolve().is_relative_to(directory.resolve()):
        return failure("ResourceFileCreateFailed", "A resource file could not be created", str(target))
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        return _from_os(exc, target, "ResourceDirectoryCreateFailed")
    return None


def _from_os(error: OSError, target: Path, code: str) -> Failure:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return disk_full(target.name)
    return failure(code, "A resource file could not be written", f"{target.name}: {error.strerror}")


async def send_output_files(
    files: list[Json],
    directory: Path,
    environment: Mapping[str, str],
    exit_code: int,
    access: BlobAccess,
    hook: UploadHook,
) -> Failure | None:
    """Upload the output files whose condition fits the exit code; return the first failure, or None.

    A pattern without wildcards uploads one file as `path`; one with wildcards uploads its matches below
    `path`, each under its name relative to the pattern's fixed part.
    """
    skipped = "taskfailure" if exit_code == 0 else "tasksuccess"
    first: Failure | None = None
    uploaded = 0
    for file in files:
        if file["uploadOptions"]["uploadCondition"] == skipped:
            continue
        container = file["destination"]["container"]
        identity = container.get("identityReference", {}).get("resourceId")
        headers = {header["name"]: header.get("value", "") for header in container.get("uploadHeaders", [])}
        pattern = expand(file["filePattern"], environment)
        path = container.get("path", "")
        for match in find(pattern, directory):
            if is_wild(pattern):
                name = f"{path.rstrip('/')}/{match.name}" if path else match.name
            else:
                name = path or match.name
            broken = await hook(uploaded)
            if broken is None:
                try:
                    await access.upload(container["containerUrl"], name, identity, match.path, headers)
                    uploaded += 1
                except StorageTrouble as trouble:
                    broken = _from(trouble, _UPLOAD_CODES)
                except OSError as exc:
                    broken = failure("FileUploadMiscError", "An output file could not be read", f"{match.name}: {exc}")
            first = first or broken
    return first
