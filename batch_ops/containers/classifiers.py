"""The classifiers of images: looked up, checked once per version, frozen once per content."""

import asyncio
import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from attrs import define, field

from batch_ops.containers.blob_ranges import BlobRanges
from batch_ops.domain import naming, project_config
from batch_ops.domain.blob import Blob
from batch_ops.domain.errors import BlobChanged, BlobMissing, ServiceFault
from batch_ops.domain.project import NoProject, Project
from batch_ops.domain.project_config import ConfigError, ProjectConfig
from batch_ops.domain.settings import Settings
from batch_ops.image.facts import WITHOUT_DEMANDS, ProjectFacts, Refused
from batch_ops.image.project_rules import PROJECT_RULES
from batch_ops.ports.services import BlobStore, Fence, ImageCheck
from batch_ops.ports.tables import ProjectNotes
from batch_ops.task.plain_text import plain
from batch_ops.task.stored_export import StoredExportError
from batch_ops.task.tool import ToolProfile
from batch_ops.tools.profiles import Tools, shipped
from batch_ops.tools.project_check import fault_of_project

# Images uploaded in a burst may use a project that was replaced up to this long ago.
_FRESH = timedelta(seconds=5)
_CHUNK = 4 * 2**20


@define(kw_only=True, eq=False)
class Classifiers:
    """The container `projects`. Concurrent requests for one project share one look-up."""

    _blobs: BlobStore
    _notes: ProjectNotes
    _check: ImageCheck
    _settings: Settings
    _clock: Callable[[], datetime]
    _tools: Tools = field(factory=shipped)
    _seen: dict[str, tuple[datetime, Project]] = field(factory=dict, init=False)
    _locks: dict[str, asyncio.Lock] = field(factory=dict, init=False)

    async def get(self, name: str) -> Project | NoProject:
        """Look up the project of this name as it is now (a usable one may be up to five seconds old)."""
        if (fresh := self._fresh(name)) is not None:
            return fresh
        async with self._locks.setdefault(name, asyncio.Lock()):
            if (fresh := self._fresh(name)) is not None:
                return fresh
            begun = self._clock()
            project = await self._look(name)
            if self._clock() - begun > _FRESH:
                # Reading it the first time takes long, and it may have changed meanwhile.
                begun = self._clock()
                project = await self._look(name)
            if isinstance(project, Project):
                self._seen[name] = (begun + _FRESH, project)
            return project

    def _fresh(self, name: str) -> Project | None:
        until, project = self._seen.get(name, (None, None))
        return project if until is not None and self._clock() < until else None

    async def _look(self, name: str) -> Project | NoProject:
        container = self._settings.projects_container
        shown = plain(name)
        if (blob := await find_classifier(self._blobs, container, name, self._tools.suffixes)) is None:
            return NoProject(
                f"There is no project '{shown}.ilp' in the container '{container}' yet; ask whoever looks after the "
                "classifiers to upload it there."
            )
        if blob.is_archived:
            return NoProject(
                f"The project '{plain(blob.name)}' is in the archive tier; ask whoever looks after the classifiers to "
                "rehydrate it (move it to another tier)."
            )
        try:
            config = await read_config(self._blobs, container, naming.config_blobs(blob.name))
            tool = self._tools.for_blob(blob.name, config.tool)
            if fault := tool_choice_fault(blob.name, tool, config, self._tools):
                return NoProject(fault)
            if tool and tool.is_installed and not self._settings.nodes_have(tool.name):
                return NoProject(
                    f"The project '{plain(blob.name)}' is for {tool.title}, which the nodes here do not have; ask "
                    f"whoever runs this system to deploy it with --tools ilastik,{tool.name}."
                )
            known = await self._learn(name, blob, tool)
        except ConfigError as exc:
            return NoProject(str(exc))
        except (BlobChanged, BlobMissing):
            return NoProject(f"The project '{plain(blob.name)}' is being replaced right now.")
        if isinstance(known, NoProject):
            return known
        digest, facts = known
        if tool:
            return Project(name, blob.etag, digest, facts, config, tool)
        if fault := export_fault(blob.name, facts, config):
            return NoProject(fault)
        return Project(name, blob.etag, digest, facts, config)

    async def _learn(self, name: str, blob: Blob, tool: ToolProfile | None) -> tuple[str, ProjectFacts] | NoProject:
        """Return the digest and facts of this version: remembered in a note, or read once.

        It is read again if somebody deleted its frozen copy, which every task needs, or if other rules held then.
        """
        known = await self._notes.project(name, blob.etag)
        if known is not None and known.get("tool", "") != (tool.rules_digest if tool else ""):
            known = None
        if known is None or int(known.get("rules", "1")) < PROJECT_RULES or not await self._is_kept(known):
            known = await (self._read_of_tool(name, blob, tool) if tool else self._read(name, blob))
            await self._notes.save_project(name, blob.etag, known)
        if known.get("refused"):
            return NoProject(known["refused"])
        return known["digest"], ProjectFacts.from_json(known["facts"])

    async def _is_kept(self, known: Mapping[str, str]) -> bool:
        if known.get("refused"):
            return True
        frozen = naming.frozen_blob(known["digest"], known.get("suffix", naming.PROJECT_SUFFIX))
        return await self._blobs.head(self._settings.frozen_container, frozen) is not None

    async def _read_of_tool(self, name: str, blob: Blob, tool: ToolProfile) -> dict[str, str]:
        """Check the text of another tool's project by its profile, and keep a copy of it."""
        known = {"rules": str(PROJECT_RULES), "tool": tool.rules_digest, "suffix": tool.suffix}
        content = await read_project_of_tool(self._blobs, self._settings.projects_container, blob, tool)
        if isinstance(content, Refused):
            return {**known, "refused": content.sentence}
        digest = hashlib.sha256(content).hexdigest()
        await self._freeze(name, blob, digest, tool.suffix)
        return {**known, "digest": digest, "facts": WITHOUT_DEMANDS.to_json()}

    async def _read(self, name: str, blob: Blob) -> dict[str, str]:
        ranges = BlobRanges(self._blobs, self._settings.projects_container, blob)
        facts = await self._check.inspect_project(blob.name, ranges)
        if isinstance(facts, Refused):
            return {"rules": str(PROJECT_RULES), "refused": facts.sentence}
        digest = hashlib.sha256()
        for offset in range(0, blob.length, _CHUNK):
            digest.update(await ranges.read(offset, _CHUNK))
        await self._freeze(name, blob, digest.hexdigest())
        return {"rules": str(PROJECT_RULES), "digest": digest.hexdigest(), "facts": facts.to_json()}

    async def _freeze(self, name: str, blob: Blob, digest: str, suffix: str = naming.PROJECT_SUFFIX) -> None:
        """Keep a copy under its digest, if the blob is still the version that was read."""
        frozen = naming.frozen_blob(digest, suffix)
        source = (self._settings.projects_container, blob.name)
        target = await self._blobs.head(self._settings.frozen_container, frozen)
        if target is None or target.copy_status in {"failed", "aborted"}:
            fence = Fence(target.etag if target else None)
            metadata = {"project": name, "etag": blob.etag}
            try:
                target = await self._blobs.copy(
                    source,
                    (self._settings.frozen_container, frozen),
                    fence=fence,
                    metadata=metadata,
                    source_etag=blob.etag,
                )
            except BlobChanged:
                target = await self._blobs.head(self._settings.frozen_container, frozen)
                if target is None or target.etag == fence.etag:
                    raise
                # Another invocation freezes the same content.
        if target.copy_status not in {None, "success"}:
            raise ServiceFault(f"The project '{plain(name)}' is still being copied.", retry_after=_FRESH)


