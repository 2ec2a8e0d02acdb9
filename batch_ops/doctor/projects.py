"""Can the projects be used?"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from batch_ops.containers.blob_ranges import BlobRanges
from batch_ops.containers.classifiers import export_fault, read_config, read_project_of_tool, tool_choice_fault
from batch_ops.doctor.findings import Finding, Level
from batch_ops.domain import naming
from batch_ops.domain.blob import Blob
from batch_ops.domain.project_config import ConfigError
from batch_ops.image.facts import WITHOUT_DEMANDS, ProjectFacts, Refused
from batch_ops.ports.services import BlobStore, ImageCheck
from batch_ops.task.plain_text import plain
from batch_ops.tools.profiles import shipped

MOST_PROJECTS = 50
_AREA = "projects"
_NAME_CHARS = 100


@dataclass(frozen=True, slots=True)
class ProjectStatus:
    """A project and what its inspection found; `config_fault` says what is wrong with its `.json`."""

    blob: str
    found: ProjectFacts | Refused
    config_fault: str = ""


async def look(blobs: BlobStore, check: ImageCheck, container: str) -> tuple[Sequence[ProjectStatus], bool]:
    """Inspect the projects as before a run, up to a limit; also return whether there are more."""
    found: list[Blob] = []
    async for blob in blobs.list(container, "", flat=False):
        if blob.name.lower().endswith((naming.PROJECT_SUFFIX, *shipped().suffixes)) and not blob.is_folder:
            found.append(blob)
            if len(found) > MOST_PROJECTS:
                break
    statuses = [await _inspect(blobs, check, container, blob) for blob in found[:MOST_PROJECTS]]
    return statuses, len(found) > MOST_PROJECTS


async def _inspect(blobs: BlobStore, check: ImageCheck, container: str, blob: Blob) -> ProjectStatus:
    facts: ProjectFacts | Refused
    tool = shipped().for_blob(blob.name)
    if tool:
        content = await read_project_of_tool(blobs, container, blob, tool)
        facts = content if isinstance(content, Refused) else replace(WITHOUT_DEMANDS, workflow=tool.title)
    else:
        facts = await check.inspect_project(blob.name, BlobRanges(blobs, container, blob))
    try:
        config = await read_config(blobs, container, naming.config_blobs(blob.name))
    except ConfigError as exc:
        return ProjectStatus(blob.name, facts, str(exc))
    if fault := tool_choice_fault(blob.name, shipped().for_blob(blob.name, config.tool), config, shipped()):
        return ProjectStatus(blob.name, facts, fault)
    return ProjectStatus(blob.name, facts, "" if isinstance(facts, Refused) else export_fault(blob.name, facts, config))


def judge(projects: Sequence[ProjectStatus], more: bool, container: str) -> Sequence[Finding]:
    """Write a finding about each project; `more`: there are others, which were not examined."""
    if not projects:
        message = f"There is no project in the container '{container}': images wait until one is uploaded."
        return [Finding(_AREA, Level.WARN, message, f"upload a trained ilastik project as {container}/default.ilp.")]
    findings = [finding for project in projects for finding in _judge_one(project)]
    if more:
        findings.append(
            Finding(_AREA, Level.NOTE, f"There are more than {len(projects)} projects; only these were examined.")
        )
    return findings


def _judge_one(project: ProjectStatus) -> Sequence[Finding]:
    name = plain(project.blob, _NAME_CHARS)
    findings = []
    if isinstance(project.found, Refused):
        message = f"The project '{name}' can't be used: {project.found.sentence}"
        again = "train it again, save it" if name.lower().endswith(naming.PROJECT_SUFFIX) else "mend it"
        findings.append(Finding(_AREA, Level.WARN, message, f"{again} and upload it; until then its images wait."))
    elif not project.found.classes:
        findings.append(Finding(_AREA, Level.OK, f"The project '{name}' can be used by {project.found.workflow}."))
    else:
        facts = project.found
        message = (
            f"The project '{name}' can be used: {len(facts.classes)} classes, saved by ilastik {facts.ilastik_version}."
        )
        findings.append(Finding(_AREA, Level.OK, message))
    if project.config_fault:
        findings.append(
            Finding(_AREA, Level.WARN, project.config_fault, "correct the file; until then its images wait.")
        )
    return findings
