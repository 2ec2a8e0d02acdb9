"""The checks of a deployment: what is examined, and which module judges it."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from batch_ops.containers.classifiers import find_classifier
from batch_ops.doctor import (
    costs,
    instruments,
    management,
    open_files,
    own_access,
    pool,
    projects,
    queues,
    self_test,
    storage_access,
    undelivered,
)
from batch_ops.doctor.azure_cli import AzureCli, CliFault
from batch_ops.doctor.findings import Finding, Level
from batch_ops.doctor.management import ResourceNames
from batch_ops.doctor.runner import Check
from batch_ops.doctor.storage_access import Asker
from batch_ops.domain.errors import ServiceFault
from batch_ops.domain.settings import Settings
from batch_ops.ports.health import Health
from batch_ops.ports.ports import Ports
from batch_ops.runs.budget_gate import BudgetGate
from batch_ops.runs.node_catalog import NodeCatalog


@dataclass(frozen=True, slots=True)
class Deployment:
    """What is examined. `place` is None if the settings name no subscription, `cli` if there is no Azure CLI."""

    settings: Settings
    asker: Asker
    ports: Ports
    health: Health
    place: ResourceNames | None
    cli: AzureCli | None
    clock: Callable[[], datetime]
    # Seconds that the app gets for an answer, less than a check may take, and between two looks for it.
    patience: float = 45.0
    pause: float = 2.0

    def checks(self) -> Sequence[Check]:
        """List the checks in the order of their findings."""
        return [
            Check("storage", "test the access to storage", self._access),
            Check("app", "have the app try its own roles", self._own_access),
            Check("tools", "look for the task's scripts", self._tools),
            Check("queues", "look at the queues", self._queues),
            Check("pool", "look at the pool", self._pools),
            Check("files", "read the open files", self._work),
            Check("costs", "look at prices and the month's budget", self._costs),
            Check("projects", "look at the projects", self._projects),
            Check("parser", "start the parser", self._parser),
            Check("events", "look for events that could not be delivered", self._dead_letters),
            Check("azure", "ask the Azure CLI", self._management),
        ]

    async def _access(self) -> Sequence[Finding]:
        probes = storage_access.plan(self.asker, self.settings)
        return storage_access.judge(self.asker, await self.health.storage.run(probes))

    async def _own_access(self) -> Sequence[Finding]:
        if self.asker is not Asker.OPERATOR or not self.settings.client_id:
            # With a key there are no roles; the app itself has just tried them.
            return []
        container = self.settings.frozen_container
        found = await own_access.look(self.ports.blobs, self.ports.outbox, container, self.patience, self.pause)
        return own_access.judge(found)

    async def _tools(self) -> Sequence[Finding]:
        if self.asker is Asker.APP:
            # The app has no access there, and needs none.
            return []
        container, blob = self.settings.tools_container, f"{self.settings.task_scripts}run_task.sh"
        if await self.ports.blobs.head(container, blob):
            return [Finding("tools", Level.OK, f"The task's scripts are there: {container}/{blob}.")]
        message = f"The task's scripts are missing: there is no {container}/{blob}, and every task will fail."
        return [
            Finding("tools", Level.FAIL, message, "run deploy.sh again, or correct TASK_SCRIPTS in the app's settings.")
        ]

    async def _queues(self) -> Sequence[Finding]:
        names = self.settings.queues
        statuses = await asyncio.gather(
            *(self.health.storage.queue(name, poison=poison) for name in names for poison in (False, True))
        )
        return [queues.judge(status, self.clock()) for status in statuses]

    async def _pools(self) -> Sequence[Finding]:
        findings: list[Finding] = []
        for pool_id, slots in ((self.settings.pool_id, self.settings.slots_per_node), (self.settings.large_pool_id, 1)):
            if pool_id:
                status, healed = await self.health.batch.pool(pool_id), self.settings.heal_nodes_per_day
                findings += pool.judge(status, pool_id, slots, self.clock(), healed=healed)
        return findings

    async def _work(self) -> Sequence[Finding]:
        return open_files.judge(await open_files.look(self.ports.worklist, self.ports.ledger), self.clock())

    async def _costs(self) -> Sequence[Finding]:
        settings, ports, clock = self.settings, self.ports, self.clock
        catalog = NodeCatalog(batch=ports.batch, clock=clock)
        pools = [pool_id for pool_id in (settings.pool_id, settings.large_pool_id) if pool_id and settings.prices]
        nodes = [await catalog.any_node(pool_id) for pool_id in pools]
        gate = BudgetGate(ledger=ports.ledger, worklist=ports.worklist, nodes=catalog, settings=settings, clock=clock)
        container, named = settings.projects_container, sorted(settings.budgets.named)
        strangers = [name for name in named if await find_classifier(ports.blobs, container, name) is None]
        return costs.judge(settings, nodes, await gate.books(of_all=True), clock().date(), strangers)

    async def _projects(self) -> Sequence[Finding]:
        container = self.settings.projects_container
        found, more = await projects.look(self.ports.blobs, self.ports.check, container)
        return projects.judge(found, more, container)

    async def _parser(self) -> Sequence[Finding]:
        return [self_test.judge(await self_test.look(self.ports.check))]

    async def _dead_letters(self) -> Sequence[Finding]:
        container = self.settings.dead_letter_container
        names = await undelivered.look(self.ports.blobs, self.health.storage, container)
        return undelivered.judge(container, names, (await self.ports.worklist.board()).sweeps)

    async def _management(self) -> Sequence[Finding]:
        if self.place is None:
            return [management.how_to_look(None, "")]
        if self.cli is None:
            return [management.how_to_look(self.place, "there is no Azure CLI on this machine")]
        if not await self.cli.is_logged_in():
            return [management.how_to_look(self.place, "the Azure CLI is not logged in")]
        parts = (
            self._quota(self.cli, self.place),
            self._events(self.cli, self.place),
            self._roles(self.cli, self.place),
            self._instruments(self.cli, self.place),
        )
        findings: list[Finding] = []
        for result in await asyncio.gather(*parts, return_exceptions=True):
            if isinstance(result, CliFault):
                findings.append(management.how_to_look(self.place, str(result).rstrip(".")))
            elif isinstance(result, BaseException):
                raise result
            else:
                findings += result
        return findings

    async def _quota(self, cli: AzureCli, where: ResourceNames) -> Sequence[Finding]:
        account = await cli.batch_account(where)
        try:
            jobs, found = await self.health.batch.active_jobs(), await self.health.batch.pool(self.settings.pool_id)
        except ServiceFault:
            # The check of the pool reports the reason.
            jobs, found = None, None
        return management.judge_quota(account, jobs, found)

    async def _events(self, cli: AzureCli, where: ResourceNames) -> Sequence[Finding]:
        return management.judge_subscriptions(await cli.event_subscriptions(where), self.settings)

    async def _instruments(self, cli: AzureCli, where: ResourceNames) -> Sequence[Finding]:
        found = await cli.instruments(where, self.settings.input_container)
        if not found:
            return []
        drops = await instruments.last_drops(
            self.ports.ledger, self.ports.blobs, self.settings.projects_container, [item.name for item in found]
        )
        return instruments.judge(found, drops, self.clock())

    async def _roles(self, cli: AzureCli, where: ResourceNames) -> Sequence[Finding]:
        pool_client = await cli.client_id(self.settings.pool_identity)
        subjects = [("The pool's identity", pool_client, management.needs_of_pool(self.settings, where))]
        if self.settings.client_id:
            subjects.insert(
                0, ("The app's identity", self.settings.client_id, management.needs_of_app(self.settings, where))
            )
        findings: list[Finding] = []
        for who, client_id, needs in subjects:
            held = await cli.role_assignments(client_id, where)
            findings += management.judge_roles(who, held, needs, self.settings, where)
        return findings
