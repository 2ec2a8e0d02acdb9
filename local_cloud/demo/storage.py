"""The demo's own hands: it does what a user's tool would do, through the public storage interfaces alone."""

from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path, PurePosixPath
from typing import Self

from azure.core.exceptions import ResourceNotFoundError
from azure.data.tables import TableServiceClient
from azure.storage.blob import BlobServiceClient
from azure.storage.queue import QueueServiceClient

from local_cloud.demo.dropped import DroppedFile, FileRow, row_from_entity


class DemoStorage:
    """One project's files in one storage account."""

    def __init__(self, connection: str, project: str) -> None:
        self._project = project
        self._stack = ExitStack()
        enter = self._stack.enter_context
        # No retries: the SDK's own pauses would hide for half a minute that the cloud is gone.
        self._blobs = enter(BlobServiceClient.from_connection_string(connection, retry_total=0))
        tables = enter(TableServiceClient.from_connection_string(connection, retry_total=0))
        self._files = tables.get_table_client("files")
        self._queues = enter(QueueServiceClient.from_connection_string(connection, retry_total=0))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def upload_project(self, classifier: Path, configuration: Path | None) -> None:
        """Upload a project, whatever its files are called here."""
        # The configuration first: the classifier is what images wait for.
        for path, suffix in ((configuration, ".json"), (classifier, classifier.suffix.lower())):
            if path is not None:
                with path.open("rb") as data:
                    blob = self._blobs.get_blob_client("projects", self._project + suffix)
                    blob.upload_blob(data, overwrite=True)

    def drop(self, file: DroppedFile) -> None:
        """Upload into `input`; everything else happens by itself."""
        with file.path.open("rb") as data:
            self._blobs.get_blob_client("input", self.blob_name(file)).upload_blob(data, overwrite=True)

    def blob_name(self, file: DroppedFile) -> str:
        return f"{self._project}/{file.name}"

    def rows(self, files: Iterable[DroppedFile]) -> dict[str, FileRow]:
        """Read the rows of these files, by the files' names; a file not yet seen has none."""
        names = {self.blob_name(file): file.name for file in files}
        entities = self._files.query_entities("is_file eq true")
        return {names[e["name"]]: row_from_entity(e) for e in entities if e.get("name") in names}

    def given_up(self) -> int:
        """Count the messages that the function app failed on so often that nobody will try again."""
        return sum(self._length(f"{queue}-poison") for queue in ("blob-created", "collect"))

    def _length(self, queue: str) -> int:
        with self._queues.get_queue_client(queue) as client:
            try:
                return int(client.get_queue_properties().approximate_message_count or 0)
            except ResourceNotFoundError:
                return 0

    def download_results(self, file: DroppedFile, folder: Path) -> list[Path]:
        """Save what lies under the file's name in `results`; return the saved files, sorted."""
        prefix = f"{self.blob_name(file)}/"
        results = self._blobs.get_container_client("results")
        saved = []
        for name in results.list_blob_names(name_starts_with=prefix):
            target = folder / PurePosixPath(name).relative_to(self._project)
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("wb") as out:
                results.download_blob(name).readinto(out)
            saved.append(target)
        return sorted(saved)
