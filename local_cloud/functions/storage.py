"""Storage clients by the name of a connection setting.

NAME is a connection string, or NAME__queueServiceUri, NAME__blobServiceUri or NAME__accountName name the
account and an identity opens it (NAME__clientId: a user-assigned one).
"""

from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import Any, Self
from urllib.request import getproxies

from azure.storage.blob.aio import BlobServiceClient
from azure.storage.queue.aio import QueueServiceClient

from local_cloud.azurite.server import Endpoints
from local_cloud.functions.errors import SettingsError

# The key that Microsoft publishes for an emulator of one's own; the same on every machine, so not a secret.
_PUBLISHED = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
_EMULATOR = Endpoints.here(10000, 10001, 10002, _PUBLISHED).connection_string
# Seconds and tries. The SDK's own first pause is 15 s: far longer than a listener may be deaf, or a stop take.
_RETRIES: dict[str, Any] = {"initial_backoff": 0.3, "increment_base": 1, "random_jitter_range": 1, "retry_total": 2}
# Proxies are looked for at every request, by way of threads: only where there are any.
_OPTIONS: dict[str, Any] = {**_RETRIES, "use_env_settings": bool(getproxies())}


class Storage:
    """Makes each client once and closes all of them; an async context manager."""

    def __init__(self, settings: Mapping[str, str]) -> None:
        self._settings = settings
        self._clients: dict[tuple[str, type], Any] = {}
        self._credentials: dict[str, Any] = {}
        self._open = AsyncExitStack()

    async def queues(self, connection: str) -> QueueServiceClient:
        client: QueueServiceClient = await self._client(connection, QueueServiceClient, "queue")
        return client

    async def blobs(self, connection: str) -> BlobServiceClient:
        client: BlobServiceClient = await self._client(connection, BlobServiceClient, "blob")
        return client

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._open.aclose()

    async def _client(self, connection: str, kind: type[Any], service: str) -> Any:
        if (connection, kind) not in self._clients:
            client = await self._new_client(connection, kind, service)
            self._clients[connection, kind] = await self._open.enter_async_context(client)
        return self._clients[connection, kind]

    async def _new_client(self, connection: str, kind: type[Any], service: str) -> Any:
        text = self._setting(connection)
        if text.replace(" ", "").rstrip(";").lower() == "usedevelopmentstorage=true":
            text = _EMULATOR  # the Python SDK does not know this short form
        if text:
            try:
                return kind.from_connection_string(text, **_OPTIONS)
            except ValueError as exc:
                raise SettingsError(f"The setting '{connection}' is not a connection string: {exc}.") from exc
        account = self._setting(f"{connection}__accountName")
        url = self._setting(f"{connection}__{service}ServiceUri") or (
            f"https://{account}.{service}.core.windows.net" if account else ""
        )
        if not url:
            raise SettingsError(
                f"There is no storage connection '{connection}': set '{connection}' to a connection string, "
                f"or '{connection}__{service}ServiceUri' to the account's address for an identity."
            )
        return kind(url, credential=await self._credential(self._setting(f"{connection}__clientId")), **_OPTIONS)

    async def _credential(self, client_id: str) -> Any:
        # Imported here: with connection strings, as on one machine, it would only cost memory.
        from azure.identity.aio import DefaultAzureCredential

        if client_id not in self._credentials:
            credential = DefaultAzureCredential(managed_identity_client_id=client_id or None)
            self._credentials[client_id] = await self._open.enter_async_context(credential)
        return self._credentials[client_id]

    def _setting(self, name: str) -> str:
        lowered = name.lower()
        return next((value for key, value in self._settings.items() if key.lower() == lowered), "")
