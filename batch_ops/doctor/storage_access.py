"""Who is asking, what they may do to storage and what they must not; plans first, then judges what came of it."""

import base64
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import Any

from batch_ops.doctor.findings import Finding, Level, joined
from batch_ops.domain.settings import Settings

_AREA = "storage"
_AGAIN = "run deploy.sh again: it makes what is missing and assigns the roles (a new role takes minutes to be known)."


class Visitor(Enum):
    """With a key everything is allowed; the app's identity has roles of its own; all others are operators."""

    KEY = "the account's key"
    APP = "the app's identity"
    OPERATOR = "your login"


class Kind(StrEnum):
    CONTAINER = "container"
    QUEUE = "queue"
    TABLE = "table"


class Act(StrEnum):
    READ = "read"
    WRITE = "write"


class Came(Enum):
    """What came of asking."""

    DONE = "done"
    REFUSED = "refused"
    MISSING = "missing"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Ask:
    """A probe. `allowed`: whether it must succeed or must be refused."""

    kind: Kind
    name: str
    act: Act
    allowed: bool = True


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a probe; `detail` is the service's code or message where it failed."""

    ask: Ask
    came: Came
    detail: str = ""


def visitor(settings: Settings, uses_key: bool, token: str) -> Visitor:
    """Whose access is tried; an access token of Entra ID tells its application."""
    if uses_key:
        return Visitor.KEY
    return Visitor.APP if settings.client_id and _claims(token).get("appid") == settings.client_id else Visitor.OPERATOR


def _claims(token: str) -> Mapping[str, Any]:
    # Read, not trusted: it only chooses what is tried.
    try:
        payload = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (IndexError, ValueError):
        return {}
    return claims if isinstance(claims, dict) else {}


def plan(who: Visitor, settings: Settings) -> Sequence[Ask]:
    """The probes that tell whether this visitor has what they need, and no more."""
    read_only = (settings.input_container, settings.projects_container)
    written = (
        settings.frozen_container,
        settings.staging_container,
        settings.results_container,
        settings.dead_letter_container,
    )
    containers = (*read_only, *written) if who is Visitor.APP else (*read_only, *written, settings.tools_container)
    asks = [Ask(Kind.CONTAINER, name, Act.READ) for name in containers]
    if who is not Visitor.OPERATOR:
        asks += [Ask(Kind.CONTAINER, name, Act.WRITE) for name in written]
    if who is Visitor.APP:
        # Whoever writes there decides what runs on the pool: a classifier can hold code, a script is code.
        forbidden = (*read_only, settings.tools_container)
        asks += [Ask(Kind.CONTAINER, name, Act.WRITE, allowed=False) for name in forbidden]
    for kind, names in (
        (Kind.QUEUE, (settings.blob_created_queue, settings.collect_queue)),
        (Kind.TABLE, (settings.files_table, settings.work_table)),
    ):
        asks += [Ask(kind, name, act) for name in names for act in Act]
    return asks


def judge(who: Visitor, answers: Iterable[Answer]) -> Sequence[Finding]:
    """One sentence for all that is as it must be, one for each thing that is not, one for each reason not to know."""
    answers = list(answers)
    missing = {(a.ask.kind, a.ask.name) for a in answers if a.came is Came.MISSING}
    findings = [
        Finding(_AREA, Level.FAIL, f"The {kind} '{name}' does not exist.", _AGAIN) for kind, name in sorted(missing)
    ]
    rest = [answer for answer in answers if (answer.ask.kind, answer.ask.name) not in missing]
    for act in Act:
        good = [a.ask for a in rest if a.ask.act is act and a.ask.allowed and a.came is Came.DONE]
        for kind in Kind:
            if names := [ask.name for ask in good if ask.kind is kind]:
                done = "are there and can be read" if act is Act.READ else "can be written"
                findings.append(Finding(_AREA, Level.OK, f"With {who.value} the {kind}s {joined(names)} {done}."))
    findings += [finding for answer in rest if (finding := _fault(who, answer)) is not None]
    unknown: dict[str, list[Ask]] = {}
    for answer in rest:
        if answer.came is Came.FAILED:
            unknown.setdefault(answer.detail, []).append(answer.ask)
    findings += [_unknown(who, asks, detail) for detail, asks in unknown.items()]
    if refused := [a.ask.name for a in rest if not a.ask.allowed and a.came is Came.REFUSED]:
        told = f"{who.value.capitalize()} can't write into {joined(refused)}, and must not."
        findings.append(Finding(_AREA, Level.OK, told))
    if who is Visitor.KEY:
        told = "These settings hold the storage account's key, which opens everything: no roles are there to look at."
        findings.append(Finding(_AREA, Level.NOTE, told))
    elif who is Visitor.OPERATOR:
        told = "This was tried with your login; what the app's own identity may do is told by its roles (see below)."
        findings.append(Finding(_AREA, Level.NOTE, told))
    return findings


def _unknown(who: Visitor, asks: Sequence[Ask], detail: str) -> Finding:
    """What could not be tried for one reason, in one sentence: where nothing answers, that is everything."""
    parts = []
    for kind in Kind:
        names = list(dict.fromkeys(f"'{ask.name}'" for ask in asks if ask.kind is kind))
        if names:
            parts.append(f"the {kind}{'s' if len(names) > 1 else ''} {joined(names)}")
    acts = joined(act for act in Act if act in {ask.act for ask in asks})
    told = f"It could not be found out whether {who.value} can {acts} {'; '.join(parts)}: {detail}."
    return Finding(_AREA, Level.FAIL, told, "look at the address in the settings, firewalls and the network.")


def _fault(who: Visitor, answer: Answer) -> Finding | None:
    ask = answer.ask
    where = f"the {ask.kind} '{ask.name}'"
    if ask.allowed and answer.came is Came.REFUSED:
        told = f"Storage does not let {who.value} {ask.act} {where} ({answer.detail})."
        return Finding(_AREA, Level.FAIL, told, _AGAIN)
    if not ask.allowed and answer.came is Came.DONE:
        told = f"{who.value.capitalize()} can write into {where}, and with that decide what runs on the pool."
        remedy = "remove its role on the whole account and leave those on single containers."
        return Finding(_AREA, Level.FAIL, told, remedy)
    return None
