"""What the nodes left in `staging`: complete executions, logs, outcomes. Tasks wrote it: trust nothing.

<task id>/<execution>/<path of an output>, manifest.json
<task id>/logs/<execution>/ilastik.log, outcome.json, warnings.json
<task id>/logs/stdout.txt, stderr.txt
"""

from collections.abc import Callable, Mapping, Sequence
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
from batch_ops.task.manifest import Manifest
from batch_ops.task.noticed import warnings_from_json
from batch_ops.task.outputs import Role
from batch_ops.task.report import Report
from batch_ops.task.run_plan import RunWarning
from batch_ops.task.strict_json import MAX_BYTES, ManifestError


@dataclass(frozen=True, slots=True)
class Execution:
    """A complete execution: every output of its manifest is there with the right length.

    `sources`: what becomes a result, by its path there: the name of the blob here, and its length in bytes. The log
    is one of them where there is one: a manifest of schema 1 does not name it.
    """

    manifest: Manifest
    sources: Mapping[str, tuple[str, int]]

    @property
    def id(self) -> str:
        """The execution's own id, fresh each time the task script starts."""
        return self.manifest.execution


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
            if manifest is None or manifest.execution != execution:
                continue
            sources = _sources(manifest, found)
            if all(output.path in sources and sources[output.path][1] == output.length for output in manifest.outputs):
                return Execution(manifest, sources)
        return None

    async def _manifest(self, name: str, blob: Blob) -> Manifest | None:
        if blob.length > MAX_BYTES:
            return None
        try:
            _, data = await self._blobs.read(self.container, name, 0, MAX_BYTES, etag=blob.etag)
            return Manifest.parse(data)
        except (ManifestError, BlobMissing, BlobChanged):
            return None

    async def report(self, task_id: str) -> Report | None:
        """Read the task script's report about its latest execution; None if there is none that can be read."""
        return (await self._ended(task_id, with_warnings=False))[0]

    async def _ended(self, task_id: str, *, with_warnings: bool) -> tuple[Report | None, tuple[RunWarning, ...]]:
        """Read what the latest execution reported, and on demand what it was warned of."""
        prefix, leaf = f"{task_id}/{contract.LOGS_FOLDER}/", f"/{contract.OUTCOME_NAME}"
        names = {blob.name async for blob in self._blobs.list(self.container, prefix)}
        latest = max((name for name in names if name.endswith(leaf)), default="")
        report = await self._parsed(Report.parse, latest) if latest else None
        noticed = f"{latest.removesuffix(leaf)}/{contract.WARNINGS_NAME}"
        warnings = None
        if with_warnings and report is not None and noticed in names:
            warnings = await self._parsed(warnings_from_json, noticed)
        return report, warnings or ()

    async def _parsed[T](self, parse: Callable[[bytes], T], name: str) -> T | None:
        try:
            _, data = await self._blobs.read(self.container, name, 0, MAX_BYTES)
            return parse(data)
        except (ManifestError, BlobMissing):
            return None

    async def cause(self, task_id: str) -> Cause | None:
        """Return why a task failed, as the task script reported it, and what it was warned of."""
        report, warnings = await self._ended(task_id, with_warnings=True)
        if report is None or report.kind not in FailureKind:
            return None
        return Cause(FailureKind(report.kind), report.sentence, warnings)

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


def _sources(manifest: Manifest, found: Mapping[str, Blob]) -> dict[str, tuple[str, int]]:
    """Find the outputs that are there: path -> (name of the blob, its length in bytes)."""
    logs = f"{contract.LOGS_FOLDER}/{manifest.execution}"
    leaves = {
        output.path: f"{logs if output.role is Role.LOG else manifest.execution}/{output.path}"
        for output in manifest.outputs
    }
    if not manifest.has_roles:
        leaves[contract.LOG_NAME] = f"{logs}/{contract.LOG_NAME}"
    return {path: (found[leaf].name, found[leaf].length) for path, leaf in leaves.items() if leaf in found}
