"""A network of its own for app and nodes: deploy.sh --private."""

import json
from pathlib import Path

import pytest

REVIEWED = json.loads((Path(__file__).parent / "snapshots/everything.json").read_text())["predictedResources"]


def of_type(kind):
    return [resource for resource in REVIEWED if resource["type"] == kind]


def test_a_pool_in_a_network_is_another_pool(lab):
    """A pool can't move; what the network needs of the subscription is registered first, and all of it is kept."""
    before = set(lab.azure.pools)
    options = ("--allowed-addresses", "203.0.113.7", "--no-smoke-test")
    lab.up("--private", *options)
    (pool,) = lab.azure.pools.values()
    assert before.isdisjoint(lab.azure.pools)
    assert lab.azure.providers["Microsoft.Network"] == lab.azure.providers["Microsoft.App"] == "Registered"
    assert lab.azure.deployments["ilastik-batch"]["parameters"]["options"]["value"]["private"] is True
    lab.up("--no-smoke-test")
    assert list(lab.azure.pools.values()) == [pool]
    lab.up("--no-private", "--no-smoke-test")
    assert set(lab.azure.pools) == before


def test_every_service_that_is_closed_has_a_way_in_from_the_network():
    """An endpoint for each part that app or nodes talk to, and its name in a zone that the network knows."""
    endpoints = of_type("Microsoft.Network/privateEndpoints")
    ways = {
        (connection["properties"]["privateLinkServiceId"].rpartition("/")[2], part)
        for endpoint in endpoints
        for connection in endpoint["properties"]["privateLinkServiceConnections"]
        for part in connection["properties"]["groupIds"]
    }
    accounts = [account["name"] for account in of_type("Microsoft.Storage/storageAccounts")]
    (batch,) = [account["name"] for account in of_type("Microsoft.Batch/batchAccounts")]
    stored = {(account, part) for account in accounts for part in ("blob", "queue", "table")}
    assert ways == stored | {(batch, "batchAccount"), (batch, "nodeManagement")}
    named = of_type("Microsoft.Network/privateEndpoints/privateDnsZoneGroups")
    zones = {g["properties"]["privateDnsZoneConfigs"][0]["properties"]["privateDnsZoneId"] for g in named}
    assert len(named) == len(endpoints)
    assert zones == {zone["id"] for zone in of_type("Microsoft.Network/privateDnsZones")}


@pytest.mark.parametrize(
    ("kind", "closed"),
    [
        ("Microsoft.Storage/storageAccounts", lambda p: (p.get("networkAcls") or {}).get("defaultAction") == "Deny"),
        (
            "Microsoft.Batch/batchAccounts",
            lambda p: p["networkProfile"]["nodeManagementAccess"]["defaultAction"] == "Deny",
        ),
        (
            "Microsoft.Batch/batchAccounts/pools",
            lambda p: "NoPublicIPAddresses" in json.dumps(p["networkConfiguration"]),
        ),
        ("Microsoft.Web/sites", lambda p: p["virtualNetworkSubnetId"].endswith("/subnets/app")),
    ],
)
def test_nothing_is_left_open(kind, closed):
    """What holds data lets in the addresses that were allowed, or nobody; app and nodes are inside."""
    for resource in of_type(kind):
        properties = resource["properties"]
        assert properties.get("publicNetworkAccess") == "Disabled" or closed(properties), resource["name"]
