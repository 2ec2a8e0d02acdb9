"""What is known of the pixel engine, beside each frozen classifier: certificates, and who is to make one.

    frozen/<sha256>/prober-<digest>.json        which run compares for this kind of images, and since when
    frozen/<sha256>/certificate-<digest>.json   what was compared and found, for one combination

Nodes only read here: what a task found comes with its manifest, and is stored by collect.
"""

import hashlib
import json
import logging
import shlex
from dataclasses import replace
from datetime import datetime, timedelta

from attrs import define

from batch_ops.domain import naming
from batch_ops.domain.errors import BlobChanged, BlobMissing
from batch_ops.domain.file_record import FileRecord
from batch_ops.log_fields import fields
from batch_ops.ports.services import BlobStore, Fence
from batch_ops.task.certificate import Certificate, EngineRole, EngineUse, depth_of, name_of
from batch_ops.task.plain_text import plain
from batch_ops.task.run_plan import RunWarning
from batch_ops.task.strict_json import MAX_LINE_CHARS, ManifestError
from batch_ops.task.warning_kinds import ENGINE_REVOKED

log = logging.getLogger("batch_ops")

_JSON = "application/json"
_LARGEST = 2**20


@define(eq=False)
class Certificates:
    """Below the frozen classifiers. About one of `audit_every` runs compares again, whatever is known."""

    _blobs: BlobStore
    _container: str
    _audit_every: int

    async def role(self, record: FileRecord, now: datetime) -> EngineRole:
        """Return what the task of a claim may do about the engine; the same again for the same claim.

        The first run of a kind of images is its prober, until it took longer than a run may. Raises `ServiceFault`.
        """
        if not record.plan.tool.engine:
            return EngineRole.NONE
        mine = f"{record.name}#{record.run}"
        is_prober = await self._is_prober(record, mine, now)
        digest = hashlib.sha256(mine.encode("utf-8", "surrogatepass")).digest()
        if int.from_bytes(digest[:8], "big") % self._audit_every == 0:
            return EngineRole.AUDITOR
        return EngineRole.PROBER if is_prober else EngineRole.USER

    async def _is_prober(self, record: FileRecord, mine: str, now: datetime) -> bool:
        name = f"{folder_of(record)}prober-{_kind(record)}.json"
        lasts = record.plan.wall_clock + timedelta(hours=1)
        said = json.dumps({"run": mine[-MAX_LINE_CHARS:], "until": (now + lasts).isoformat()}).encode()
        fence = Fence(None)
        for _ in range(2):
            try:
                await self._blobs.put(self._container, name, said, fence=fence, metadata={}, content_type=_JSON)
            except BlobChanged:
                pass
            else:
                return True
            try:
                blob, content = await self._blobs.read(self._container, name, 0, _LARGEST)
            except BlobMissing:
                continue
            try:
                known = json.loads(content)
                run, until = known["run"], datetime.fromisoformat(known["until"])
                is_taken = until > now
            except (ValueError, LookupError, TypeError):
                # Somebody has made something else of it: it counts for nothing.
                run, is_taken = "", False
            if run == mine[-MAX_LINE_CHARS:]:
                return True
            if is_taken:
                return False
            fence = Fence(blob.etag)
        return False

    async def keep(self, record: FileRecord, uses: tuple[EngineUse, ...]) -> tuple[RunWarning, ...]:
        """Store the certificates that a run made; return a warning for each that is revoked by them.

        A difference is never replaced by an equality: whoever wants that deletes it. Repeatable. Raises
        `ServiceFault`, and `BlobChanged`.
        """
        stored = [await self._keep(record, use.made) for use in uses if use.made]
        return tuple(_revoked(record, one) for one in stored if one is not None and one.revokes)

    async def _keep(self, record: FileRecord, made: Certificate) -> Certificate | None:
        """Store one certificate; return what of this run is there then."""
        is_own = made.task_id == record.placement.task_id or (
            record.parts is not None and record.parts.number_of(made.task_id, record.placement.task_id) is not None
        )
        if made.combination.project_sha256 != record.plan.tool.project_digest or not is_own:
            log.warning("A certificate of another run was left out.", extra=fields(record))
            return None
        if not made.is_known:
            # Older nodes send them. Who could compare nothing says nothing of the engine, nor of what was found before.
            log.warning("%s", made.sentence, extra=fields(record))
            return None
        name = f"{folder_of(record)}{name_of(made.combination.key)}"
        fence, known = Fence(None), None
        try:
            blob, content = await self._blobs.read(self._container, name, 0, _LARGEST)
        except BlobMissing:
            pass
        else:
            fence, known = Fence(blob.etag), _read(content)
        if known is not None and not (known.is_equal and (not made.is_equal or made.made > known.made)):
            return known if known.task_id == made.task_id else None
        if known is not None and not made.is_equal:
            made = replace(made, revokes=known.made)
        await self._blobs.put(self._container, name, made.to_json(), fence=fence, metadata={}, content_type=_JSON)
        log.info("%s", made.sentence, extra=fields(record))
        return made


def folder_of(record: FileRecord) -> str:
    """Return the folder of what is known about the engine and a run's classifier."""
    return f"{record.plan.tool.project_digest}/"


def _kind(record: FileRecord) -> str:
    """Name the kind of images that one run compares for, as far as it is known before a node has it."""
    image, tool = record.plan.image, record.plan.tool
    size = dict(zip(image.read_as, image.shape_read, strict=False))
    of_image = (image.dtype, image.read_as, size.get("c", 1), depth_of(size))
    kind = [tool.export_source, tool.ilastik_version, *of_image, record.placement.pool_id]
    return hashlib.sha256(json.dumps(kind).encode()).hexdigest()[:32]


def _read(content: bytes) -> Certificate | None:
    """Read a certificate that is there; what can't be read, or says nothing, counts for nothing."""
    try:
        found = Certificate.parse(content)
    except ManifestError:
        return None
    return found if found.is_known else None


def _revoked(record: FileRecord, difference: Certificate) -> RunWarning:
    project = shlex.quote(plain(naming.project_of(record.name)))
    sentence = (
        f"The pixel engine was found to differ from ilastik, so that its certificate of {difference.revokes} holds no "
        "longer: images of this project that ran since then may have been computed by the engine. To have ilastik "
        f"compute them: python -m batch_ops.files retry --project {project} --state succeeded --force"
    )
    return RunWarning(ENGINE_REVOKED, sentence)