async def find_classifier(blobs: BlobStore, container: str, project: str, others: Sequence[str] = ()) -> Blob | None:
    """Return the blob that holds the classifier of a project, by the likeliest spelling that is there.

    `others`: the suffixes of other tools' projects.
    """
    for candidate in naming.classifier_blobs(project, others):
        if (blob := await blobs.head(container, candidate)) is not None and not blob.is_folder:
            return blob
    return None


async def read_project_of_tool(blobs: BlobStore, container: str, blob: Blob, tool: ToolProfile) -> bytes | Refused:
    """Read the text of another tool's project; refuse what its profile says can't be run."""
    if blob.length > tool.project.max_kb * 1024:
        return Refused(f"The project '{plain(blob.name)}' is larger than {tool.project.max_kb} KiB.")
    content = await BlobRanges(blobs, container, blob).read(0, blob.length)
    fault = fault_of_project(tool, blob.name, content)
    return Refused(fault) if fault else content


def tool_choice_fault(name: str, tool: ToolProfile | None, config: ProjectConfig, tools: Tools) -> str:
    """Return why the configuration can't have the tool that it names; "" if it can."""
    if config.tool in (None, tool.name if tool else "ilastik"):
        return ""
    return (
        f"The configuration of the project '{plain(name)}' names the tool '{plain(str(config.tool), 40)}', which has "
        f"no projects of this suffix here; there are {', '.join(('ilastik', *tools.names))}."
    )


def export_fault(name: str, facts: ProjectFacts, config: ProjectConfig) -> str:
    """Return why nothing can be exported as the project stores it and its configuration wants; "" if it can."""
    try:
        if config.keep_export_settings:
            facts.export.check()
    except StoredExportError as exc:
        return (
            f"The project '{plain(name)}' {exc}; save it with other export settings, or take "
            '"keep_export_settings" out of its configuration.'
        )
    return ""


async def read_config(blobs: BlobStore, container: str, names: Iterable[str]) -> ProjectConfig:
    """Read the optional configuration beside a project: the first of these blobs. Raises `ConfigError`."""
    for name in names:
        try:
            blob, data = await blobs.read(container, name, 0, project_config.LARGEST_CONFIG)
        except BlobMissing:
            continue
        if blob.is_folder:
            continue
        if blob.is_archived:
            raise ConfigError(
                f"The configuration '{plain(name)}' is in the archive tier; rehydrate it (move it to another tier)."
            )
        if blob.length > project_config.LARGEST_CONFIG:
            raise ConfigError(f"The configuration '{plain(name)}' is longer than 64 KiB.")
        return project_config.parse(name, data)
    return ProjectConfig()
