"""Every api-version since 2017-09: taken, and answered in its own form."""

import pytest

from tests.local_cloud.batch.running import eventually

OLD, SLOTS, NEW = "2019-08-01.10.0", "2020-09-01.12.0", "2025-06-01"
FILE = {"filePath": "f", "fileMode": "0644"}


def of(version):
    return {"query": f"api-version={version}"}


@pytest.mark.parametrize(
    ("version", "status"),
    [
        ("2017-09-01.6.0", 200),
        ("2018-12-01.8.0", 200),
        ("2022-10-01.16.0", 200),
        ("2024-02-01.19.0", 200),
        ("2025-06-01", 200),
        ("2026-01-01", 200),
        ("2017-06-01.5.1", 400),
        ("newest", 400),
    ],
)
async def test_versions_since_2017_09_are_taken(raw, version, status):
    """Any api-version since 2017-09 is served; one before, or what is no version, is UnsupportedRequestVersion."""
    answer = await raw.send("GET", "/jobs", **of(version))

    assert answer.status == status
    assert status == 200 or answer.code == "UnsupportedRequestVersion"


async def test_slots_were_tasks_per_node(raw):
    """Before 2020-09-01.12.0 pools have maxTasksPerNode, and tasks and nodes no slots."""
    pool = {"id": "p", "vmSize": "small", "targetDedicatedNodes": "1", "maxTasksPerNode": 3}
    pool |= {"cloudServiceConfiguration": {"osFamily": "5"}, "resizeTimeout": "PT01H00M00S"}
    assert (await raw.send("POST", "/pools", pool, **of(OLD))).status == 201
    await raw.send("POST", "/jobs", {"id": "j", "poolInfo": {"poolId": "none"}}, **of(OLD))
    await raw.send("POST", "/jobs/j/tasks", {"id": "t", "commandLine": "true"}, **of(OLD))

    async def shown(path, version):
        return (await raw.send("GET", path, **of(version))).body

    old, slots, new = [await shown("/pools/p", version) for version in (OLD, SLOTS, NEW)]
    (node,) = await eventually(lambda: raw_nodes(raw, "p"))

    assert (old["maxTasksPerNode"], slots["taskSlotsPerNode"], new["taskSlotsPerNode"]) == (3, 3, 3)
    assert not {"taskSlotsPerNode"} & old.keys()
    assert not {"maxTasksPerNode"} & slots.keys()
    assert (old["cloudServiceConfiguration"], "cloudServiceConfiguration" in new) == ({"osFamily": "5"}, False)
    assert old["resizeTimeout"] == "PT1H"
    assert "requiredSlots" not in await shown("/jobs/j/tasks/t", OLD)
    assert (await shown("/jobs/j/tasks/t", SLOTS))["requiredSlots"] == 1
    assert "runningTaskSlotsCount" not in await shown(f"/pools/p/nodes/{node}", OLD)
    assert "maxParallelTasks" not in await shown("/jobs/j", OLD)
    assert (await shown("/jobs/j", NEW))["maxParallelTasks"] == -1


async def raw_nodes(raw, pool):
    return [node["id"] for node in (await raw.send("GET", f"/pools/{pool}/nodes")).body["value"]]


async def test_counts_of_tasks_were_flat(raw):
    """Before 2020-09-01.12.0 the numbers of tasks are not divided into tasks and slots."""
    await raw.send("POST", "/jobs", {"id": "j", "poolInfo": {"poolId": "none"}})
    await raw.send("POST", "/jobs/j/tasks", {"id": "t", "commandLine": "true"})

    flat = (await raw.send("GET", "/jobs/j/taskcounts", **of(OLD))).body
    nested = (await raw.send("GET", "/jobs/j/taskcounts", **of(SLOTS))).body

    assert (flat["active"], flat["completed"]) == (1, 0)
    assert (nested["taskCounts"]["active"], nested["taskSlotCounts"]["active"]) == (1, 1)


