"""A storage connection is read as the Functions host reads it."""

import pytest

from batch_ops.adapters.clients import StorageConnection
from batch_ops.domain.errors import SettingsError
from tests.unit.adapters.credential import Credential

KEY = "a2V5" * 16
CONNECTION = f"DefaultEndpointsProtocol=https;AccountName=account;AccountKey={KEY};EndpointSuffix=core.windows.net"
URIS = {f"DATA__{s}ServiceUri": f"https://account.{s}.core.windows.net" for s in ("blob", "queue", "table")}


@pytest.mark.parametrize("values", [{"DATA": CONNECTION}, URIS], ids=["connection string", "identity"])
async def test_both_ways_reach_the_three_services(values):
    """The same account either way."""
    storage = StorageConnection("DATA", values, Credential())
    async with storage.blob_service() as blobs, storage.table_service() as tables, storage.queue_service() as queues:
        assert [c.url.rstrip("/") for c in (blobs, queues, tables)] == list(URIS.values())


async def test_a_connection_string_is_used_before_the_urls():
    """As the host does it."""
    other = dict.fromkeys(URIS, "https://other.example")
    async with StorageConnection("DATA", {"DATA": CONNECTION, **other}).blob_service() as blobs:
        assert blobs.account_name == "account"


def test_a_missing_connection_names_its_variables():
    """Both ways of setting it."""
    with pytest.raises(SettingsError, match="DATA nor DATA__queueServiceUri"):
        StorageConnection("DATA", {"DATA": " "}, Credential()).queue_service()


def test_urls_need_an_identity():
    """There is no anonymous access to fall back on."""
    with pytest.raises(SettingsError, match="identity"):
        StorageConnection("DATA", URIS).table_service()
