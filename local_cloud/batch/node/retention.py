"""How long a completed task's files are kept on its node."""

import asyncio
import shutil
from datetime import datetime, timedelta

from local_cloud.batch.node.agent import Agents
from local_cloud.batch.state.account import Account
from local_cloud.batch.state.agenda import Timers
from local_cloud.batch.state.model import Task, TaskState
from local_cloud.batch.state.times import parse_duration

DEFAULT = timedelta(days=7)


class Retention:
    """Removes the folders of tasks whose retention time is over."""

    def __init__(self, account: Account, agents: Agents, timers: Timers) -> None:
        self._account = account
        self._agents = agents
        self._timers = timers

    def watch(self, task: Task) -> None:
        """Clean up after a completed task in due time."""
        due = files_until(task)
        if due is None or task.node is None:
            return
        self._timers.at(due, lambda: self._clean(task.job, task.key, task.seq))

    def watch_all(self) -> None:
        """Watch every completed task, after a restart."""
        for index in self._account.tasks.values():
            for task in index.in_state(TaskState.COMPLETED):
                self.watch(task)

    def _clean(self, job: str, key: str, seq: int) -> None:
        task = self._account.find_task(job, key, seq)
        if task is None or not files_are_gone(task, self._account.clock.now()):
            return
        node = self._account.find_node(task.pool, task.node)
        if node is not None:
            root = self._agents.of(node).paths.task(self._account.jobs[job].id, task.id).root
            self._agents.spawn(asyncio.to_thread(shutil.rmtree, root, True), f"clean-up of task {task.id}")


def files_until(task: Task) -> datetime | None:
    """Return when a completed task's files may go; None while it is not completed, and for never."""
    if task.state is not TaskState.COMPLETED or task.execution.end is None:
        return None
    kept = DEFAULT
    if '"retentionTime"' in task.spec:
        kept = parse_duration(task.body()["constraints"].get("retentionTime", "P7D"))
    try:
        return task.execution.end + kept
    except OverflowError:
        return None


def files_are_gone(task: Task, now: datetime) -> bool:
    """Say whether a completed task's retention time is over."""
    due = files_until(task)
    return due is not None and due <= now
