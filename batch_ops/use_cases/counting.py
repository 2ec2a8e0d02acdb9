"""What a table of counts needs beside the rows: what the names of files say, and since when a classifier is in use."""

from collections.abc import Mapping
from datetime import datetime

from attrs import define, field

from batch_ops.containers.classifiers import read_config
from batch_ops.domain import naming
from batch_ops.domain.name_pattern import NamePattern
from batch_ops.domain.project_config import ConfigError
from batch_ops.domain.settings import Settings
from batch_ops.ports.services import BlobStore


@define(kw_only=True, eq=False)
class Counting:
    """Made for one table: what it has looked up it does not look up again."""

    _blobs: BlobStore
    _settings: Settings
    _patterns: dict[str, NamePattern | None] = field(factory=dict, init=False)
    _dates: dict[str, datetime | None] = field(factory=dict, init=False)
    faults: list[str] = field(factory=list, init=False)

    async def said_by(self, name: str) -> Mapping[str, str]:
        """Return what the name of a file says by the pattern of its project; empty where it has none, or does not fit.

        What is wrong with a configuration is noted in `faults`. Raises `ServiceFault`.
        """
        project = naming.classifier_of(name)
        if project not in self._patterns:
            self._patterns[project] = await self._pattern(project)
        pattern = self._patterns[project]
        return pattern.read(name) if pattern else {}

    async def _pattern(self, project: str) -> NamePattern | None:
        names = naming.config_blobs(project + naming.PROJECT_SUFFIX.upper())
        try:
            config = await read_config(self._blobs, self._settings.projects_container, names)
        except ConfigError as exc:
            self.faults.append(str(exc))
            return None
        return NamePattern(config.name_pattern) if config.name_pattern else None

    async def in_use_since(self, digest: str) -> datetime | None:
        """Return when a classifier of this content was first used; None if it is not kept any more."""
        if digest not in self._dates:
            blob = (
                await self._blobs.head(self._settings.frozen_container, naming.frozen_blob(digest)) if digest else None
            )
            self._dates[digest] = blob.modified if blob else None
        return self._dates[digest]
