"""The tasks of one job, indexed so that 100,000 of them are cheap to count, to page and to schedule."""

import heapq
from bisect import bisect_left, bisect_right
from collections.abc import Iterator

from local_cloud.batch.state.dependencies import Dependencies
from local_cloud.batch.state.exit_conditions import satisfies
from local_cloud.batch.state.model import Result, Task, TaskState


class Counts:
    """How many tasks, or task slots, are in each state."""

    __slots__ = ("active", "failed", "running", "succeeded")

    def __init__(self) -> None:
        self.active = self.running = self.succeeded = self.failed = 0

    def add(self, task: Task, amount: int) -> None:
        """Count `task` `amount` times (negative: take it out)."""
        if task.state is TaskState.ACTIVE:
            self.active += amount
        elif task.state is not TaskState.COMPLETED:
            self.running += amount
        elif task.execution.result is Result.SUCCESS:
            self.succeeded += amount
        else:
            self.failed += amount

    def wire(self) -> dict[str, int]:
        """Write the counts as the service does."""
        return {
            "active": self.active,
            "running": self.running,
            "completed": self.succeeded + self.failed,
            "succeeded": self.succeeded,
            "failed": self.failed,
        }


class TaskIndex:
    """The tasks of a job by key, in order of creation, and those that wait for a slot.

    Where tasks are `dependent`, those that wait for other tasks do not wait for a slot yet.
    """

    def __init__(self, *, dependent: bool = False) -> None:
        self.tasks: dict[str, Task] = {}
        self.counts = Counts()
        self.slot_counts = Counts()
        self.ever_filled = False  # whether there has been a task, deleted ones included
        self._order: list[tuple[int, str]] = []
        self._dependencies = Dependencies() if dependent else None
        # By required slots: a heap of (seq, key). Entries outlive their task's wait and are checked.
        self._waiting: dict[int, list[tuple[int, str]]] = {}

    def put(self, task: Task) -> Task | None:
        """Add or replace a task; return the one that was there before."""
        before = self.tasks.get(task.key)
        if before is not None:
            self.counts.add(before, -1)
            self.slot_counts.add(before, -before.slots)
        self.tasks[task.key] = task
        self.counts.add(task, 1)
        self.slot_counts.add(task, task.slots)
        if before is None:
            self.ever_filled = True
            self._order.append((task.seq, task.key))
        if task.state is TaskState.ACTIVE and (before is None or before.state is not TaskState.ACTIVE):
            if self._dependencies is None or not self._dependencies.holds(task):
                self._wait_for_slot(task)
        elif self._dependencies is not None and satisfies(task):
            for key in self._dependencies.satisfy(task.key):
                self._wait_for_slot(self.tasks[key])
        return before

    def _wait_for_slot(self, task: Task) -> None:
        heapq.heappush(self._waiting.setdefault(task.slots, []), (task.seq, task.key))

    def remove(self, key: str) -> Task | None:
        """Take a task out."""
        task = self.tasks.pop(key, None)
        if task is not None:
            self.counts.add(task, -1)
            self.slot_counts.add(task, -task.slots)
            if self._dependencies is not None:
                self._dependencies.forget(key)
            del self._order[bisect_left(self._order, (task.seq, task.key))]
        return task

    def after(self, seq: int) -> Iterator[Task]:
        """Yield tasks in order of creation, from the first whose number is above `seq`."""
        tasks = self.tasks
        for _, key in self._order[bisect_right(self._order, (seq, "\x7f")) :]:
            yield tasks[key]

    def first_waiting(self, most_slots: int) -> Task | None:
        """Return the oldest active task that needs at most `most_slots` slots."""
        best: tuple[int, str] | None = None
        for slots, heap in list(self._waiting.items()):
            if slots > most_slots:
                continue
            while heap and not self._waits(heap[0]):
                heapq.heappop(heap)
            if not heap:
                del self._waiting[slots]
            elif best is None or heap[0] < best:
                best = heap[0]
        return None if best is None else self.tasks[best[1]]

    def _waits(self, entry: tuple[int, str]) -> bool:
        seq, key = entry
        task = self.tasks.get(key)
        return task is not None and task.seq == seq and task.state is TaskState.ACTIVE

    def in_state(self, *states: TaskState) -> list[Task]:
        """Return all tasks in one of `states`."""
        return [task for task in self.tasks.values() if task.state in states]
