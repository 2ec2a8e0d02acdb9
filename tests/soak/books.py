"""What a soak's cloud has in its books: rows, worklist, tasks, blobs, and what really ran on the nodes."""

from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from azure.batch.models import BatchTask
from azure.storage.blob import BlobProperties

from batch_ops.domain import naming
from batch_ops.domain.file_record import FINAL
from batch_ops.runs.ending import LEFTOVER_AGE
from tests.acceptance.lab import Lab

_LEFTOVER_SLACK = timedelta(minutes=1)
# An ilastik that notes in a file of its own when it came to its end, whatever Batch and the ledger make of it.
_NOTING = """#!/bin/sh
"{stand_in}/run_ilastik.sh" "$@"
code=$?
echo "$AZ_BATCH_TASK_ID $code" >> "{notes}"
exit $code
"""


def noting_ilastik(home: Path, stand_in: Path) -> Path:
    """Make such an ILASTIK_HOME; the file of notes."""
    (home / "bin").mkdir(parents=True)
    (home / "bin/python").symlink_to(stand_in / "bin/python")
    notes = home / "ran.txt"
    notes.touch()
    program = home / "run_ilastik.sh"
    program.write_text(_NOTING.format(stand_in=stand_in, notes=notes))
    program.chmod(0o755)
    return notes


@dataclass(frozen=True, slots=True)
class Books:
    """All by file. `runs`: every run, the current one as the file's row has it. `ran`: by task, successful ends."""

    rows: dict[str, dict[str, Any]]
    runs: dict[str, dict[int, dict[str, Any]]]
    intents: list[dict[str, Any]]
    tasks: dict[str, list[BatchTask]]
    ran: Counter[str]
    inputs: dict[str, BlobProperties]
    results: dict[str, dict[str, BlobProperties]]
    staging: dict[str, list[str]]
    strays: list[str]
    poison: dict[str, int]


def read(lab: Lab, names: list[str], notes: Path) -> Books:
    """Everything at once; take it while nothing moves."""
    rows, runs = _ledger(lab)
    by_hash = {naming.file_hash(name): name for name in names}
    tasks: dict[str, list[BatchTask]] = defaultdict(list)
    strays = []
    for job in lab.batch.list_jobs():
        for task in lab.batch.list_tasks(job.id):
            name = by_hash.get(naming.file_of_task(task.id) or "")
            tasks[name or ""].append(task)
            strays += [] if name else [f"task {task.id}"]
    folders = {naming.results_folder(name): name for name in names}
    results: dict[str, dict[str, BlobProperties]] = defaultdict(dict)
    for blob in lab.blobs.get_container_client("results").list_blobs(include=["metadata"]):
        # Results lie below their folder, and another file's folder may lie in it: the innermost is theirs.
        steps = blob.name.split("/")
        inner = (n for n in range(len(steps) - 1, 0, -1) if "/".join([*steps[:n], ""]) in folders)
        if (depth := next(inner, None)) is None:
            strays.append(f"result {blob.name}")
        else:
            results[folders["/".join([*steps[:depth], ""])]]["/".join(steps[depth:])] = blob
    staging: dict[str, list[str]] = defaultdict(list)
    for blob in lab.blobs.get_container_client("staging").list_blobs():
        name = by_hash.get(naming.file_of_task(blob.name.partition("/")[0]) or "")
        staging[name or ""].append(blob.name)
        strays += [] if name else [f"staged {blob.name}"]
    inputs = {blob.name: blob for blob in lab.blobs.get_container_client("input").list_blobs()}
    ran = Counter(task for task, code in map(str.split, notes.read_text().splitlines()) if code == "0")
    return Books(rows, runs, intents(lab), tasks, ran, inputs, results, staging, strays, _poison(lab))


def _ledger(lab: Lab) -> tuple[dict[str, dict[str, Any]], dict[str, dict[int, dict[str, Any]]]]:
    rows: dict[str, dict[str, Any]] = {}
    runs: dict[str, dict[int, dict[str, Any]]] = defaultdict(dict)
    for entity in lab.tables.get_table_client("files").list_entities():
        row = {key: getattr(value, "value", value) for key, value in entity.items()}
        if "is_file" not in row:
            continue  # a copy in the index
        if row["is_file"]:
            rows[row["name"]] = row
        else:
            runs[row["name"]][row["run"]] = row
    for name, row in rows.items():
        runs[name][row["run"]] = row
    return rows, runs


def states(lab: Lab) -> Counter[str]:
    """How many files are in which state."""
    table = lab.tables.get_table_client("files")
    return Counter(str(row["state"]) for row in table.query_entities("is_file eq true", select=["state"]))


def intents(lab: Lab) -> list[dict[str, Any]]:
    """The worklist's entries of files that are on their way.

    A start that was killed between intent and claim leaves one without an owner, which is taken off by design once no
    invocation can be at work any more: until then it is no complaint.
    """
    table = lab.tables.get_table_client("work")
    rows, _ = _ledger(lab)
    now = datetime.now(UTC)
    found = []
    for entry in table.query_entities("PartitionKey eq 'open' and cleaning eq false"):
        if entry["RowKey"].startswith("i!"):
            row = rows.get(entry["name"])
            owned = row is not None and row.get("intent") == entry["nonce"]
            if owned or now - entry["added"] > LEFTOVER_AGE + _LEFTOVER_SLACK:
                found.append(dict(entry))
    return found


def settled(
    lab: Lab, names: list[str], is_done: Callable[[str, dict[str, Any] | None, BlobProperties | None], bool]
) -> list[str]:
    """The files that are not done yet; `is_done` gets name, row, and the blob in `input` (None: nothing there)."""
    rows, _ = _ledger(lab)
    stored = {blob.name: blob for blob in lab.blobs.get_container_client("input").list_blobs()}
    return [name for name in names if not is_done(name, rows.get(name), stored.get(name))]


def is_over(row: dict[str, Any] | None) -> bool:
    """Nothing more happens to this file by itself."""
    return row is not None and row["state"] in set(map(str, FINAL))


def put_back(task: BatchTask) -> int:
    """How often Batch put a task back into its queue."""
    return int(task.execution_info.requeue_count or 0) if task.execution_info else 0


def _poison(lab: Lab) -> dict[str, int]:
    found = {}
    for queue in lab.queues.list_queues():
        if queue.name.endswith("-poison"):
            client = lab.queues.get_queue_client(queue.name)
            found[queue.name] = client.get_queue_properties().approximate_message_count or 0
    return found
