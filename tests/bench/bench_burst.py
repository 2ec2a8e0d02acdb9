"""A burst of uploads until every file has its task, by one function host; and the naive way beside it."""

import asyncio
import base64
import json
import time

from azure.batch import BatchClient
from azure.batch import models as batch_models
from azure.core.credentials import AzureNamedKeyCredential
from azure.storage.blob.aio import BlobServiceClient
from azure.storage.queue.aio import QueueClient

from tests.bench.bench_cloud import BATCH_KEY, BATCH_PORT, REPOSITORY, BenchCloud, bench_cloud, gathered, small_image


async def burst(files: int, latency_ms: int) -> None:
    """Events are put into the queue, then the host is started; ends when Batch has every task."""
    async with bench_cloud(latency_ms) as cloud:
        await _upload(cloud, files)
        before = cloud.storage_calls()
        host = cloud.host()
        began = time.monotonic()
        await host.start()
        try:
            client = _batch()
            while (there := _tasks(client)) < files:
                if time.monotonic() - began > 60 + files / 5:
                    print(f"only {there} of {files} tasks after {time.monotonic() - began:.0f} s")
                    return
                await asyncio.sleep(0.5)
            seconds = time.monotonic() - began
            await asyncio.sleep(1.5)
        finally:
            await host.stop()
        calls = cloud.storage_calls() - before
        queue = sum(count for name, count in calls.items() if name.startswith("queue"))
        ours = sum(calls.values()) - queue + files
        print(f"{files} files, {latency_ms} ms latency: {seconds:.1f} s, {files / seconds:.1f} files/s with start-up")
        print(
            f"calls a file: {ours / files:.2f} of ours (one of them to Batch), {queue / files:.2f} of the host's queues"
        )
        print(
            "  "
            + ", ".join(f"{name} {count / files:.2f}" for name, count in sorted(calls.items()) if count > files / 50)
        )


async def naive(files: int, latency_ms: int) -> None:
    """One sequential submission a file: look at the blob, create the task, note it; no check, no claim."""
    async with bench_cloud(latency_ms) as cloud:
        client = _batch()
        client.create_job(
            batch_models.BatchJobCreateOptions(id="naive", pool_info=batch_models.BatchPoolInfo(pool_id="ilastik"))
        )
        async with BlobServiceClient.from_connection_string(cloud.azurite.connection_string) as blobs:
            container = blobs.get_container_client("input")
            await container.upload_blob("a.h5", b"x", overwrite=True)
            began = time.monotonic()
            for number in range(files):
                await container.get_blob_client("a.h5").get_blob_properties()
                client.create_task("naive", batch_models.BatchTaskCreateOptions(id=f"t{number}", command_line="true"))
            seconds = time.monotonic() - began
        print(f"naive, one after the other: {files} files, {seconds:.1f} s, {files / seconds:.1f} files/s")


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
            await queue.send_message(
                base64.b64encode(json.dumps(_event(name, etag, client.url, number)).encode()).decode()
            )

        await gathered(upload, list(range(files)), 32)


def _event(name: str, etag: str, url: str, number: int) -> dict[str, object]:
    return {
        "subject": f"/blobServices/default/containers/input/blobs/{name}",
        "eventType": "Microsoft.Storage.BlobCreated",
        "id": f"burst-{number}",
        "eventTime": "2026-01-01T00:00:00Z",
        "data": {"api": "PutBlob", "eTag": etag, "contentLength": 1, "url": url, "sequencer": f"{number:032x}"},
    }


def _batch() -> BatchClient:
    return BatchClient(f"http://127.0.0.1:{BATCH_PORT}", AzureNamedKeyCredential("bench", BATCH_KEY))


def _tasks(client: BatchClient) -> int:
    return sum(client.get_job_task_counts(job.id).task_counts.active for job in client.list_jobs())
