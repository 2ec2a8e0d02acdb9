"""A large image in parts: which pixels each of them computes, and what its task gets to know of it.

An image is cut along one axis. Each part but those at the ends of the image is computed with a halo, pixels that the
features of its own look at; where the results are joined, the halo goes.
Pure and stdlib only, for Python 3.9 and newer: this module travels to the node (see contract.py).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from batch_ops.task import strict_json
from batch_ops.task.report import EXECUTION, TASK_ID
from batch_ops.task.strict_json import UTC, check_text

MOST_PARTS = 500
# Along x exactness has not been shown: there, filters round otherwise near the ends of lines.
CUT_AXES = "tzy"
_PART_TASK = re.compile(r"-(?P<attempt>[0-9]+)-p(?P<part>[0-9]+)$")


class PartsError(ValueError):
    """This is not how the app writes parts for a task."""


@dataclass(frozen=True)
class Region:
    """Pixels along `axis`, as first and end: those that a part reads, and among them those that it is there for."""

    axis: str
    read: tuple[int, int]
    kept: tuple[int, int]

    def of_shape(self, axes: str, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of what is read of an image."""
        return tuple(self.read[1] - self.read[0] if axis == self.axis else size for axis, size in zip(axes, shape))

    def corner(self, axes: str) -> tuple[int, ...]:
        """Return where in the image it begins that is read."""
        return tuple(self.read[0] if axis == self.axis else 0 for axis in axes)


@dataclass(frozen=True)
class Division:
    """How an image is cut: `number` parts along `axis`, which has `size` pixels; `halo` pixels around each part."""

    axis: str
    size: int
    number: int
    halo: int = 0

    def __post_init__(self) -> None:
        whole = all(type(value) is int for value in (self.size, self.number, self.halo))
        if not whole or self.axis not in tuple(CUT_AXES) or not 2 <= self.number <= min(MOST_PARTS, self.size):
            raise PartsError(f"An image can't be cut along {self.axis!r} ({self.size}) into {self.number} parts.")
        if not 0 <= self.halo <= self.size:
            raise PartsError(f"Parts can't have a halo of {self.halo} pixels.")

    def region(self, part: int) -> Region:
        """Return what a part has, the first being 1: all have the same size, or one pixel less."""
        if not 1 <= part <= self.number:
            raise PartsError(f"There is no part {part} of {self.number}.")
        first, end = (self.size * number // self.number for number in (part - 1, part))
        return Region(self.axis, (max(0, first - self.halo), min(self.size, end + self.halo)), (first, end))

    def whole(self, axes: str, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of the image of which this is the shape of a part."""
        return tuple(self.size if axis == self.axis else size for axis, size in zip(axes, shape))

    @property
    def repeated(self) -> float:
        """How much all parts read together, as a multiple of the image: more than 1 where there is a halo."""
        regions = (self.region(part) for part in range(1, self.number + 1))
        return sum(region.read[1] - region.read[0] for region in regions) / self.size

    def words(self, part: int) -> str:
        """Say which part it is, for people."""
        first, end = self.region(part).kept
        where = f"{self.axis} {first}" if end - first == 1 else f"{self.axis} {first} to {end - 1}"
        return f"part {part} of {self.number} ({where})"


@dataclass(frozen=True)
class TaskParts:
    """What a task gets: the part that it computes, or the parts whose results it joins (`part` 0).

    `attempts`: by which attempt a part was computed, where it was not the first.
    """

    cut: Division
    part: int = 0
    attempts: Mapping[int, int] = field(default_factory=dict)

    @property
    def region(self) -> Region | None:
        """What is to be computed; None for a task that joins."""
        return self.cut.region(self.part) if self.part else None

    def task_ids(self, task_id: str) -> list[str]:
        """Return the tasks of all parts, by the id of the task that joins them."""
        return [part_id(task_id, self.attempts.get(part, 1), part) for part in range(1, self.cut.number + 1)]

    @property
    def used_attempts(self) -> list[int]:
        """Return the attempts that parts were computed in, each once."""
        return sorted({self.attempts.get(part, 1) for part in range(1, self.cut.number + 1)})

    def to_json(self) -> str:
        """Write it for the variables of a task."""
        cut = self.cut
        data: dict[str, Any] = {"axis": cut.axis, "size": cut.size, "number": cut.number, "halo": cut.halo}
        if self.part:
            data["part"] = self.part
        if self.attempts:
            data["attempts"] = {str(part): attempt for part, attempt in self.attempts.items()}
        return json.dumps(data, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> TaskParts | None:
        """Read what `to_json` wrote; "" is None. Raises `PartsError`."""
        if not text:
            return None
        try:
            data = json.loads(text)
            cut = Division(data["axis"], data["size"], data["number"], data["halo"])
            attempts = {int(part): int(attempt) for part, attempt in data.get("attempts", {}).items()}
            found = cls(cut, int(data.get("part", 0)), attempts)
            _ = found.region
        except PartsError:
            raise
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as exc:
            raise PartsError(f"The parts can't be read: {type(exc).__name__}: {exc}.") from exc
        return found


@dataclass(frozen=True)
class PartRun:
    """Where and when a part was computed: its task, the execution of it, the node; `started`, `finished` in UTC."""

    task_id: str
    execution: str
    node: str
    started: str
    finished: str

    def __post_init__(self) -> None:
        check_text(self.task_id, "the task of a part", 64, TASK_ID)
        check_text(self.execution, "the execution of a part", 25, EXECUTION)
        check_text(self.node, "the node of a part", 200)
        check_text(self.started, "the start of a part", 20, UTC)
        check_text(self.finished, "the end of a part", 20, UTC)

    @classmethod
    def read(cls, value: object) -> PartRun:
        """Read what `asdict` makes of it. Raises `ManifestError` for anything else."""
        return cls(**strict_json.fields(cls, value, "a part"))


def part_id(task_id: str, attempt: int, part: int) -> str:
    """Return the id of the task that computes a part, by that of any attempt to join them."""
    return f"{task_id.rpartition('-')[0]}-{attempt}-p{part}"


def parts_prefix(task_id: str, attempt: int) -> str:
    """Return what the ids of the tasks that compute parts in this attempt start with, and no other task's."""
    return f"{task_id.rpartition('-')[0]}-{attempt}-p"


def part_of(task_id: str) -> tuple[int, int] | None:
    """Return part and attempt in the id of a part's task; None for any other task."""
    found = _PART_TASK.search(task_id)
    return (int(found["part"]), int(found["attempt"])) if found else None
