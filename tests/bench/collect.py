"""Collecting a run of many TIFFs against the copy rate of the same Azurite, bare, in turns; and one by one."""

import statistics
import time
from dataclasses import dataclass, replace
from typing import Any

from azure.storage.blob.aio import BlobServiceClient, ContainerClient

from batch_ops.adapters.blobs import AzureBlobs
from batch_ops.containers.results import PROVENANCE
from batch_ops.domain.blob import ImageVersion
from batch_ops.domain.file_record import FileRecord, State
from batch_ops.domain.messages import collect_message
from batch_ops.domain.naming import task_id
from batch_ops.domain.orders import CollectOrder
from batch_ops.domain.record_parts import Placement
from batch_ops.system import assemble
from batch_ops.task.manifest import ManifestImage
from batch_ops.wiring import Connection, connect, new_id, utc_now
from tests.bench.cloud import BenchCloud, bench_cloud, gathered
from tests.bench.measure import resident, spent
from tests.bench.report import Report
from tests.executions import manifest, md5, output

TIFF_BYTES = 345_320
IMAGE = b"image"
IMAGE_MD5 = md5(IMAGE)
_EXECUTION = "20260301T120000Z-00000001"
_AT_ONCE = 16
_ONE_BY_ONE = 100


@dataclass(frozen=True, slots=True)
class Round:
    """Rates in TIFFs a second, seconds for deletions, what the process grew by in MB, and the calls of ours."""

    bare: float
    ours: float
    deletions: float
    grown: float
    calls: float

    @property
    def ratio(self) -> float:
        """Ours as a part of bare."""
        return self.ours / self.bare


async def collect(report: Report, tiffs: int, rounds: int, latency_ms: int) -> None:
    """Each round copies `tiffs` files of 345 kB bare, into staging, and collects that very run.

    So both do the same copies, seconds apart; the median round stands for all.
    """
    async with (
        bench_cloud(latency_ms) as cloud,
        BlobServiceClient.from_connection_string(cloud.azurite.connection_string) as blobs,
        connect(cloud.settings) as connection,
    ):
        source = blobs.get_container_client("frozen")
        names = [f"many{number:04}.tiff" for number in range(tiffs)]

        async def put(name: str) -> None:
            await source.upload_blob(name, bytes(TIFF_BYTES))

        await gathered(put, names, _AT_ONCE)
        found = [await _round(cloud, connection, blobs, names, number) for number in range(rounds)]
        one_by_one = await _one_by_one(source, blobs.get_container_client("tools"), names[:_ONE_BY_ONE])
    ratios = [one.ratio for one in found]
    middle = sorted(found, key=lambda one: one.ratio)[len(found) // 2]
    report.table(
        ("figure", "measured", "target"),
        [
            ("bare copies, 16 at once: TIFFs/s", f"{middle.bare:.0f}", ""),
            ("collect until published: TIFFs/s", f"{middle.ours:.0f}", ""),
            (
                "collect as a part of bare",
                f"{100 * statistics.median(ratios):.0f} % ({100 * min(ratios):.0f} - {100 * max(ratios):.0f} %)",
                ">= 70 %",
            ),
            ("calls of collect a TIFF until published", f"{middle.calls:.2f}", ""),
            ("deletions in staging afterwards: seconds", f"{middle.deletions:.1f}", ""),
            ("the process grew by, in the last round: MB", f"{found[-1].grown:.1f}", "constant"),
            (f"naive, {len(names[:_ONE_BY_ONE])} one after the other: TIFFs/s", f"{one_by_one:.0f}", ""),
        ],
    )
    report.say(
        f"{tiffs:,} TIFFs of {TIFF_BYTES // 1000} kB a round, {rounds} rounds of bare and ours in turns; shown is the "
        "round with the middle ratio. Bare is the SDK's `start_copy_from_url`, nothing else."
    )


async def _round(
    cloud: BenchCloud, connection: Connection, blobs: BlobServiceClient, names: list[str], number: int
) -> Round:
    ports, settings = connection.ports, connection.settings
    name = f"fly/many{number}.h5"
    task = task_id(name, 1, 1)
    image = await blobs.get_blob_client("input", name).upload_blob(IMAGE, overwrite=True)
    staging, folder = blobs.get_container_client("staging"), f"{task}/{_EXECUTION}"
    bare = await _bare(blobs.get_container_client("frozen"), staging, folder, names)
    await staging.upload_blob(f"{folder}/manifest.json", _manifest(name, task, names))
    etag = str(image["etag"]).strip('"')
    record = FileRecord(
        name,
        1,
        State.COLLECTING,
        ImageVersion(etag, len(IMAGE), md5=IMAGE_MD5),
        "c",
        placement=Placement(job_id="j", task_id=task, attempt=1),
    )
    await ports.ledger.claim(record, None)
    watched = _Watched(blobs, cloud)
    system = assemble(replace(ports, blobs=watched), settings, utc_now, new_id)
    calls_before = await cloud.calls()
    before, began = resident(), time.monotonic()
    await system.inbox.collect(collect_message(CollectOrder.of(record)).encode(), 1)
    deletions = time.monotonic() - watched.continued
    grown = resident() - before
    row = await ports.ledger.get(name)
    assert row is not None
    assert row.record.state is State.SUCCEEDED, row.record.reason
    calls = (watched.calls - calls_before.total()) / len(names)
    return Round(bare, len(names) / (watched.published - began), deletions, grown / 1e6, calls)


def _manifest(name: str, task: str, names: list[str]) -> bytes:
    image, digest = ManifestImage(name, "e", len(IMAGE), IMAGE_MD5), md5(bytes(TIFF_BYTES))
    return manifest(task, _EXECUTION, image, tuple(output(tiff, TIFF_BYTES, digest) for tiff in names))


async def _bare(source: ContainerClient, target: ContainerClient, folder: str, names: list[str]) -> float:
    """Copies a second, sixteen at once, nothing else."""

    async def copy(name: str) -> None:
        url = source.get_blob_client(name).url
        await target.get_blob_client(f"{folder}/{name}").start_copy_from_url(url)

    with spent() as copying:
        await gathered(copy, names, _AT_ONCE)
    return len(names) / copying.wall


class _Watched(AzureBlobs):
    """Reads the clock and counts the calls when provenance.json has been written: then the run is published."""

    def __init__(self, service: BlobServiceClient, cloud: BenchCloud) -> None:
        super().__init__(service)
        self._cloud = cloud
        self.published, self.calls, self.continued = 0.0, 0, 0.0

    async def put(self, container: str, name: str, *rest: Any, **more: Any) -> str:
        etag = await super().put(container, name, *rest, **more)
        if name.endswith(f"/{PROVENANCE}"):
            self.published = time.monotonic()
            self.calls = (await self._cloud.calls()).total()
            self.continued = time.monotonic()
        return etag


async def _one_by_one(source: ContainerClient, target: ContainerClient, names: list[str]) -> float:
    """The naive way: copy, then wait, then the next. TIFFs a second."""
    with spent() as copying:
        for name in names:
            await target.get_blob_client(name).start_copy_from_url(source.get_blob_client(name).url)
    return len(names) / copying.wall
