"""`python -m batch_ops.doctor [--settings FILE] [--json] [--seconds N]`: the composition root.

Exit codes: 0 all is well, 1 something needs attention, 2 something does not work.
"""

import argparse
import asyncio
import json
import logging
import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime

from azure.core.exceptions import AzureError
from azure.identity.aio import DefaultAzureCredential

from batch_ops.adapters.batch import batch_client
from batch_ops.adapters.blobs import AzureBlobs
from batch_ops.adapters.clients import StorageConnection
from batch_ops.adapters.ledger import TableLedger
from batch_ops.adapters.worklist import TableWorklist
from batch_ops.doctor import management, storage_access
from batch_ops.doctor.azure_cli import AzureCli
from batch_ops.doctor.batch_probes import BatchProbes
from batch_ops.doctor.checks import Patient
from batch_ops.doctor.findings import Finding, Level, exit_code
from batch_ops.doctor.runner import examine
from batch_ops.doctor.storage_probes import StorageProbes
from batch_ops.domain import settings as app_settings
from batch_ops.domain.errors import SettingsError
from batch_ops.inspection.checker import ImageChecker
from batch_ops.settings_file import VARIABLE, read_settings

_STORAGE_SCOPE = "https://storage.azure.com/.default"


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m batch_ops.doctor",
        description="Looks at a deployment, in Azure or on this machine, and says what is wrong with it. Whatever it "
        "writes in order to try what may be written is gone when it ends.",
        epilog="Exit codes: 0 all is well, 1 something needs attention, 2 something does not work.",
    )
    parser.add_argument(
        "--settings",
        metavar="FILE",
        help="the app's settings: a local.settings.json, or what `az functionapp config appsettings list` printed "
        f"(without it the file that {VARIABLE} names, else the environment)",
    )
    parser.add_argument("--json", action="store_true", help="a JSON object for programs instead of lines for people")
    parser.add_argument("--seconds", type=float, default=60.0, metavar="N", help="time limit of each check (60)")
    return parser


async def _examine(values: Mapping[str, str], environment: Mapping[str, str], seconds: float) -> Sequence[Finding]:
    try:
        settings = app_settings.from_mapping(values)
    except SettingsError as exc:
        return [
            Finding("settings", Level.FAIL, str(exc), "correct the app's settings, or give others with --settings.")
        ]
    findings = [Finding("settings", Level.OK, "The app's settings are complete.")]
    uses_key = bool(values.get(settings.data_storage))
    async with AsyncExitStack() as stack:
        credential, token = None, ""
        if not uses_key or not settings.uses_batch_key:
            credential = await stack.enter_async_context(
                DefaultAzureCredential(managed_identity_client_id=settings.client_id or None)
            )
            try:
                async with asyncio.timeout(seconds):
                    token = (await credential.get_token(_STORAGE_SCOPE)).token
            except (AzureError, TimeoutError) as exc:
                told = f"Nobody is logged in here, so nothing in Azure can be looked at ({type(exc).__name__})."
                return [*findings, Finding("login", Level.FAIL, told, "run `az login`, then the doctor again.")]
        try:
            storage = StorageConnection(settings.data_storage, values, credential)
            blob_service = await stack.enter_async_context(storage.blob_service())
            table_service = await stack.enter_async_context(storage.table_service())
            queue_service = await stack.enter_async_context(storage.queue_service())
        except SettingsError as exc:
            return [Finding("settings", Level.FAIL, str(exc), "correct the app's settings.")]
        batch = await stack.enter_async_context(
            batch_client(settings.batch_endpoint, settings.batch_account, settings.batch_key, credential)
        )
        patient = Patient(
            settings=settings,
            visitor=storage_access.visitor(settings, uses_key, token),
            storage=StorageProbes(blob_service, queue_service, table_service),
            batch=BatchProbes(batch),
            blobs=AzureBlobs(blob_service),
            ledger=TableLedger(table_service.get_table_client(settings.files_table)),
            worklist=TableWorklist(table_service.get_table_client(settings.work_table)),
            check=await stack.enter_async_context(ImageChecker(parsers=1)),
            place=None if uses_key else management.place(settings, values),
            cli=AzureCli.found(environment),
            clock=lambda: datetime.now(UTC),
        )
        return [*findings, *await examine(patient.checks(), seconds)]


def main() -> int:
    """Examine what the arguments of this process name, and say what was found."""
    args = _arguments().parse_args()
    if hasattr(sys.stdout, "reconfigure"):
        # A terminal that can't show a character shows a question mark instead.
        sys.stdout.reconfigure(errors="replace")
    logging.basicConfig(level=logging.CRITICAL)
    file = args.settings or os.environ.get(VARIABLE, "")
    try:
        values = read_settings(file) if file else os.environ
    except SettingsError as exc:
        findings: Sequence[Finding] = [Finding("settings", Level.FAIL, str(exc))]
    else:
        findings = asyncio.run(_examine(values, os.environ, args.seconds))
    code = exit_code(findings)
    if args.json:
        print(json.dumps({"exit_code": code, "findings": [finding.to_json() for finding in findings]}, indent=2))
    else:
        print("\n".join(finding.line for finding in findings))
    return code


if __name__ == "__main__":
    sys.exit(main())
