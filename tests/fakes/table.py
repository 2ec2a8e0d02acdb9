"""A table as Azure has it: sorted keys, versions, conditions, transactions in one partition, pages."""

from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from batch_ops.adapters.table_rows import from_properties, to_properties
from batch_ops.domain.errors import Conflict, RequestRefused
from tests.fakes.cloud import Cloud

PAGE = 1000
LARGEST_TRANSACTION = 100
_KEY_BYTES = 1024
_ENTITY_BYTES = 2**20
_FORBIDDEN_IN_KEYS = set("/\\#?") | {chr(code) for code in (*range(0x20), *range(0x7F, 0xA0))}


@dataclass(frozen=True, slots=True)
class Row[V]:
    """A value with its version."""

    value: V
    version: str


@dataclass(frozen=True, slots=True)
class Change[V]:
    """One operation of a transaction.

    With `over`: replace that very version. Without: insert (`new`) or put over whatever is there; without a value,
    delete it.
    """

    key: str
    value: V | None
    over: str | None = None
    new: bool = False


@dataclass(slots=True)
class _Partition[V]:
    rows: dict[str, Row[V]] = field(default_factory=dict)
    order: list[str] | None = None

    def keys(self) -> list[str]:
        if self.order is None:
            self.order = sorted(self.rows)
        return self.order

    def put(self, key: str, row: Row[V]) -> None:
        if key not in self.rows:
            self.order = None
        self.rows[key] = row

    def drop(self, key: str) -> None:
        del self.rows[key]
        self.order = None


class RowMissing(Conflict):
    """There is no row to be deleted."""


class Table[V]:
    """Rows are frozen values; `strict` also sends each through the real serialisation, both ways.

    `watch` hears about every change once it took effect: the key, the value before, and the value now.
    """

    def __init__(self, cloud: Cloud, name: str, *, strict: bool = True) -> None:
        self._cloud, self._name, self.strict = cloud, name, strict
        self._partitions: dict[str, _Partition[V]] = {}
        self.page_size = PAGE
        self.watch: Callable[[str, V | None, V | None], None] | None = None

    def get(self, partition: str, key: str) -> Row[V] | None:
        """The row of a key."""
        self._cloud.examined[self._name] += 1
        found = self._partitions.get(partition)
        return found.rows.get(key) if found else None

    def write(self, partition: str, changes: Sequence[Change[V]]) -> list[str]:
        """All changes or none; the new versions. Raises `Conflict`, `RequestRefused`."""
        if len(changes) > LARGEST_TRANSACTION:
            raise RequestRefused(f"A transaction holds {LARGEST_TRANSACTION} rows, not {len(changes)}.")
        if len(changes) > 1 and len({change.key for change in changes}) < len(changes):
            raise RequestRefused("A transaction holds a row once (InvalidDuplicateRow).")
        rows = self._partition(partition)
        for change in changes:
            self._check(change, rows)
        versions = []
        for change in changes:
            version = f"W/\"datetime'{self._cloud.number():08d}'\""
            versions.append(version)
            before = rows.rows.get(change.key)
            if change.value is None:
                rows.drop(change.key)
            else:
                rows.put(change.key, Row(change.value, version))
            if self.watch is not None:
                self.watch(change.key, before.value if before else None, change.value)
        return versions

    def delete(self, partition: str, key: str, version: str | None = None) -> None:
        """Take a row (of that version) away. Raises `Conflict`."""
        rows = self._partition(partition)
        row = rows.rows.get(key)
        if row is None or (version is not None and row.version != version):
            raise Conflict(f"The row {key} is gone or was changed.")
        rows.drop(key)
        if self.watch is not None:
            self.watch(key, row.value, None)

    def page(
        self, partition: str, start: str, end: str, after: str | None = None, most: int = 0
    ) -> tuple[list[Row[V]], str | None]:
        """The rows of `start <= key < end`, at most a page (of `most`), and where the next page begins."""
        found = self._partitions.get(partition)
        if found is None:
            self._cloud.examined[self._name] += 1
            return [], None
        keys = found.keys()
        first = bisect_left(keys, after or start)
        last = bisect_left(keys, end)
        stop = max(first, min(first + min(most or self.page_size, self.page_size), last))
        self._cloud.examined[self._name] += max(stop - first, 1)
        return [found.rows[key] for key in keys[first:stop]], keys[stop] if stop < last else None

    def all(self, partition: str) -> list[V]:
        """Every value of a partition, for whoever is no client of the table."""
        found = self._partitions.get(partition)
        return [row.value for row in found.rows.values()] if found else []

    def by_key(self) -> dict[str, dict[str, V]]:
        """Every value by partition and key, for whoever is no client of the table."""
        return {
            name: {key: row.value for key, row in partition.rows.items()}
            for name, partition in self._partitions.items()
        }

    def __len__(self) -> int:
        return sum(len(partition.rows) for partition in self._partitions.values())

    def _partition(self, name: str) -> _Partition[V]:
        found = self._partitions.get(name)
        if found is None:
            check_key(name)
            found = self._partitions[name] = _Partition()
        return found

    def _check(self, change: Change[V], partition: _Partition[V]) -> None:
        row = partition.rows.get(change.key)
        if change.over is not None and (row is None or row.version != change.over):
            raise Conflict(f"The row {change.key} was changed.")
        if change.new and row is not None:
            raise Conflict(f"The row {change.key} exists.")
        if change.value is None:
            if row is None:
                raise RowMissing(f"There is no row {change.key}.")
            return
        if row is None:
            check_key(change.key)
        if self.strict:
            check_value(change.value)


def check_key(key: str) -> None:
    """Raise `RequestRefused` for what no key of a table may be."""
    if len(key.encode("utf-16-le", "surrogatepass")) > _KEY_BYTES or not _FORBIDDEN_IN_KEYS.isdisjoint(key):
        raise RequestRefused(f"{key!r} can't be a key of a table.")


def check_value(value: Any) -> None:
    """Raise if a row can't hold the value, or would give back another one."""
    properties = to_properties(value)
    size = sum(2 * len(name) + 2 * len(str(cell)) + 8 for name, cell in properties.items())
    if size > _ENTITY_BYTES or len(properties) > 250:
        raise RequestRefused("The entity is larger than a row of a table may be.")
    back = from_properties(type(value), properties)
    if back != value:
        raise AssertionError(f"A row would give back {back} for {value}.")
