"""Runs checks concurrently, each with a time limit, and returns their findings in the order of the checks."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from batch_ops.doctor.findings import Finding, Level
from batch_ops.domain.errors import IlastikBatchError
from batch_ops.task.plain_text import plain


@dataclass(frozen=True, slots=True)
class Check:
    """`what` completes "could not ..."."""

    area: str
    what: str
    look: Callable[[], Awaitable[Sequence[Finding]]]


async def examine(checks: Sequence[Check], seconds: float) -> Sequence[Finding]:
    """Run every check. One that fails or hangs becomes a finding and does not stop the others."""
    found = await asyncio.gather(*(_within(check, seconds) for check in checks))
    return [finding for findings in found for finding in findings]


async def _within(check: Check, seconds: float) -> Sequence[Finding]:
    remedy = "check the address in the settings, the network and your login; then run the doctor again."
    try:
        async with asyncio.timeout(seconds):
            return await check.look()
    except TimeoutError:
        message = f"It took longer than {seconds:g} seconds to {check.what}."
    except IlastikBatchError as exc:
        message = str(exc)
    except Exception as exc:  # whatever happened, the other findings must be shown
        message = f"It was not possible to {check.what}: {type(exc).__name__}: {plain(' '.join(str(exc).split()), 300)}"
    return [Finding(check.area, Level.FAIL, message, remedy)]
