"""Looks into an image: the check, what stands beside the image, and what somebody has said of images of its kind."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from attrs import define

from batch_ops.containers.blob_ranges import BlobRanges
from batch_ops.containers.companions import Companions
from batch_ops.domain import naming
from batch_ops.domain.blob import Blob
from batch_ops.domain.planning import image_options
from batch_ops.domain.project import Project
from batch_ops.domain.run_key import NO_COMPANION
from batch_ops.domain.settings import Settings
from batch_ops.image.facts import (
    Accepted,
    CheckLimits,
    HasCompanion,
    ImageOptions,
    Refused,
    Unchecked,
    Undecided,
    Verdict,
)
from batch_ops.image.image_axes import kind_of
from batch_ops.image.image_rules import judge_image
from batch_ops.image.sentences import NAME_LENGTH
from batch_ops.image.setups import judge_setups
from batch_ops.ports.services import BlobStore, ImageCheck
from batch_ops.ports.tables import ProjectNotes
from batch_ops.task.plain_text import plain
from batch_ops.task.tool import ToolProfile
from batch_ops.task.tool_input import tool_fault


@dataclass(frozen=True, slots=True)
class Looked:
    """The verdict, and the ETag of what stands beside the image: as in the plan of its run."""

    verdict: Verdict
    companion: str = ""


@define(kw_only=True, eq=False)
class ImageLook:
    """Judges an image by all that is known of it."""

    _blobs: BlobStore
    _check: ImageCheck
    _notes: ProjectNotes
    _companions: Companions
    _settings: Settings

    async def __call__(self, blob: Blob, head: bytes, project: Project, answers: Mapping[str, str]) -> Looked:
        """Judge this version of it. `head`: its beginning; `answers`: the confirmed axes, where they are known already.

        Raises `ServiceFault`.
        """
        looked = await self._looked(blob, head, project, answers)
        if project.tool and isinstance(looked.verdict, Accepted):
            return replace(looked, verdict=_for_tool(blob.name, project.tool, looked.verdict))
        return looked

    async def _looked(self, blob: Blob, head: bytes, project: Project, answers: Mapping[str, str]) -> Looked:
        options = replace(image_options(project, self._settings), asks_companion=True)
        limits = CheckLimits(max_declared_bytes=self._settings.max_image_bytes)
        ranges = BlobRanges(self._blobs, self._settings.input_container, blob)
        verdict = await self._check.check_image(blob.name, ranges, project.facts, options, limits, head=head)
        if isinstance(verdict, HasCompanion):
            return await self._with_companion(blob, verdict, project, options, limits)
        if not isinstance(verdict, Undecided | Unchecked):
            return Looked(verdict)
        answers = answers or await self._notes.answers(naming.composed(naming.classifier_of(blob.name)))
        if isinstance(verdict, Unchecked):
            # The node, which finds out what it is, asks nobody.
            return Looked(replace(verdict, answers=tuple(sorted(answers.items()))))
        if (axes := answers.get(kind_of(verdict.image.shape))) is None:
            return Looked(verdict)
        options = replace(options, confirmed=axes)
        return Looked(judge_image(blob.name, blob.length, verdict.found, project.facts, options, limits))

    async def _with_companion(
        self, blob: Blob, described: HasCompanion, project: Project, options: ImageOptions, limits: CheckLimits
    ) -> Looked:
        beside, etag = await self._companions.read(blob.name)
        verdict = judge_setups(blob.name, blob.length, described.found, beside, project.facts, options, limits)
        return Looked(verdict, etag or NO_COMPANION)

    async def companion(self, name: str) -> str:
        """Return the ETag of what stands beside an image now. Raises `ServiceFault`."""
        return await self._companions.etag(name) or NO_COMPANION


def _for_tool(name: str, tool: ToolProfile, verdict: Accepted) -> Accepted | Refused:
    """Refuse what the tool can't read; each image becomes a file of its own for it."""
    for image in verdict.images:
        if fault := tool_fault(tool, image):
            which = f" (image {plain(image.folder)})" if image.folder else ""
            return Refused(f"{plain(name, NAME_LENGTH)}{which} {fault}")
    return verdict
