"""Which tasks of a job wait for others of it."""

from dataclasses import dataclass, field

from local_cloud.batch.state.model import Task


@dataclass(slots=True)
class _Range:
    """A range of numeric ids, and how many of them are still waited for."""

    start: int
    end: int
    missing: int


@dataclass(slots=True)
class _Wait:
    """What a task still waits for: single tasks by key (of all that it `names`), and ranges."""

    names: frozenset[str]
    keys: set[str]
    ranges: list[_Range] = field(default_factory=list)

    def is_over(self) -> bool:
        return not self.keys and all(entry.missing <= 0 for entry in self.ranges)


class Dependencies:
    """The waits of one job's tasks. What a task waits for need not be there yet."""

    def __init__(self) -> None:
        self._satisfied: set[str] = set()
        self._numbers: set[int] = set()  # of the satisfied ones, for ranges
        self._waits: dict[str, _Wait] = {}
        self._waiters: dict[str, set[str]] = {}

    def holds(self, task: Task) -> bool:
        """Say whether an active task must wait; it is remembered until it need not."""
        if '"dependsOn"' not in task.spec:
            return False
        wanted = task.body()["dependsOn"]
        names = frozenset(name.lower() for name in wanted.get("taskIds", []))
        wait = _Wait(names, set(names - self._satisfied))
        for entry in wanted.get("taskIdRanges", []):
            start, end = entry["start"], entry["end"]
            there = sum(start <= number <= end for number in self._numbers)
            wait.ranges.append(_Range(start, end, end - start + 1 - there))
        if wait.is_over():
            return False
        self._waits[task.key] = wait
        for key in wait.keys:
            self._wait(task.key, key)
        return True

    def _wait(self, waiting: str, key: str) -> None:
        self._waits[waiting].keys.add(key)
        self._waiters.setdefault(key, set()).add(waiting)

    def satisfy(self, key: str) -> list[str]:
        """Note that a task satisfies those that depend on it; return the keys of tasks that need wait no longer."""
        if key in self._satisfied:
            return []
        self._satisfied.add(key)
        touched = self._waiters.pop(key, set())
        for name in touched:
            if name in self._waits:
                self._waits[name].keys.discard(key)
        if (number := _number(key)) is not None:
            self._numbers.add(number)
            for name, wait in self._waits.items():
                for entry in wait.ranges:
                    if entry.start <= number <= entry.end:
                        entry.missing -= 1
                        touched.add(name)
        free = [name for name in touched if name in self._waits and self._waits[name].is_over()]
        for name in free:
            del self._waits[name]
        return free

    def forget(self, key: str) -> None:
        """Note that a task is gone: it waits for nothing, and what still waits for it waits for a later one of its id.

        So it is after a restart, too, when nothing tells that there was one.
        """
        self._waits.pop(key, None)
        self._satisfied.discard(key)
        for name, wait in self._waits.items():
            if key in wait.names:
                self._wait(name, key)
        number = _number(key)
        if number in self._numbers:
            self._numbers.discard(number)
            for wait in self._waits.values():
                for entry in wait.ranges:
                    entry.missing += entry.start <= number <= entry.end


def _number(key: str) -> int | None:
    """Return the number that an id is, None for any other text (such as 007)."""
    if not key.isascii() or not key.isdigit() or str(int(key)) != key:
        return None
    return int(key)
