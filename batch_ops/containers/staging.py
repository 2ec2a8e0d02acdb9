"""What the nodes left in `staging`: complete executions, logs, outcomes. Tasks wrote it: trust nothing.

<task id>/<execution>/*.tiff, manifest.json
<task id>/logs/<execution>/ilastik.log, outcome.json
<task id>/logs/stdout.txt, stderr.txt
"""

from collections.abc import Sequence
from dataclasses import dataclass

from attrs import define

from batch_ops.concurrency import for_all
from batch_ops.domain import naming
from batch_ops.domain.blob import Blob
from batch_ops.domain.errors import BlobChanged, BlobMissing
from batch_ops.domain.failures import Cause
from batch_ops.ports.services import BlobStore
from batch_ops.task import contract
from batch_ops.task.failure_kinds import FailureKind
from batch_ops.task.manifest import MAX_BYTES, Manifest, ManifestError, Report


@dataclass(frozen=True, slots=True)
class Execution:
    """A complete execution: every file of its manifest is there with the right length."""

    id: str
    folder: str
    manifest: Manifest
    has_log: bool


@define(eq=False)
class Staging:
    """The staging folders of tasks."""

    _blobs: BlobStore
    container: str

    async def execution(self, task_id: str) -> Execution | None:
        """Find the first complete execution of a task (a task may run twice; the first stays the first)."""
        prefix = f"{task_id}/"
        found = {blob.name[len(prefix) :]: blob async for blob in self._blobs.list(self.container, prefix)}
        manifests = sorted(leaf for leaf in found if leaf.endswith(f"/{contract.MANIFEST_NAME}"))
        for leaf in manifests:
            execution = leaf.removesuffix(f"/{contract.MANIFEST_NAME}")
            if "/" in execution:
                continue
            manifest = await self._manifest(prefix + leaf, found[leaf])
            if manifest and self._is_complete(manifest, execution, found):
                log = f"{contract.LOGS_FOLDER}/{execution}/{contract.LOG_NAME}"
                return Execution(execution, f"{prefix}{execution}/", manifest, log in found)
        return None

    async def _manifest(self, name: str, blob: Blob) -> Manifest | None:
        if blob.length > MAX_BYTES:
            return None
        try:
            _, data = await self._blobs.read(self.container, name, 0, MAX_BYTES, etag=blob.etag)
            return Manifest.parse(data)
        except (ManifestError, BlobMissing, BlobChanged):
            return None

    @staticmethod
    def _is_complete(manifest: Manifest, execution: str, found: dict[str, Blob]) -> bool:
        return manifest.execution == execution and not manifest.lacks(
            {
                file.name: found[f"{execution}/{file.name}"].length
                for file in manifest.files
                if f"{execution}/{file.name}" in found
            }
        )

    def log_of(self, task_id: str, execution: str) -> str:
        """Return the name of an execution's log in `staging`."""
        return f"{task_id}/{contract.LOGS_FOLDER}/{execution}/{contract.LOG_NAME}"

    async def report(self, task_id: str) -> Report | None:
        """Read the task script's report about its latest execution; None if there is none that can be read."""
        prefix = f"{task_id}/{contract.LOGS_FOLDER}/"
        leaf = f"/{contract.OUTCOME_NAME}"
        names = [blob.name async for blob in self._blobs.list(self.container, prefix) if blob.name.endswith(leaf)]
        if not names:
            return None
        try:
            _, data = await self._blobs.read(self.container, max(names), 0, MAX_BYTES)
            return Report.parse(data)
        except (ManifestError, BlobMissing):
            return None

    async def cause(self, task_id: str) -> Cause | None:
        """Return why a task failed, as the task script reported it."""
        report = await self.report(task_id)
        if report is None or report.kind not in FailureKind:
            return None
        return Cause(FailureKind(report.kind), report.sentence)

    async def last_lines(self, task_id: str) -> Sequence[str]:
        """Read the end of ilastik's log; empty if there is none."""
        report = await self.report(task_id)
        return report.last_lines if report else ()

    async def clear(self, name: str, up_to_run: int) -> None:
        """Delete what the tasks of a file's runs left here, up to this run."""

        async def delete(blob: str) -> None:
            await self._blobs.delete(self.container, blob)

        names = [
            blob.name
            async for blob in self._blobs.list(self.container, naming.file_prefix(name))
            if (run := naming.run_of_task(blob.name.partition("/")[0])) is not None and run <= up_to_run
        ]
        # Manifests first: a half-cleared folder must not look like an execution without a log.
        manifests = {name for name in names if name.endswith(f"/{contract.MANIFEST_NAME}")}
        await for_all(sorted(manifests), delete)
        await for_all((name for name in names if name not in manifests), delete)
