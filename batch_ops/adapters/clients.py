"""Clients of the storage account from a connection's name, as the Functions host resolves it.

Either `NAME` holds a connection string, or `NAME__blobServiceUri`, `NAME__queueServiceUri` and
`NAME__tableServiceUri` hold URLs and the caller brings a credential.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from azure.core.credentials_async import AsyncTokenCredential
from azure.data.tables.aio import TableServiceClient
from azure.storage.blob.aio import BlobServiceClient
from azure.storage.queue import TextBase64EncodePolicy
from azure.storage.queue.aio import QueueClient, QueueServiceClient

from batch_ops.domain.errors import SettingsError

# A few short tries: a sleeping function costs money, and reconcile retries lasting faults.
_TABLE_OPTIONS: dict[str, Any] = {"retry_total": 3, "retry_backoff_factor": 0.4, "retry_backoff_max": 5}
# The SDK waits initial + base ** tries seconds: one second each time with these values.
_BLOB_OPTIONS: dict[str, Any] = {
    "initial_backoff": 0,
    "increment_base": 1,
    "random_jitter_range": 0.3,
    "retry_total": 3,
}
_TIMEOUTS: dict[str, Any] = {"connection_timeout": 10, "read_timeout": 60}


@dataclass(frozen=True, slots=True)
class StorageConnection:
    """The address of a storage account, and the credential to use.

    `proxies`: whether to look for a proxy in the environment, which costs two thread switches per request.
    """

    name: str
    values: Mapping[str, str]
    credential: AsyncTokenCredential | None = None
    proxies: bool = True

    def blob_service(self) -> BlobServiceClient:
        """Make a client of the account's blobs. Raises `SettingsError`."""
        options = _BLOB_OPTIONS | self._transport()
        if text := self._connection_string():
            return BlobServiceClient.from_connection_string(text, **options)
        return BlobServiceClient(self._uri("blob"), credential=self._credential(), **options)

    def table_service(self) -> TableServiceClient:
        """Make a client of the account's tables. Raises `SettingsError`."""
        options = _TABLE_OPTIONS | self._transport()
        if text := self._connection_string():
            return TableServiceClient.from_connection_string(text, **options)
        return TableServiceClient(self._uri("table"), credential=self._credential(), **options)

    def queue_service(self) -> QueueServiceClient:
        """Make a client of the account's queues. Raises `SettingsError`."""
        options = _BLOB_OPTIONS | self._transport()
        if text := self._connection_string():
            return QueueServiceClient.from_connection_string(text, **options)
        return QueueServiceClient(self._uri("queue"), credential=self._credential(), **options)

    def _transport(self) -> dict[str, Any]:
        return {**_TIMEOUTS, "use_env_settings": self.proxies}

    def _connection_string(self) -> str:
        return self.values.get(self.name, "").strip()

    def _uri(self, service: str) -> str:
        variable = f"{self.name}__{service}ServiceUri"
        if uri := self.values.get(variable, "").strip():
            return uri
        raise SettingsError(f"Neither {self.name} nor {variable} is set: the storage account is unknown.")

    def _credential(self) -> AsyncTokenCredential:
        if self.credential is None:
            raise SettingsError(f"{self.name} names a storage account by its URL, but there is no identity.")
        return self.credential


def host_queue(service: QueueServiceClient, name: str) -> QueueClient:
    """Make a client of a queue whose messages are base64, as the Functions host and Event Grid write them."""
    return service.get_queue_client(name, message_encode_policy=TextBase64EncodePolicy())
