"""What the operators of a simulation do: by the product's own commands, or in Batch itself."""

from datetime import timedelta
from typing import TYPE_CHECKING

from batch_ops.domain.selection import Selection
from batch_ops.use_cases.poison_queues import PoisonSelection
from tests.chaos.process import Process

if TYPE_CHECKING:
    from tests.chaos.simulation import Simulation


def _by_page(name: str) -> bool:
    """Whether a file is steered from the page: half of them are."""
    return sum(map(ord, name)) % 2 == 0


class Operators:
    """A command runs in one of the processes, which may stand still or die meanwhile."""

    def __init__(self, world: "Simulation") -> None:
        self._world = world

    def cancel(self, name: str) -> None:
        """Cancel a file."""

        async def command(process: Process) -> None:
            plan = await process.steering.plan_cancel(Selection(names=(name,)))
            self._world.happened["files that an operator cancels"] += len(plan.chosen)
            if _by_page(name):
                await process.page.send("steer", ("action", "cancel"), ("name", name))
            else:
                await process.steering.cancel(plan.chosen)

        self._world.cancelled.add(name)
        self._world.host.operate(command)

    def retry(self, name: str, *, force: bool = False) -> None:
        """Ask for another run of a file that failed or was cancelled, or (force) that ended well."""

        async def command(process: Process) -> None:
            plan = await process.steering.plan_retry(Selection(names=(name,)), force=force)
            # The page plans anew, and may find what was not there a moment ago.
            self._world.retried[name] += max(len(plan.chosen), int(_by_page(name)))
            self._world.happened[f"files that an operator runs again{' by --force' if force else ''}"] += len(
                plan.chosen
            )
            if _by_page(name):
                forced = [("force", "1")] if force else []
                await process.page.send("steer", ("action", "retry"), ("name", name), *forced)
            else:
                await process.steering.retry(plan.chosen)

        self._world.host.operate(command)

    def rerun(self, project: str, name: str) -> None:
        """Segment a project again, beside its results."""

        async def command(process: Process) -> None:
            plan = await process.rerunning.plan(project, name)
            self._world.happened["files that an operator has segmented again beside"] += len(plan.images)
            await process.rerunning.begin(plan)

        self._world.host.operate(command)

    def announce_removal(self, name: str, notice: timedelta) -> None:
        """Announce that a file will be removed for good."""

        async def command(process: Process) -> None:
            if process.is_older:
                # It has no such command.
                return
            plan = await process.purging.plan(Selection(names=(name,)))
            await process.purging.announce(plan.new, notice)

        self._world.host.operate(command)

    def remove_for_good(self, name: str) -> None:
        """Remove a file for good, if that was announced and its time has come."""

        async def command(process: Process) -> None:
            if process.is_older:
                # It has no such command.
                return
            plan = await process.purging.plan(Selection(names=(name,)))
            await process.purging.purge(plan.due)

        self._world.host.operate(command)

    def backfill(self, prefix: str = "") -> None:
        """Order what has no row."""

        async def command(process: Process) -> None:
            plan = await process.backfiller.plan(prefix)
            self._world.happened["files that an operator back-fills"] += len(plan.names)
            await process.backfiller.ask(plan)

        self._world.host.operate(command)

    def retry_poison(self) -> None:
        """Put back what the host gave up."""

        async def command(process: Process) -> None:
            put_back = await process.poison_care.retry(PoisonSelection())
            self._world.happened["poison messages that an operator retries"] += put_back

        self._world.host.operate(command)

    def pause(self, span: timedelta, project: str = "") -> None:
        """Let nothing new begin for a while, of a project or at all."""
        self._world.host.operate(lambda process: process.page.send("pause", ("action", "pause"), ("project", project)))

        async def resume(process: Process) -> None:
            await process.steering.resume(project)

        self._world.later(span, lambda: self._world.host.operate(resume))

    def pause_jobs(self, span: timedelta) -> None:
        """Disable every job for a while."""
        paused = [job for job, state in self._world.batch.jobs().items() if state == "active"]
        for job in paused:
            self._world.batch.disable_job(job)

        def go_on() -> None:
            for job in paused:
                if self._world.batch.jobs().get(job) == "disabled":
                    self._world.batch.enable_job(job)
            self._world.wake_nodes()

        self._world.later(span, go_on)

    def delete_jobs(self) -> None:
        """Delete every job with its tasks."""
        for task, spec in self._world.batch.tasks():
            self._world.nodes.lose(task, spec)
        for job in self._world.batch.jobs():
            self._world.batch.delete_job(job)
