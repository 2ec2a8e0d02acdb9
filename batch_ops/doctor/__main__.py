"""`python -m batch_ops.doctor [--settings FILE] [--json] [--seconds N]`.

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

from batch_ops.doctor import management, storage_access
from batch_ops.doctor.azure_cli import AzureCli
from batch_ops.doctor.checks import Deployment
from batch_ops.doctor.findings import Finding, Level, exit_code
from batch_ops.doctor.runner import examine
from batch_ops.domain.errors import ServiceFault, SettingsError
from batch_ops.settings_file import VARIABLE, read_settings
from batch_ops.wiring import connect, utc_now


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m batch_ops.doctor",
        description=(
            "Examine a deployment, in Azure or on this machine, and say what is wrong with it. What it writes to "
            "test write access is deleted before it ends."
        ),
        epilog="Exit codes: 0 all is well, 1 something needs attention, 2 something does not work.",
    )
    parser.add_argument(
        "--settings",
        metavar="FILE",
        help=(
            "the app's settings: a local.settings.json, or what `az functionapp config appsettings list` printed "
            f"(default: the file that {VARIABLE} names, else the environment)"
        ),
    )
    parser.add_argument("--json", action="store_true", help="a JSON object for programs instead of lines for people")
    parser.add_argument("--seconds", type=float, default=60.0, metavar="N", help="time limit of each check (60)")
    return parser


async def _examine(values: Mapping[str, str], environment: Mapping[str, str], seconds: float) -> Sequence[Finding]:
    async with AsyncExitStack() as stack:
        try:
            connection = await stack.enter_async_context(connect(values))
        except SettingsError as exc:
            remedy = "correct the app's settings, or give others with --settings."
            return [Finding("settings", Level.FAIL, str(exc), remedy)]
        findings = [Finding("settings", Level.OK, "The app's settings are complete.")]
        settings, login = connection.settings, connection.health.login
        uses_key = bool(values.get(settings.data_storage))
        try:
            async with asyncio.timeout(seconds):
                application_id = await login.application_id() if login else ""
        except (ServiceFault, TimeoutError) as exc:
            message = str(exc) or f"It took longer than {seconds:g} seconds to find out who is logged in here."
            return [*findings, Finding("login", Level.FAIL, message, "run `az login`, then the doctor again.")]
        deployment = Deployment(
            settings=settings,
            asker=storage_access.asker(settings, uses_key, application_id),
            ports=connection.ports,
            health=connection.health,
            place=None if uses_key else management.place(settings, values),
            cli=AzureCli.found(environment),
            clock=utc_now,
        )
        return [*findings, *await examine(deployment.checks(), seconds)]


def main(words: Sequence[str] | None = None) -> int:
    """Examine the deployment that the words of a command line name (default: this process's), print the findings."""
    args = _arguments().parse_args(words)
    if hasattr(sys.stdout, "reconfigure"):
        # A terminal that can't show a character must not end the command.
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
