"""What must be true once all has come to rest: of real processes under faults, and of those in virtual time.

A soak and a simulation each give their view of what is there; a broken rule comes back as a sentence.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from batch_ops.containers.results import PROBLEM, PROVENANCE
from batch_ops.domain import naming
from batch_ops.domain.file_record import State
from batch_ops.domain.transitions import ALLOWED
from batch_ops.task.parts import part_of
from tests.executions import md5


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a file as the ledger has it. `failures`: attempts that failed; `moves`: its states in order."""

    number: int
    state: State
    reason: str
    etag: str
    md5: str | None
    task_id: str
    tiffs: int
    failures: int
    requeues: int
    moves: Sequence[State]


@dataclass(frozen=True, slots=True)
class Task:
    """A task as Batch has it."""

    id: str
    state: str
    ended_well: bool
    requeues: int


@dataclass(frozen=True, slots=True)
class Folder:
    """A file's results: the run that each blob names, and what is in it."""

    runs: Mapping[str, str | None]
    read: Callable[[str], bytes]

    def provenance(self) -> Any:
        """What provenance.json says."""
        return json.loads(self.read(PROVENANCE))


def of_rest(worklist: Iterable[object], poison: Mapping[str, int], staged: Iterable[str]) -> list[str]:
    """Nothing is open, nothing was given up, nothing is left lying about."""
    return [
        *(f"The worklist has an open entry {entry}." for entry in worklist),
        *(f"{queue} holds {count} messages." for queue, count in poison.items() if count),
        *(f"staging still holds {blob}." for blob in staged),
    ]


def of_runs(runs: Mapping[int, Run], tasks: Sequence[Task]) -> list[str]:
    """States go along the table; a run has one task that works for it, and records every loss."""
    found = []
    for number, run in runs.items():
        for before, after in pairwise(run.moves):
            if after not in ALLOWED[before]:
                found.append(f"run {number} went from {before} to {after}")
        own = [task for task in tasks if naming.run_of_task(task.id) == number]
        # Of an image in parts, each part has tasks of its own.
        for part in {(part_of(task.id) or (0, 0))[0] for task in own}:
            of_part = [task for task in own if (part_of(task.id) or (0, 0))[0] == part]
            well, what = sum(task.ended_well for task in of_part), f"run {number}" + (f", part {part}," if part else "")
            if well > 1 + run.failures:
                found.append(f"{well} tasks of {what} ended well, with {run.failures} failed attempts in the row")
            if len(of_part) > 1 + run.failures:
                found.append(f"{what} had {len(of_part)} tasks, with {run.failures} failed attempts in the row")
        current = next((task for task in own if task.id == run.task_id), None)
        if current and run.state is State.SUCCEEDED and current.requeues > run.requeues:
            found.append(f"run {number} does not tell that Batch put its task back")
    found += [f"the task {task.id} is {task.state}" for task in tasks if task.state != "completed"]
    found += [f"no run knows the task {task.id}" for task in tasks if naming.run_of_task(task.id) not in runs]
    return found


def of_segmentations[V](times: Mapping[V, int], losses: Mapping[V, int]) -> list[str]:
    """No version is segmented twice, except after a loss or a failure on record."""
    return [
        f"version {version} was segmented {count} times, with {losses.get(version, 0)} losses on record"
        for version, count in times.items()
        if count > 1 + losses.get(version, 0)
    ]


def of_results(run: Run, folder: Folder) -> list[str]:
    """One whole set of TIFFs: what provenance.json names is there and nothing else, all of the row's run."""
    leaves = folder.runs
    if PROVENANCE not in leaves:
        return [f"there is no {PROVENANCE} beside {sorted(leaves)}"]
    document = folder.provenance()
    tiffs = {entry["name"]: (entry["length"], entry["md5"]) for entry in document["files"]}
    others = {entry["path"]: (entry["length"], entry["md5"]) for entry in document.get("outputs", ())}
    named = others or tiffs
    found = []
    if set(leaves) != {PROVENANCE, *named, *([document["log"]] if document["log"] else [])}:
        found.append(f"the results are {sorted(leaves)}, {PROVENANCE} names {sorted(named)}")
    for leaf in sorted(set(named) & set(leaves)):
        data = folder.read(leaf)
        if (len(data), md5(data)) != named[leaf]:
            found.append(f"{leaf} is not what {PROVENANCE} says")
    published = (document["run"]["number"], document["run"]["task_id"], len(tiffs))
    if published != (run.number, run.task_id, run.tiffs):
        found.append(f"{PROVENANCE} names {published}, the row of {(run.number, run.task_id, run.tiffs)}")
    # The same bytes may be uploaded again when the results are there: only the row follows.
    if document["input"]["etag"] != run.etag and document["input"]["md5"] != run.md5:
        found.append(f"{PROVENANCE} names another version than {run.etag}")
    strangers = sorted(leaf for leaf, number in leaves.items() if number != str(run.number))
    if strangers:
        found.append(f"{strangers} are of another run than {run.number}")
    return found


def of_problem(run: Run, folder: Folder) -> list[str]:
    """The reason and nothing else; of a cancelled file nothing, or the results of an older version."""
    leaves = set(folder.runs)
    if run.state is State.CANCELLED:
        return [f"a cancelled file has {sorted(leaves)}"] if leaves and PROVENANCE not in leaves else []
    if leaves != {PROBLEM}:
        return [f"{run.state}, but its results are {sorted(leaves)}"]
    if not run.reason or run.reason not in folder.read(PROBLEM).decode():
        return [f"{PROBLEM} does not say {run.reason!r}"]
    return []