async def test_resource_files_had_another_name(raw):
    """Before 2018-12-01.8.0 the address of a resource file is its blobSource."""
    task = {"id": "t", "commandLine": "true", "resourceFiles": [{"blobSource": "http://127.0.0.1:1/f", **FILE}]}
    await raw.send("POST", "/jobs", {"id": "j", "poolInfo": {"poolId": "none"}})
    assert (await raw.send("POST", "/jobs/j/tasks", task, **of("2018-08-01.7.0"))).status == 201

    old = (await raw.send("GET", "/jobs/j/tasks/t", **of("2018-08-01.7.0"))).body
    new = (await raw.send("GET", "/jobs/j/tasks/t")).body

    assert old["resourceFiles"] == [{"blobSource": "http://127.0.0.1:1/f", **FILE}]
    assert new["resourceFiles"] == [{"httpUrl": "http://127.0.0.1:1/f", **FILE}]


async def test_what_is_gone_answers_older_versions_only(raw):
    """Certificates, statistics of pools and node agents are answered as long as the API has them."""
    certificates = await raw.send("GET", "/certificates", **of(OLD))
    thumbprint = "/certificates(thumbprintAlgorithm=sha1,thumbprint=0a)"
    agents = (await raw.send("GET", "/nodeagentskus", **of("2018-12-01.8.0"))).body["value"]

    assert certificates.body["value"] == []
    assert (await raw.send("GET", thumbprint, **of(OLD))).code == "CertificateNotFound"
    assert {"url", "startTime", "lastUpdateTime"} <= (
        await raw.send("GET", "/lifetimepoolstats", **of(OLD))
    ).body.keys()
    assert "batch.node.ubuntu 22.04" in {agent["id"] for agent in agents}
    for path in ("/certificates", "/lifetimepoolstats", "/nodeagentskus"):
        assert (await raw.send("GET", path)).code == "InvalidUri"


async def test_a_pool_without_targets_is_empty(raw):
    """A pool for which no size is given is made, with targets of 0."""
    made = await raw.send("POST", "/pools", {"id": "p", "vmSize": "standard_a1"})
    pool = (await raw.send("GET", "/pools/p")).body

    assert made.status == 201
    assert (pool["targetDedicatedNodes"], pool["targetLowPriorityNodes"], pool["allocationState"]) == (0, 0, "steady")


async def test_images_that_people_use_are_listed(raw):
    """The supported images have current Ubuntu, with and without containers, and come in pages."""
    answer = await raw.send("GET", "/supportedimages", query=f"api-version={NEW}&maxresults=5")
    images = list(answer.body["value"])
    while "odata.nextLink" in answer.body:
        answer = await raw.follow(answer.body["odata.nextLink"])
        images += answer.body["value"]
    found = {(image["imageReference"]["offer"], image["imageReference"]["sku"]): image for image in images}

    assert len(found) == len(images) > 10
    assert found["0001-com-ubuntu-server-jammy", "22_04-lts"]["nodeAgentSKUId"] == "batch.node.ubuntu 22.04"
    assert found["ubuntu-24_04-lts", "server"]["capabilities"] == []
    assert found["ubuntu-hpc", "2404"]["capabilities"] == ["DockerCompatible"]


async def test_links_have_the_callers_own_address(raw):
    """Links are made of the Host that a request names: a service behind a forwarded port is found again."""
    headers = {"host": "localhost:8443"}
    await raw.send("POST", "/jobs", {"id": "j", "poolInfo": {"poolId": "none"}})

    job = await raw.send("GET", "/jobs/j", headers=headers)
    stopped = await raw.send("POST", "/jobs/j/disable", {"disableTasks": "requeue"}, headers=headers)

    assert job.body["url"] == "http://localhost:8443/jobs/j"
    assert stopped.headers["dataserviceid"] == "http://localhost:8443/jobs/j/disable"
