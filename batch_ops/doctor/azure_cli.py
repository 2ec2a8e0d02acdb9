"""Asks the Azure CLI, if it is installed and logged in, for what only the management plane knows."""

import asyncio
import contextlib
import itertools
import json
import os
import shutil
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from batch_ops.doctor.instruments import Instrument
from batch_ops.doctor.management import ResourceNames
from batch_ops.domain.errors import IlastikBatchError
from batch_ops.task.plain_text import plain


class CliFault(IlastikBatchError):
    """The Azure CLI could not answer; the sentence ends with what it said."""


@dataclass(frozen=True, slots=True)
class AzureCli:
    """`program` is the path of `az`."""

    program: str
    environment: Mapping[str, str]

    @classmethod
    def found(cls, environment: Mapping[str, str]) -> "AzureCli | None":
        """Find `az` on the PATH."""
        program = shutil.which("az", path=environment.get("PATH"))
        return cls(program, environment) if program else None

    async def is_logged_in(self) -> bool:
        """Return whether somebody is logged in."""
        try:
            await self._ask("account", "show")
        except CliFault:
            return False
        return True

    async def batch_account(self, where: ResourceNames) -> Mapping[str, Any]:
        """Show the Batch account with its quotas."""
        answer = await self._ask("batch", "account", "show", "--name", where.batch_account, *_at(where))
        return dict(answer)

    async def event_subscriptions(self, where: ResourceNames) -> Sequence[Mapping[str, Any]]:
        """List the event subscriptions of every system topic of the storage account."""
        end = f"/storageaccounts/{where.storage_account}"
        found: list[Mapping[str, Any]] = []
        for topic in await self._ask("eventgrid", "system-topic", "list", *_at(where)):
            if str(topic.get("source", "")).lower().endswith(end):
                found += await self._ask(
                    *("eventgrid", "system-topic", "event-subscription", "list"),
                    *("--system-topic-name", str(topic["name"]), *_at(where)),
                )
        return found

    async def role_assignments(self, client_id: str, where: ResourceNames) -> Sequence[Mapping[str, Any]]:
        """List every role of an identity in the subscription."""
        words = ("role", "assignment", "list", "--all", "--assignee", client_id, "--subscription", where.subscription)
        return list(await self._ask(*words))

    async def instruments(self, where: ResourceNames, container: str) -> Sequence[Instrument]:
        """List who has a role of somebody's own on a container alone, with the ends of their certificates."""
        scope = (
            f"/subscriptions/{where.subscription}/resourceGroups/{where.group}/providers/Microsoft.Storage"
            f"/storageAccounts/{where.storage_account}/blobServices/default/containers/{container}"
        )
        held = await self._ask("role", "assignment", "list", "--scope", scope)
        ids = {
            str(role["principalId"])
            for role in held
            if str(role.get("scope", "")).lower() == scope.lower()
            and role.get("principalType") == "ServicePrincipal"
            and not str(role.get("roleDefinitionName", "")).startswith("Storage ")
        }
        return [await self._instrument(principal) for principal in sorted(ids)]

    async def _instrument(self, principal: str) -> Instrument:
        try:
            found = await self._ask("ad", "sp", "show", "--id", principal)
            name = str(found.get("displayName") or principal)
            if found.get("servicePrincipalType") == "ManagedIdentity":
                return Instrument(name)
            app = str(found["appId"])
            certificates = await self._ask("ad", "app", "credential", "list", "--id", app, "--cert")
        except CliFault as fault:
            # Not everybody may look into the directory.
            return Instrument(principal, unknown=str(fault))
        ends = [datetime.fromisoformat(str(c["endDateTime"])) for c in certificates if c.get("endDateTime")]
        return Instrument(name, max(ends), app=app) if ends else Instrument(name, unknown="it has no certificate.")

    async def client_id(self, identity: str) -> str:
        """Look up the client id of a user-assigned identity."""
        return str((await self._ask("identity", "show", "--ids", identity))["clientId"])

    async def _ask(self, *words: str) -> Any:
        asked = " ".join(("az", *itertools.takewhile(lambda word: not word.startswith("--"), words)))
        process = await asyncio.create_subprocess_exec(
            self.program,
            *words,
            *("--output", "json", "--only-show-errors"),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=dict(self.environment),
            start_new_session=True,
        )
        try:
            out, err = await process.communicate()
        except asyncio.CancelledError:
            # `az` is a script that starts Python: both must end.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
            raise
        if process.returncode:
            said = plain(" ".join(err.decode("utf-8", "replace").split())[-300:], 300)
            raise CliFault(f"The Azure CLI could not do `{asked}`: {said}")
        try:
            return json.loads(out)
        except ValueError as exc:
            raise CliFault(f"The answer to `{asked}` is not JSON.") from exc


def _at(where: ResourceNames) -> tuple[str, ...]:
    return ("--resource-group", where.group, "--subscription", where.subscription)
