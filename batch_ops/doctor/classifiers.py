"""Can the projects be used, and does the parser that looks into files start at all?"""

from collections.abc import Sequence
from dataclasses import dataclass

from batch_ops.doctor.findings import Finding, Level
from batch_ops.domain.checks import Accepted, ProjectFacts, Refused, Verdict
from batch_ops.domain.naming import plain

_AREA = "projects"
_NAME_CHARS = 100


@dataclass(frozen=True, slots=True)
class ProjectSight:
    """A project and what its inspection gave; `config_fault` says what is wrong with its `.json`."""

    blob: str
    found: ProjectFacts | Refused
    config_fault: str = ""


def judge_projects(sights: Sequence[ProjectSight], more: bool, container: str) -> Sequence[Finding]:
    """One sentence a project; `more`: there are others, which were not looked at."""
    if not sights:
        told = f"There is no project in the container '{container}': images wait until one is uploaded."
        return [Finding(_AREA, Level.WARN, told, f"upload a trained ilastik project as {container}/default.ilp.")]
    findings = [finding for sight in sights for finding in _project(sight)]
    if more:
        findings.append(
            Finding(_AREA, Level.NOTE, f"There are more than {len(sights)} projects; these were looked at.")
        )
    return findings


def _project(sight: ProjectSight) -> Sequence[Finding]:
    name = plain(sight.blob, _NAME_CHARS)
    findings = []
    if isinstance(sight.found, Refused):
        told = f"The project '{name}' can't be used: {sight.found.sentence}"
        findings.append(Finding(_AREA, Level.WARN, told, "train it again, save it and upload it; its images wait."))
    else:
        facts = sight.found
        told = (
            f"The project '{name}' can be used: {len(facts.classes)} classes, saved by ilastik {facts.ilastik_version}."
        )
        findings.append(Finding(_AREA, Level.OK, told))
    if sight.config_fault:
        findings.append(Finding(_AREA, Level.WARN, sight.config_fault, "correct the file; its images wait."))
    return findings


def judge_parser(verdict: Verdict) -> Finding:
    """The verdict on an image that was made so that it must be accepted."""
    if isinstance(verdict, Accepted):
        return Finding("parser", Level.OK, "The parser that looks into HDF5 files starts and understands one.")
    told = f"The parser that looks into HDF5 files does not do its work: {verdict.sentence}"
    return Finding("parser", Level.FAIL, told, "install requirements.txt again; can this Python start processes?")
