"""The ways into a node: users, remote login, endpoints, its log; what can't be had on this machine."""

from datetime import UTC, datetime, timedelta

import pytest
from azure.batch import models as m

from tests.local_cloud.batch.node.test_batch_storage import IDENTITY, OURS, blobs, service, target  # noqa: F401
from tests.local_cloud.batch.running import eventually, nodes_in, pool_of, refused

NIL = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/g/providers"
OURS_TOO = NIL.replace("0" * 12, "0" * 11 + "1")


async def first_node(client):
    return (await nodes_in(client, "idle", pool="ilastik"))[0].id


@pytest.mark.shows("BatchNodeUserCreateOptions.name expiryTime", "BatchNodeUserReplaceOptions.expiryTime")
async def test_users_of_a_node_are_known(client):
    """A user is added, found again in any case, replaced and removed; one whose time is over is gone."""
    node = ("ilastik", await first_node(client))
    past = datetime.now(UTC) - timedelta(minutes=1)
    await client.create_node_user(*node, m.BatchNodeUserCreateOptions(name="Me", password="secret"))
    with refused("NodeUserExists", 409):
        await client.create_node_user(*node, m.BatchNodeUserCreateOptions(name="me", ssh_public_key="ssh-rsa A"))
    await client.replace_node_user(*node, "ME", m.BatchNodeUserReplaceOptions(password="other"))
    await client.delete_node_user(*node, "me")
    with refused("NodeUserNotFound", 404):
        await client.delete_node_user(*node, "me")
    for _ in range(2):
        await client.create_node_user(*node, m.BatchNodeUserCreateOptions(name="old", expiry_time=past))
    await client.create_node_user(*node, m.BatchNodeUserCreateOptions(name="late"))
    await client.replace_node_user(*node, "late", m.BatchNodeUserReplaceOptions(expiry_time=past))

    for name in ("old", "late"):
        with refused("NodeUserNotFound", 404):
            await client.replace_node_user(*node, name, m.BatchNodeUserReplaceOptions())
    settings = await client.get_node_remote_login_settings(*node)
    assert (settings.remote_login_ip_address, settings.remote_login_port) == ("127.0.0.1", 22)


async def test_a_node_that_is_not_up_takes_no_user(service, client):  # noqa: F811
    """A node that does not answer can be given no user."""
    node = await first_node(client)
    await service.local("POST", f"pools/ilastik/nodes/{node}/lose")

    with refused("NodeStateUnusable", 409):
        await client.create_node_user("ilastik", node, m.BatchNodeUserCreateOptions(name="me"))


@pytest.mark.shows("UploadBatchServiceLogsOptions.containerUrl startTime endTime identityReference")
async def test_the_log_of_a_node_is_uploaded(client, target):  # noqa: F811
    """The lines of the time asked for arrive below the folder that is answered, one file."""
    node, before = await first_node(client), datetime.now(UTC) - timedelta(hours=1)
    await client.run("t", "true")
    asked = m.UploadBatchServiceLogsOptions(container_url=target.url, start_time=before, identity_reference=OURS)
    earlier = m.UploadBatchServiceLogsOptions(
        container_url=target.url, start_time=before, end_time=before, identity_reference=OURS
    )
    result = await client.upload_node_logs("ilastik", node, asked)
    empty = await client.upload_node_logs("ilastik", node, earlier)
    nowhere = m.UploadBatchServiceLogsOptions(container_url="http://127.0.0.1:1/", start_time=before)
    assert (await client.upload_node_logs("ilastik", node, nowhere)).number_of_files_uploaded == 1

    async def arrived():
        return {blob.name: blob.size async for blob in target.list_blobs()} if await count() == 2 else None

    async def count():
        return len([blob async for blob in target.list_blobs()])

    sizes = await eventually(arrived)
    text = (await (await target.download_blob(f"{result.virtual_directory_name}/agent-debug.log")).readall()).decode()
    assert result.number_of_files_uploaded == 1
    assert "task j/t begins" in text
    assert "the node is idle" in text
    assert sizes[f"{empty.virtual_directory_name}/agent-debug.log"] == 0


