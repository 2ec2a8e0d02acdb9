"""A classifier as the images of its folder see it. Pure."""

from dataclasses import dataclass

from batch_ops.domain.project_config import ProjectConfig
from batch_ops.image.facts import ProjectFacts


@dataclass(frozen=True, slots=True)
class Project:
    """A usable classifier: its version, the SHA-256 of its content, what it requires of images, its configuration."""

    name: str
    etag: str
    digest: str
    facts: ProjectFacts
    config: ProjectConfig


@dataclass(frozen=True, slots=True)
class NoProject:
    """There is no usable classifier; the sentence says what is missing or wrong."""

    sentence: str
