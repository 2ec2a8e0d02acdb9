"""Collecting a run of many TIFFs against the copy rate of the same Azurite, bare."""

import hashlib
import time

import psutil
from azure.storage.blob.aio import BlobServiceClient

from batch_ops.manifest import Manifest, ManifestFile, ManifestImage
from batch_ops.model import CollectOrder, FileRecord, State
from batch_ops.naming import task_id
from batch_ops.wiring import System
from tests.bench.bench_cloud import bench_cloud, gathered

NAME = "fly/many.h5"
EXECUTION = "20260301T120000Z-00000001"
TIFF_BYTES = 345_320
IMAGE = b"image"
IMAGE_MD5 = hashlib.md5(IMAGE, usedforsecurity=False).hexdigest()


async def collect(tiffs: int, latency_ms: int) -> None:
    """`tiffs` files of 345 kB in staging; the row COLLECTING; deletions are reported apart."""
    async with bench_cloud(latency_ms) as cloud:
        system = await System.open(cloud.settings)
        task = task_id(NAME, 1, 1)
        body = bytes(TIFF_BYTES)
        digest = hashlib.md5(body, usedforsecurity=False).hexdigest()
        names = [f"many{number:04}.tiff" for number in range(tiffs)]
        async with BlobServiceClient.from_connection_string(cloud.azurite.connection_string) as blobs:
            image = await blobs.get_blob_client("input", NAME).upload_blob(IMAGE, overwrite=True)
            staging = blobs.get_container_client("staging")
            folder = f"{task}/{EXECUTION}"

            async def put(name: str) -> None:
                await staging.upload_blob(f"{folder}/{name}", body)

            await gathered(put, names, 16)
            manifest = Manifest(
                execution=EXECUTION,
                task_id=task,
                run=1,
                attempt=1,
                correlation_id="c",
                node="n",
                started="2026-03-01T12:00:00Z",
                finished="2026-03-01T12:01:00Z",
                seconds={},
                ilastik_version="1.4.2",
                command=("run_ilastik.sh",),
                project_sha256="0" * 64,
                image=ManifestImage(NAME, "e", len(IMAGE), IMAGE_MD5),
                files=tuple(ManifestFile(name, TIFF_BYTES, digest, 1) for name in names),
            )
            await staging.upload_blob(f"{folder}/manifest.json", manifest.to_json())
            bare = await _bare(blobs, folder, names)
        etag = str(image["etag"]).strip('"')
        record = FileRecord(
            NAME, 1, State.COLLECTING, etag, len(IMAGE), "c", md5=IMAGE_MD5, job_id="j", task_id=task, attempt=1
        )
        ledger = system.collect._do.ledger
        await ledger.claim(record, None)
        before = psutil.Process().memory_info().rss
        began = time.monotonic()
        published = await _published(system, task)
        row = await ledger.get(NAME)
        seconds = time.monotonic() - began
        grown = psutil.Process().memory_info().rss - before
        assert row is not None
        assert row.record.state is State.SUCCEEDED, row.record.reason
        await system.close()
        print(f"bare copies of the same Azurite: {bare:.0f} TIFFs/s")
        print(
            f"collect of {tiffs} TIFFs: {tiffs / published:.0f} TIFFs/s until published ({published:.1f} s), "
            f"{100 * tiffs / published / bare:.0f} % of bare; {seconds - published:.1f} s more for deletions; "
            f"the process grew by {grown / 1e6:.1f} MB"
        )


async def _bare(blobs: BlobServiceClient, folder: str, names: list[str]) -> float:
    """Copies a second, sixteen at once, nothing else."""
    target = blobs.get_container_client("frozen")
    source = blobs.get_container_client("staging")

    async def copy(name: str) -> None:
        await target.get_blob_client(name).start_copy_from_url(source.get_blob_client(f"{folder}/{name}").url)

    began = time.monotonic()
    await gathered(copy, names, 16)
    return len(names) / (time.monotonic() - began)


async def _published(system: System, task: str) -> float:
    """Seconds until provenance.json was there; collect goes on to its end."""
    began, seen = time.monotonic(), [0.0]
    staging = system.collect._do.staging
    clear = staging.clear

    async def noted(name: str, up_to_run: int) -> int:
        seen[0] = time.monotonic() - began
        return await clear(name, up_to_run)

    staging.clear = noted  # type: ignore[method-assign]  # the clock is read where publication ends
    await system.collect(CollectOrder(NAME, 1, task, "c"))
    return seen[0]


async def one_by_one(tiffs: int, latency_ms: int) -> None:
    """The naive way: copy, then wait, then the next."""
    async with (
        bench_cloud(latency_ms) as cloud,
        BlobServiceClient.from_connection_string(cloud.azurite.connection_string) as blobs,
    ):
        source, target = blobs.get_container_client("staging"), blobs.get_container_client("results")
        await source.upload_blob("a.tiff", bytes(TIFF_BYTES))
        url = source.get_blob_client("a.tiff").url
        began = time.monotonic()
        for number in range(tiffs):
            await target.get_blob_client(f"{number}.tiff").start_copy_from_url(url)
        print(f"naive, one after the other: {tiffs / (time.monotonic() - began):.0f} TIFFs/s")