@pytest.mark.shows("BatchPoolCreateOptions.networkConfiguration", "NetworkConfiguration.endpointConfiguration")
@pytest.mark.shows("BatchInboundNatPool.name protocol backendPort frontendPortRangeStart frontendPortRangeEnd")
@pytest.mark.shows("BatchPoolUpdateOptions.networkConfiguration")
@pytest.mark.shows("BatchPoolEndpointConfiguration.inboundNATPools", "BatchPoolSpecification.networkConfiguration")
async def test_nodes_show_their_endpoints(raw, client):
    """Each node has an endpoint for every NAT pool and one for SSH, under the port that is open on this machine."""
    nat = {"name": "web", "protocol": "TCP", "backendPort": 8080}
    nat |= {"frontendPortRangeStart": 50000, "frontendPortRangeEnd": 50100}
    network = {"endpointConfiguration": {"inboundNATPools": [nat]}}
    pool = {"id": "p", "vmSize": "standard_a1", "targetDedicatedNodes": 1, "networkConfiguration": network}
    backwards = {"inboundNATPools": [{**nat, "frontendPortRangeEnd": 49999}]}

    assert (await raw.send("POST", "/pools", pool)).status == 201
    (node,) = await nodes_in(client, "idle")
    first, ssh = node.endpoint_configuration.inbound_endpoints

    assert (first.name, first.protocol, first.public_ip_address) == ("web.0", "tcp", "127.0.0.1")
    assert (first.frontend_port, first.backend_port, ssh.name, ssh.backend_port) == (8080, 8080, "SSHRule.0", 22)
    other = {"endpointConfiguration": {"inboundNATPools": [{**nat, "name": "other"}]}}
    await raw.send("PATCH", "/pools/p", {"networkConfiguration": other})
    (node,) = await nodes_in(client, "idle")
    assert node.endpoint_configuration.inbound_endpoints[0].name == "other.0"
    wrong = {**pool, "id": "q", "networkConfiguration": {"endpointConfiguration": backwards}}
    assert (await raw.send("POST", "/pools", wrong)).code == "InvalidPropertyValue"


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("Microsoft.Network/virtualNetworks/v/subnets/s", "Microsoft.Network/virtualNetworks/v/subnets/s"),
        ("Microsoft.Compute/gallery/G/images/I", "Microsoft.Compute/galleries/G/images/I/versions/1.0.0"),
    ],
)
async def test_an_image_or_subnet_that_cannot_be_is_refused(raw, wrong, right):
    """A resource id of no form, or of a subscription that can't be, is InvalidPropertyValue; any other is taken."""

    def pool_on(resource):
        if "Network" in resource:
            return {"id": "p", "vmSize": "standard_a1", "networkConfiguration": {"subnetId": resource}}
        machine = {"imageReference": {"virtualMachineImageId": resource}, "nodeAgentSKUId": "batch.node.ubuntu 24.04"}
        return {"id": "p", "vmSize": "standard_a1", "virtualMachineConfiguration": machine}

    answer = await raw.send("POST", "/pools", pool_on(f"{NIL}/{wrong}"))

    assert (answer.status, answer.code) == (400, "InvalidPropertyValue")
    assert (await raw.send("POST", "/pools", pool_on(f"{OURS_TOO}/{right}"))).status == 201


@pytest.mark.shows("BatchPoolCreateOptions.mountConfiguration", "BatchPoolSpecification.mountConfiguration")
@pytest.mark.shows("BatchPoolUpdateOptions.mountConfiguration")
async def test_nodes_of_a_pool_with_mounts_are_unusable(client):
    """A pool is made with its mounts, shown without their secrets; its nodes say that nothing can be mounted."""
    blob = m.AzureBlobFileSystemConfiguration(
        account_name="a", container_name="c", relative_mount_path="m", account_key="secret"
    )
    mounts = [m.MountConfiguration(azure_blob_file_system_configuration=blob)]
    await client.create_pool(pool_of(mount_configuration=mounts))

    (node,) = await nodes_in(client, "unusable")
    shown = (await client.get_pool("p")).mount_configuration[0].azure_blob_file_system_configuration

    assert node.errors[0].code == "MountConfigurationFailed"
    assert (shown.relative_mount_path, shown.account_key) == ("m", "")
    await client.update_pool("p", m.BatchPoolUpdateOptions(mount_configuration=[]))
    await client.resize(target_dedicated_nodes=2)
    await nodes_in(client, "idle")
