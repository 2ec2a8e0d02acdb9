"""A whole cloud in real processes, and a microscopist's view of it: upload, look at the row, fetch the results."""

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import psutil
from azure.batch import BatchClient
from azure.core.credentials import AzureNamedKeyCredential
from azure.core.exceptions import ResourceNotFoundError
from azure.data.tables import TableServiceClient
from azure.storage.blob import BlobServiceClient
from azure.storage.queue import QueueServiceClient

from batch_ops.domain import naming
from local_cloud.cloud.attached import attached_cloud
from local_cloud.cloud.folder import DataFolder
from tests.waiting import wait_until

REPOSITORY = Path(__file__).resolve().parents[2]
FINAL = {"SUCCEEDED", "REJECTED", "FAILED", "SUPERSEDED", "CANCELLED"}
# An ilastik that misbehaves for images with telling names, and is the stand-in for all others.
MISBEHAVING = """#!/bin/sh
for word in "$@"; do
  case "$word" in
    *exit-one*) echo "RuntimeError: this image is not to my taste" >&2; exit 1 ;;
    *nothing*) exit 0 ;;
    *hang*) sleep 600 ;;
    *slow*) sleep 4 ;;
  esac
done
exec "{home}/run_ilastik.sh" "$@"
"""
# Dollars an hour of a node of the local pool.
NODE_PRICE = 0.27
SETTINGS = {
    "GRACE_SECONDS": "5",
    "NODE_PRICES": json.dumps({"Standard_D4s_v3": {"dedicated": NODE_PRICE, "spot": NODE_PRICE / 5}}),
    "PROJECT_POLL_SECONDS": "1",
    "RECHECK_SECONDS": "20",
    "COMPANION_WAIT_SECONDS": "30",
    "RECONCILE_SCHEDULE": "*/2 * * * * *",
    # Five tries of a message that can't be handled take five seconds.
    "AzureFunctionsJobHost__extensions__queues__visibilityTimeout": "00:00:01",
}


def volume(seed: int, axes: str = "txyzc", shape: tuple[int, ...] = (2, 24, 22, 16, 1)) -> np.ndarray:
    """Bright blobs on noise, uint8."""
    rng = np.random.default_rng(seed)
    data = rng.integers(10, 40, shape)
    grid = np.stack(np.meshgrid(*(np.arange(n) for n in shape), indexing="ij"))
    for _ in range(4):
        centre = [rng.integers(0, n) for n in shape]
        distance = sum((g - c) ** 2 for g, c, a in zip(grid, centre, axes, strict=True) if a in "xyz")
        data = np.maximum(data, 200 * np.exp(-distance / 18))
    return data.astype(np.uint8)


def h5(path: Path, seed: int = 0, axes: str = "txyzc", shape=(2, 24, 22, 16, 1), *, tagged: bool = True) -> Path:
    """An image file as acquisition software writes it."""
    with h5py.File(path, "w") as file:
        data = file.create_dataset("volume/data", data=volume(seed, axes, shape), chunks=True)
        if tagged:
            kinds = {"t": 8, "c": 1}
            entries = [{"key": a, "typeFlags": kinds.get(a, 2), "resolution": 0, "description": ""} for a in axes]
            data.attrs["axistags"] = json.dumps({"axes": entries})
    return path


