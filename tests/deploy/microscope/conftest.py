"""A microscope's folder, and a container of the storage emulator behind a line that may break."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from azure.core.exceptions import ServiceRequestError, ServiceResponseError
from azure.core.pipeline.transport import RequestsTransport
from azure.storage.blob import BlobServiceClient, ContainerClient

from deploy.microscope.folders import Watched
from deploy.microscope.transfer import Transfer
from deploy.microscope.uploader import Uploader

BLOCK = 1000


class PowerCut(BaseException):
    """The PC is off from here."""


@dataclass
class Line:
    """Requests by kind; `fault(kind, number)` says what befalls one: [cut] before, [cut] after, or nothing."""

    fault: Callable[[str, int], str] = lambda kind, number: ""
    requests: Counter[str] = field(default_factory=Counter)


class Transport(RequestsTransport):  # type: ignore[misc]
    """The SDK's own transport, over a line that may break before a request arrives or before its answer does."""

    def __init__(self, line: Line) -> None:
        super().__init__()
        self._line = line

    def send(self, request: Any, **options: Any) -> Any:
        kind = next((kind for kind in ("comp=blocklist", "comp=block&") if kind in f"{request.url}&"), "properties")
        kind = {"comp=blocklist": "commit", "comp=block&": "block"}.get(kind, kind)
        kind = "blocks" if kind == "commit" and request.method == "GET" else kind
        self._line.requests[kind] += 1
        fault = self._line.fault(kind, self._line.requests.total())
        if fault == "before":
            raise ServiceRequestError("The line is down.")
        if fault == "cut before":
            raise PowerCut
        answer = super().send(request, **options)
        if fault == "after":
            raise ServiceResponseError("The line broke.")
        if fault == "cut after":
            raise PowerCut
        return answer


@dataclass
class Microscope:
    """A folder, its uploader, and the container that it sends to."""

    folder: Path
    container: ContainerClient
    line: Line
    credential: Any
    now: float = 0.0
    _uploader: Uploader | None = None

    def restart(self, credential: Any = None) -> None:
        """The uploader starts anew: it remembers nothing."""
        client = ContainerClient.from_container_url(
            self.container.url,
            credential=credential or self.credential,
            transport=Transport(self.line),
            retry_total=0,
        )
        sent, failed = (self.folder.with_name(f"{self.folder.name}-{what}") for what in ("sent", "failed"))
        watched = Watched(self.folder, (".h5",))
        self._uploader = Uploader(self.folder, "nuclei/", sent, failed, Transfer(client, BLOCK), watched)

    def write(self, name: str, content: bytes) -> Path:
        """The microscope writes an image."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path

    def look(self, seconds: float = 31) -> tuple[int, int]:
        """Time passes, and the uploader looks."""
        if self._uploader is None:
            self.restart()
        assert self._uploader is not None
        self.now += seconds
        return self._uploader.look(self.now, 30)

    def send(self) -> None:
        """Two looks, between which nothing changes."""
        self.look()
        self.look()

    def blobs(self) -> dict[str, bytes]:
        """What has arrived."""
        return {blob.name: self.container.download_blob(blob.name).readall() for blob in self.container.list_blobs()}

    def files(self, what: str = "") -> dict[str, bytes]:
        """What lies in the folder, or in the one for what was `sent` or `failed`."""
        root = self.folder.with_name(f"{self.folder.name}-{what}") if what else self.folder
        found = (path for path in root.rglob("*") if path.is_file() and ".uploader" not in path.parts)
        return {path.relative_to(root).as_posix(): path.read_bytes() for path in found}


@pytest.fixture
def microscope(azurite: str, unique: Callable[[str], str], tmp_path: Path) -> Iterator[Microscope]:
    """A microscope whose identity may do everything."""
    service = BlobServiceClient.from_connection_string(azurite)
    container = service.create_container(unique("input"))
    folder = tmp_path / "finished"
    folder.mkdir()
    yield Microscope(folder, container, Line(), service.credential.account_key)
    container.delete_container()
    service.close()
