"""Has the app try with its own identity what it may do, and judges what it answers."""

import asyncio
import uuid
from collections.abc import Sequence
from contextlib import suppress

from batch_ops.doctor import storage_access
from batch_ops.doctor.findings import Finding, Level
from batch_ops.doctor.storage_access import Asker
from batch_ops.domain.errors import BlobMissing, IlastikBatchError
from batch_ops.domain.orders import LookOrder
from batch_ops.ports.health import PROBE_NAME
from batch_ops.ports.services import BlobStore, Outbox
from batch_ops.use_cases.access_test import OwnAccess, answer_name, read_answer

_AREA = "app"
_MOST_BYTES = 100_000


async def look(blobs: BlobStore, outbox: Outbox, container: str, seconds: float, pause: float) -> OwnAccess | None:
    """Ask the app, by the queue through which all comes to it; None if it does not answer in time."""
    name = f"{PROBE_NAME}{uuid.uuid4().hex}"
    await outbox.look_again(LookOrder(name, name))
    try:
        async with asyncio.timeout(seconds):
            while True:
                with suppress(BlobMissing):
                    _, data = await blobs.read(container, answer_name(name), 0, _MOST_BYTES)
                    return read_answer(data)
                await asyncio.sleep(pause)
    except TimeoutError:
        return None
    finally:
        # An answer that comes later stays: a few hundred bytes.
        with suppress(IlastikBatchError):
            await blobs.delete(container, answer_name(name))


def judge(found: OwnAccess | None) -> Sequence[Finding]:
    """Say what the app's identity may not do, or that it is not known."""
    if found is None:
        message = (
            "The app did not answer when it was asked to try its own roles, so it is not known whether they suffice. "
            "It may be starting, or its code may be older than this doctor's."
        )
        remedy = "run the doctor again in some minutes; if it stays so, look at the app's log stream in the portal."
        return [Finding(_AREA, Level.WARN, message, remedy)]
    findings = list(storage_access.judge(Asker.APP, found.storage))
    if found.no_pool:
        message = f"The app's identity could not look at the pool and its nodes: {found.no_pool}"
        remedy = (
            "if it is not allowed to, run deploy.sh with --wide-roles true, else reasons of waiting files stay bare."
        )
        findings.append(Finding(_AREA, Level.WARN, message, remedy))
    else:
        findings.append(
            Finding(_AREA, Level.OK, "With the app's identity the pool and a single node can be looked at.")
        )
    return findings