@dataclass
class Lab:
    """What a person with the storage account and the Batch account can do and see."""

    folder: DataFolder
    exports: dict[str, str]
    tmp: Path
    blobs: BlobServiceClient
    tables: TableServiceClient
    queues: QueueServiceClient
    batch: BatchClient

    def upload(self, name: str, file: Path | bytes, container: str = "input") -> str:
        """Upload and give the ETag."""
        data = file if isinstance(file, bytes) else file.read_bytes()
        answer = self.blobs.get_blob_client(container, name).upload_blob(data, overwrite=True)
        return str(answer["etag"]).strip('"')

    def image(self, name: str, seed: int = 0, **how: Any) -> str:
        """Make and upload an image."""
        return self.upload(name, h5(self.tmp / f"{time.monotonic_ns()}.h5", seed, **how))

    def project(self, name: str, file: Path | None = None, **config: Any) -> None:
        """Put a classifier into `projects`."""
        if config:
            self.upload(f"{name}.json", json.dumps(config).encode(), "projects")
        self.upload(f"{name}.ilp", file or REPOSITORY / "local_cloud/sample_data/default.ilp", "projects")

    def row(self, name: str) -> dict[str, Any] | None:
        """The file's row."""
        table = self.tables.get_table_client("files")
        try:
            row = table.get_entity(naming.partition_key(naming.project_of(name)), naming.file_key(name))
        except ResourceNotFoundError:
            return None
        return {key: getattr(value, "value", value) for key, value in row.items()}

    def wait(self, name: str, *states: str, seconds: float = 60, run: int | None = None) -> dict[str, Any]:
        """Wait until the file is in one of the states (any final one by default)."""
        wanted = set(states) or FINAL

        def reached() -> dict[str, Any] | None:
            row = self.row(name)
            return row if row and row["state"] in wanted and run in {None, row["run"]} else None

        def instead() -> str:
            text = self.folder.log("functions").read_text(encoding="utf-8", errors="replace")
            return f"{name!r} should become {wanted}, its row is {self.row(name)}\nThe app printed:\n{text[-8000:]}"

        return wait_until(reached, seconds, instead)

    def results(self, name: str) -> dict[str, bytes]:
        """What lies in the file's folder of results."""
        prefix = naming.results_folder(name)
        container = self.blobs.get_container_client("results")
        return {
            blob.name[len(prefix) :]: container.download_blob(blob.name).readall()
            for blob in container.list_blobs(name_starts_with=prefix)
        }

    def tasks(self, name: str) -> list[Any]:
        """Every Batch task of a file."""
        prefix = naming.file_prefix(name)
        return [
            task
            for job in self.batch.list_jobs()
            for task in self.batch.list_tasks(job.id)
            if task.id.startswith(prefix)
        ]

    def staged(self, name: str) -> list[str]:
        """What lies in staging for a file."""
        prefix = naming.file_prefix(name)
        container = self.blobs.get_container_client("staging")
        return [blob.name for blob in container.list_blobs(name_starts_with=prefix)]

    def process(self, module: str) -> psutil.Process:
        """The process that runs one part of this cloud."""
        for process in psutil.process_iter(["cmdline"]):
            line = process.info["cmdline"] or []
            if module in line and any(str(self.folder.root) in word for word in line):
                return process
        raise LookupError(f"No process runs {module}.")


@contextmanager
def laboratory(tmp: Path, settings: dict[str, str], home: Path, app: Path = REPOSITORY) -> Iterator[Lab]:
    """A cloud of its own with an ilastik (and a function app) of choice."""
    folder = DataFolder(tmp / "cloud")
    arguments = ["--app", str(app)]
    arguments += [word for key, value in settings.items() for word in ("--setting", f"{key}={value}")]
    before = os.environ.get("ILASTIK_HOME")
    os.environ["ILASTIK_HOME"] = str(home)
    try:
        with attached_cloud(folder, arguments) as cloud:
            exports = cloud.wait_ready()
            storage = exports["AZURE_STORAGE_CONNECTION_STRING"]
            key = AzureNamedKeyCredential(exports["AZURE_BATCH_ACCOUNT"], exports["AZURE_BATCH_ACCESS_KEY"])
            with (
                BlobServiceClient.from_connection_string(storage) as blobs,
                TableServiceClient.from_connection_string(storage) as tables,
                QueueServiceClient.from_connection_string(storage) as queues,
                BatchClient(exports["AZURE_BATCH_ENDPOINT"], key) as batch,
            ):
                yield Lab(folder, exports, tmp, blobs, tables, queues, batch)
    finally:
        os.environ.pop("ILASTIK_HOME")
        if before is not None:
            os.environ["ILASTIK_HOME"] = before
