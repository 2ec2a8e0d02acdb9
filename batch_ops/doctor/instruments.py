"""Do the instruments still upload, and for how long will their certificates let them?

An instrument is a service principal with a role on the container of images alone; it uploads into a folder of its name
below a project's (deploy/README.md shows how one is set up).
"""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from batch_ops.doctor.findings import Finding, Level
from batch_ops.doctor.queues import shown
from batch_ops.domain import naming
from batch_ops.ports.services import BlobStore
from batch_ops.ports.tables import Ledger
from batch_ops.task.plain_text import plain
from batch_ops.tools.profiles import shipped

_AREA = "lab"
_SOON = timedelta(days=30)
SILENT = timedelta(days=14)
# Rows are read from their beginning: what takes longer stays unknown.
_SECONDS = 20
_NAME_CHARS = 100


@dataclass(frozen=True, slots=True)
class Instrument:
    """`ends`: when its last certificate does; None where that is unknown, or where it needs none. `app`: its id."""

    name: str
    ends: datetime | None = None
    unknown: str = ""
    app: str = "APP_ID"


async def last_drops(
    ledger: Ledger, blobs: BlobStore, container: str, names: Collection[str]
) -> Mapping[str, datetime] | None:
    """Find when each of these last dropped an image; one that never did is left out. None: it would take too long."""
    latest: dict[str, datetime] = {}
    try:
        async with asyncio.timeout(_SECONDS):
            suffixes = (naming.PROJECT_SUFFIX, *shipped().suffixes)
            listed = [b.name async for b in blobs.list(container, "", flat=False) if b.name.endswith(suffixes)]
            projects = sorted({name.rpartition(".")[0] for name in listed})
            for name in names:
                for project in projects:
                    async for record in ledger.files(project, f"{project}/{name}/"):
                        if (at := record.times.dropped_at) and at > latest.get(name, at - _SOON):
                            latest[name] = at
    except TimeoutError:
        return None
    return latest


def judge(instruments: Sequence[Instrument], drops: Mapping[str, datetime] | None, now: datetime) -> Sequence[Finding]:
    """Write findings about each instrument; nothing where there is none."""
    findings: list[Finding] = []
    for instrument in instruments:
        name = plain(instrument.name, _NAME_CHARS)
        findings += _certificate(name, instrument, now)
        if drops is None:
            findings.append(Finding(_AREA, Level.NOTE, f"It would take too long to find out when '{name}' uploaded."))
        else:
            findings.append(_silence(name, drops.get(instrument.name), now))
    return findings


def _certificate(name: str, instrument: Instrument, now: datetime) -> Sequence[Finding]:
    if instrument.unknown:
        return [Finding(_AREA, Level.NOTE, f"It is not known until when '{name}' may sign in: {instrument.unknown}")]
    if instrument.ends is None:
        return []
    # Without --append the old one would end at once, and the instrument's uploads with it.
    remedy = f"renew it: az ad app credential reset --id {instrument.app} --create-cert --years 1 --append."
    day = f"{instrument.ends:%Y-%m-%d}"
    if instrument.ends <= now:
        return [Finding(_AREA, Level.FAIL, f"The certificate of '{name}' ended on {day}: it can't upload.", remedy)]
    if instrument.ends - now <= _SOON:
        return [Finding(_AREA, Level.WARN, f"The certificate of '{name}' ends on {day}.", remedy)]
    return [Finding(_AREA, Level.OK, f"The certificate of '{name}' is valid until {day}.")]


def _silence(name: str, last: datetime | None, now: datetime) -> Finding:
    if last is None:
        return Finding(_AREA, Level.NOTE, f"No image came from '{name}' yet: none lies in a folder of its name.")
    if now - last >= SILENT:
        message = f"The last image of '{name}' came {shown(now - last)} ago."
        return Finding(
            _AREA, Level.WARN, message, "look whether it still uploads, or remove its role on the container."
        )
    return Finding(_AREA, Level.OK, f"The last image of '{name}' came {shown(now - last)} ago.")
