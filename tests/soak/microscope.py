"""Who uploads: puts files there at their seconds and does not give up while storage is in trouble."""

import contextlib
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from azure.core.exceptions import AzureError, ResourceNotFoundError
from azure.storage.blob import BlobServiceClient

from tests.acceptance.lab import h5
from tests.soak.plan import Content, Step

_PATIENCE = 300.0  # seconds for one upload
_AGAIN_AFTER = 0.5  # seconds


def client(connection: str) -> BlobServiceClient:
    """Without the SDK's long pauses: here `Microscope` tries again."""
    return BlobServiceClient.from_connection_string(connection, retry_total=0, connection_timeout=5, read_timeout=30)


class Microscope:
    """Makes images and uploads them to `input`."""

    def __init__(self, blobs: BlobServiceClient, folder: Path) -> None:
        self._blobs, self._folder = blobs, folder
        self._made: dict[Content, bytes] = {}
        self.done = 0

    def run(self, steps: tuple[Step, ...], began: float, stop: threading.Event) -> None:
        """One step after the other; late where an earlier one took long."""
        for step in steps:
            if stop.wait(max(0.0, began + step.at - time.monotonic())):
                return
            blob = self._blobs.get_blob_client("input", step.name)
            if step.content is None:
                with contextlib.suppress(ResourceNotFoundError):
                    insist(blob.delete_blob)
            else:
                insist(partial(blob.upload_blob, self.data(step.content), overwrite=True))
            self.done += 1

    def data(self, content: Content) -> bytes:
        """The file's bytes."""
        if content not in self._made:
            path = self._folder / f"{len(self._made)}.h5"
            data = h5(path, content.seed, shape=content.shape, tagged=content.tagged).read_bytes()
            self._made[content] = data[: len(data) // 2] if content.cut else data
        return self._made[content]


def insist[T](call: Callable[[], T]) -> T:
    """The call's answer, however often it takes within five minutes. A blob that is not there is an answer."""
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            return call()
        except ResourceNotFoundError:
            raise
        except AzureError:
            if time.monotonic() > deadline:
                raise
            time.sleep(_AGAIN_AFTER)
