"""A classifier as the images of its folder see it. Pure."""

from dataclasses import dataclass

from batch_ops.domain.naming import PROJECT_SUFFIX
from batch_ops.domain.project_config import ProjectConfig
from batch_ops.image.facts import ProjectFacts
from batch_ops.task.tool import ToolProfile


@dataclass(frozen=True, slots=True)
class Project:
    """A usable classifier: its version, the SHA-256 of its content, what it requires of images, its configuration.

    `tool`: whose project it is; None for ilastik.
    """

    name: str
    etag: str
    digest: str
    facts: ProjectFacts
    config: ProjectConfig
    tool: ToolProfile | None = None

    @property
    def suffix(self) -> str:
        """That of its frozen copy."""
        return self.tool.suffix if self.tool else PROJECT_SUFFIX


@dataclass(frozen=True, slots=True)
class NoProject:
    """There is no usable classifier; the sentence says what is missing or wrong."""

    sentence: str
