"""What a asker may and must not do to storage: plans the probes, then judges their results."""

from collections.abc import Iterable, Sequence
from enum import Enum

from batch_ops.doctor.findings import Finding, Level, joined
from batch_ops.domain.settings import Settings
from batch_ops.ports.health import Access, AccessProbe, ProbeOutcome, ProbeResult, Resource
from batch_ops.use_cases.access_test import own_probes, shared_probes

_AREA = "storage"
_AGAIN = (
    "run deploy.sh again: it makes what is missing and assigns the roles (a new role takes minutes to take effect)."
)
# Its documents do not say whether Azure takes a transaction with a role on one table.
_WIDER = f"{_AGAIN[:-1]}; if the role is there and this stays so, with --wide-roles true."


class Asker(Enum):
    """Who asks. A key allows everything; the app's identity has roles of its own; all others are operators."""

    KEY = "the account's key"
    APP = "the app's identity"
    OPERATOR = "your login"


def asker(settings: Settings, uses_key: bool, application_id: str) -> Asker:
    """Return whose access is tested. `application_id`: the client id of the login."""
    if uses_key:
        return Asker.KEY
    return Asker.APP if settings.client_id and application_id == settings.client_id else Asker.OPERATOR


def plan(who: Asker, settings: Settings) -> Sequence[AccessProbe]:
    """Choose the probes that show whether this asker may do what it needs to do, and nothing else."""
    if who is Asker.APP:
        return own_probes(settings)
    own = [probe for probe in own_probes(settings) if probe.resource is Resource.CONTAINER and probe.allowed]
    read = [probe for probe in own if probe.access is Access.READ]
    read.append(AccessProbe(Resource.CONTAINER, settings.tools_container, Access.READ))
    written = [] if who is Asker.OPERATOR else [probe for probe in own if probe.access is Access.WRITE]
    return [*read, *written, *shared_probes(settings)]


def judge(who: Asker, results: Iterable[ProbeResult]) -> Sequence[Finding]:
    """Write one finding about what is right, one for each fault, and one for each reason why something is unknown."""
    results = list(results)
    missing = {(a.probe.resource, a.probe.name) for a in results if a.outcome is ProbeOutcome.MISSING}
    findings = [
        Finding(_AREA, Level.FAIL, f"The {resource} '{name}' does not exist.", _AGAIN)
        for resource, name in sorted(missing)
    ]
    rest = [result for result in results if (result.probe.resource, result.probe.name) not in missing]
    for access in Access:
        good = [
            a.probe for a in rest if a.probe.access is access and a.probe.allowed and a.outcome is ProbeOutcome.DONE
        ]
        for resource in Resource:
            if names := [probe.name for probe in good if probe.resource is resource]:
                done = "exist and can be read" if access is Access.READ else "can be written to"
                findings.append(Finding(_AREA, Level.OK, f"With {who.value} the {resource}s {joined(names)} {done}."))
    findings += [finding for result in rest if (finding := _fault(who, result)) is not None]
    unknown: dict[str, list[AccessProbe]] = {}
    for result in rest:
        if result.outcome is ProbeOutcome.FAILED:
            unknown.setdefault(result.detail, []).append(result.probe)
    findings += [_unknown(who, probes, detail) for detail, probes in unknown.items()]
    if refused := [a.probe.name for a in rest if not a.probe.allowed and a.outcome is ProbeOutcome.REFUSED]:
        message = f"{who.value.capitalize()} can't write to {joined(refused)}, as intended."
        findings.append(Finding(_AREA, Level.OK, message))
    if who is Asker.KEY:
        message = (
            "These settings hold the storage account's key, which gives access to everything: there are no roles to "
            "check."
        )
        findings.append(Finding(_AREA, Level.NOTE, message))
    elif who is Asker.OPERATOR:
        message = "This was tried with your login; the roles below show what the app's own identity may do."
        findings.append(Finding(_AREA, Level.NOTE, message))
    return findings


def _unknown(who: Asker, probes: Sequence[AccessProbe], detail: str) -> Finding:
    """Say in one sentence what could not be tested for this reason: all of it, if storage does not answer."""
    parts = []
    for resource in Resource:
        names = list(dict.fromkeys(f"'{probe.name}'" for probe in probes if probe.resource is resource))
        if names:
            parts.append(f"the {resource}{'s' if len(names) > 1 else ''} {joined(names)}")
    accesses = joined(access for access in Access if access in {probe.access for probe in probes})
    message = f"It could not be found out whether {who.value} can {accesses} {'; '.join(parts)}: {detail}."
    return Finding(_AREA, Level.FAIL, message, "check the address in the settings, the firewalls and the network.")


def _fault(who: Asker, result: ProbeResult) -> Finding | None:
    probe = result.probe
    where = f"the {probe.resource} '{probe.name}'"
    if probe.allowed and result.outcome is ProbeOutcome.REFUSED:
        message = f"Storage does not let {who.value} {probe.access} {where} ({result.detail})."
        return Finding(_AREA, Level.FAIL, message, _WIDER if probe.resource is Resource.TABLE else _AGAIN)
    if not probe.allowed and result.outcome is ProbeOutcome.DONE:
        message = f"{who.value.capitalize()} can write to {where}, and so could decide what runs on the pool."
        remedy = "remove its role on the whole account and keep those on single containers."
        return Finding(_AREA, Level.FAIL, message, remedy)
    return None
