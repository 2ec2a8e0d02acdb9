"""A burst of uploads until every file has its task, by one function host; and the naive way beside it."""

import asyncio
import base64
import json
import time
from collections import Counter

from azure.batch import BatchClient
from azure.batch import models as batch_models
from azure.storage.blob.aio import BlobServiceClient
from azure.storage.queue.aio import QueueClient

from tests.bench.cloud import REPOSITORY, BenchCloud, batch_client, bench_cloud, gathered, small_image
from tests.bench.measure import spent
from tests.bench.report import Report, cpu_table
from tests.events import blob_created

_NAIVE_FILES = 200
# Costs are counted, and a budget is kept that is never used up: the dearest way for a lab to have it.
_BUDGET = {"NODE_PRICES": '{"standard_d4s_v3": {"dedicated": 0.27, "spot": 0.054}}', "BUDGET_MONTH": "1000000"}
_MEANING = {
    "table GET files": "the file's row",
    "blob GET input": "the image: its properties and first 64 KiB, which here tell all",
    "table POST work": "the intent: this file is open",
    "table POST $batch": "the claim, then the row becomes ACTIVE; each with the file's copy in the index",
    "batch POST /jobs/{jobId}/addtaskcollection": "the tasks of one moment",
    "batch POST /jobs/{jobId}/tasks": "a task that came alone",
    "table GET work": "pauses, and what is known of the project: every five seconds",
    "blob HEAD projects": "is the project still the same: every five seconds",
    "blob GET projects": "its configuration: every five seconds; its content once",
}
# The benchmark's own look at how far it is.
_OURS_NOT = ("batch GET /jobs", "batch GET /jobs/{jobId}/taskcounts", "table entities")


async def burst(report: Report, files: int, latency_ms: int) -> None:
    """Events are put into the queue, then the host is started; ends when Batch has every task."""
    async with bench_cloud(latency_ms) as cloud:
        await _upload(cloud, files)
        host, client = cloud.host(**_BUDGET), batch_client()
        began = time.monotonic()
        try:
            async with cloud.cost() as cost:
                with spent() as start_up:
                    await host.start()
                loading = cloud.cpu()["the function host"]
                while (there := _tasks(client)) < files:
                    if time.monotonic() - began > 120 + files / 2:
                        report.say(f"Given up: only {there} of {files} tasks after {time.monotonic() - began:.0f} s.")
                        return
                    await asyncio.sleep(0.5)
        finally:
            await host.stop()
    cpu, seconds = cost.cpu, cost.seconds
    naive_rate, naive_cpu = await _naive(min(files, _NAIVE_FILES), latency_ms)
    cpu["the function host"] -= loading
    hosts = Counter({name: n for name, n in cost.calls.items() if _is_hosts(name)})
    ours = Counter({name: n for name, n in cost.calls.items() if not _is_hosts(name) and name not in _OURS_NOT})
    report.table(
        ("figure", "measured", "target"),
        [
            ("files until all tasks exist", f"{files:,}", ""),
            ("seconds, with the start of the host", f"{seconds:.1f} ({start_up.wall:.1f} for the start)", ""),
            ("files/s", f"{files / seconds:.1f}", ">= 30"),
            ("service calls of ours a file", f"{ours.total() / files:.3f}", "<= 6"),
            ("calls of the host a file (queue messages, leases)", f"{hosts.total() / files:.3f}", ""),
            ("entities in answers to table queries", f"{cost.calls['table entities']:,}", ""),
            (f"naive, {min(files, _NAIVE_FILES)} files one after the other: files/s", f"{naive_rate:.1f}", ""),
        ],
    )
    cpu_table(report, cpu, files, "file")
    one, both = files / cpu["the function host"], 2 * files / sum(cpu.values())
    report.say(
        f"What bounds it is CPU: the function host is one thread and can do {one:.0f} files/s; all processes on two "
        f"cores {both:.0f}. (Loading the app took {loading:.1f} s of CPU more. The naive way looks at the blob and "
        f"creates the task, with neither check nor claim, for {naive_cpu:.1f} ms of CPU a file in the services.)"
    )
    rows = [(name, _MEANING.get(name, ""), f"{n:,}", f"{n / files:.3f}") for name, n in ours.most_common()]
    report.table(("call of ours", "for", "in all", "a file"), rows)


def _is_hosts(name: str) -> bool:
    return name.startswith("queue ") or name.endswith("azure-webjobs-hosts")


async def _naive(files: int, latency_ms: int) -> tuple[float, float]:
    """One sequential submission a file, as with `az`: look at the blob, create the task; no check, no claim.

    Kinder than `az`, which would start a program for each. Gives files a second and CPU ms a file.
    """
    async with bench_cloud(latency_ms) as cloud:
        client = batch_client()
        client.create_job(
            batch_models.BatchJobCreateOptions(id="naive", pool_info=batch_models.BatchPoolInfo(pool_id="ilastik"))
        )
        async with BlobServiceClient.from_connection_string(cloud.azurite.connection_string) as blobs:
            container = blobs.get_container_client("input")
            await container.upload_blob("a.h5", b"x", overwrite=True)
            async with cloud.cost() as cost:
                for number in range(files):
                    await container.get_blob_client("a.h5").get_blob_properties()
                    task = batch_models.BatchTaskCreateOptions(id=f"t{number}", command_line="true")
                    client.create_task("naive", task)
        return files / cost.seconds, 1000 * sum(cost.cpu.values()) / files


async def _upload(cloud: BenchCloud, files: int) -> None:
    connection = cloud.azurite.connection_string
    image = small_image()
    async with (
        BlobServiceClient.from_connection_string(connection) as blobs,
        QueueClient.from_connection_string(connection, "blob-created") as queue,
    ):
        project = (REPOSITORY / "local_cloud/sample_data/default.ilp").read_bytes()
        await blobs.get_blob_client("projects", "burst.ilp").upload_blob(project, overwrite=True)

        async def upload(number: int) -> None:
            name = f"burst/{number:06}.h5"
            client = blobs.get_blob_client("input", name)
            etag = (await client.upload_blob(image, overwrite=True))["etag"]
            event = json.dumps(blob_created(name, etag, number, account=blobs.url.rstrip("/")))
            await queue.send_message(base64.b64encode(event.encode()).decode())

        await gathered(upload, list(range(files)), 32)


def _tasks(client: BatchClient) -> int:
    return sum(client.get_job_task_counts(job.id).task_counts.active for job in client.list_jobs())
