"""Event Grid's schema of Microsoft.Storage.BlobCreated, and which events a subscription gets. Pure."""

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from local_cloud.events.journal import Commit

SUBJECT = "/blobServices/default/containers/{container}/blobs/{blob}"


@dataclass(frozen=True, slots=True)
class Subscription:
    """Events of one container whose blob name ends with `suffix`, without `lacks` in it, go to `queue`.

    Case does not matter; `lacks` of "" is in no name.
    """

    container: str
    suffix: str
    queue: str
    lacks: str = ""

    def wants(self, event: "BlobCreated") -> bool:
        # Event Grid's subject filters (begins with, ends with) ignore case unless configured otherwise.
        subject = event.subject.lower()
        begins = SUBJECT.format(container=self.container, blob="").lower()
        if self.lacks and self.lacks.lower() in subject:
            return False
        return subject.startswith(begins) and subject.endswith(self.suffix.lower())


@dataclass(frozen=True, slots=True)
class BlobCreated(Commit):
    """One event. Of its commit, `etag` is without quotes and `content_length` that of the blob in bytes.

    `time` is ISO 8601 in UTC with Z.
    """

    id: str
    topic: str
    account_url: str

    @property
    def subject(self) -> str:
        """With the blob's name as it is, not percent-encoded."""
        return SUBJECT.format(container=self.container, blob=self.blob)

    @property
    def url(self) -> str:
        return f"{self.account_url}/{self.container}/{quote(self.blob, safe='/~')}"

    def as_json(self) -> dict[str, Any]:
        return {
            "topic": self.topic,
            "subject": self.subject,
            "eventType": "Microsoft.Storage.BlobCreated",
            "id": self.id,
            "data": {
                "api": self.api,
                "clientRequestId": self.client_request_id,
                "requestId": self.request_id,
                "eTag": self.etag,
                "contentType": self.content_type,
                "contentLength": self.content_length,
                "blobType": self.blob_type,
                "accessTier": "Default",
                "url": self.url,
                # Compared as text, so of one length.
                "sequencer": f"{self.sequence:064X}",
                "storageDiagnostics": {"batchId": self.id},
            },
            "dataVersion": "",
            "metadataVersion": "1",
            "eventTime": self.time,
        }

    def message(self) -> str:
        """Write the text of the queue message, before base64: one event, not a list."""
        return json.dumps(self.as_json(), ensure_ascii=False)
