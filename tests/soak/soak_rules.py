"""What must be true once the faults are over and the system has settled: the common rules, and those of the plan."""

import hashlib
import io
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from typing import Any

import tifffile
from azure.storage.blob import BlobProperties

from batch_ops.adapters.row_texts import attempts_of
from batch_ops.domain import naming
from batch_ops.domain.file_record import State
from batch_ops.domain.transitions import NODE_LOSSES
from tests import rules
from tests.soak.books import Books, is_over, put_back
from tests.soak.plan import Content, File

type Read = Callable[[str, str], bytes]


def is_done(file: File, row: dict[str, Any] | None, stored: BlobProperties | None) -> bool:
    """Whether a file has come to its end, as far as one sees without opening its results."""
    if file.last is None:
        return row is None or is_over(row)
    return row is not None and is_over(row) and stored is not None and is_of_version(row, stored)


def is_of_version(row: dict[str, Any], stored: BlobProperties) -> bool:
    """Whether the row is about the content that lies there now.

    The event of an upload that changed no byte may still lie with a killed host: nothing depends on it.
    """
    return row.get("etag") == stored.etag.strip('"') or row.get("md5") == _md5(stored)


def pixels_of(name: str, leaves: Sequence[str], read: Read) -> str:
    """A digest of all pixels, in the order of names."""
    digest = hashlib.sha256()
    for leaf in sorted(leaves):
        array = tifffile.imread(io.BytesIO(read(name, leaf)))
        digest.update(f"{array.shape}{array.dtype}".encode() + array.tobytes())
    return digest.hexdigest()


def complaints(
    files: Sequence[File],
    books: Books,
    read: Read,
    pixels: Callable[[str, Sequence[str], Read], str] = pixels_of,
) -> list[str]:
    """Every broken rule as a sentence; `read` gives a result of a file."""
    found = [f"Nobody knows the {stray}." for stray in books.strays]
    staged = [blob for name, blobs in books.staging.items() if not _has_failed(books.rows.get(name)) for blob in blobs]
    found += rules.of_rest([intent["RowKey"] for intent in books.intents], books.poison, staged)
    alike: dict[Content, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for file in files:
        row = books.rows.get(file.name)
        faults = [*_of_end(file, row, books), *_of_tasks(file.name, books)]
        blobs = books.results.get(file.name, {})
        folder = rules.Folder(
            {leaf: (blob.metadata or {}).get("run") for leaf, blob in blobs.items()},
            lambda leaf, name=file.name: read(name, leaf),  # type: ignore[misc]  # bound now, not at the last file
        )
        if row is not None and row["state"] == "SUCCEEDED":
            faults += rules.of_results(_run(row), folder) or _of_version(file, row, books, folder)
            if file.last is not None and blobs:
                leaves = [leaf for leaf in blobs if leaf.endswith(".tiff")]
                alike[file.last][pixels(file.name, leaves, read)].append(file.name)
        elif row is not None:
            faults += rules.of_problem(_run(row), folder)
        found += [f"{file.name!r} ({file.fate}): {sentence}." for sentence in faults]
    for content, seen in alike.items():
        if len(seen) > 1:
            found.append(f"Equal images {content} have unlike results: {sorted(seen.values())}.")
    return found


def _of_end(file: File, row: dict[str, Any] | None, books: Books) -> list[str]:
    if row is None:
        return ["it has no row"] if file.last is not None else []
    said = f"it is {row['state']}: {row.get('reason', '')!r}"
    if not is_over(row):
        return [said]
    if file.last is None:
        # A deletion may come before, amid and after all that happens to a file.
        return [] if row["state"] in {"SUCCEEDED", "CANCELLED"} or row.get("reason") else [said]
    wanted = {"REJECTED"} if file.last.cut else {"SUCCEEDED"}
    task = next((task for task in books.tasks[file.name] if task.id == row.get("task_id")), None)
    if task and put_back(task) >= NODE_LOSSES and row.get("kind") == "NODE":
        # On a machine that is short of breath every try may meet a kill: so many losses end a run by the table.
        wanted.add("FAILED")
    return [] if row["state"] in wanted and row.get("reason") else [said]


def _of_tasks(name: str, books: Books) -> list[str]:
    """The rules of runs and tasks; a version is its content."""
    runs = {number: _run(row) for number, row in books.runs[name].items()}
    tasks = books.tasks[name]
    done: Counter[str] = Counter()
    losses: Counter[str] = Counter()
    for number, run in runs.items():
        own = [task for task in tasks if naming.run_of_task(task.id) == number]
        done[run.md5 or run.etag] += sum(books.ran[task.id] for task in own)
        losses[run.md5 or run.etag] += run.failures + sum(put_back(task) for task in own)
    seen = [
        rules.Task(t.id, str(getattr(t.state, "value", t.state)), t.execution_info.exit_code == 0, put_back(t))
        for t in tasks
    ]
    return [*rules.of_runs(runs, seen), *rules.of_segmentations(done, losses)]


def _of_version(file: File, row: dict[str, Any], books: Books, folder: rules.Folder) -> list[str]:
    """The results are those of the last version: of its bytes, a TIFF for each time point."""
    if file.last is None:
        return []
    document, stored = folder.provenance(), books.inputs.get(file.name)
    found = []
    if len(document["files"]) != file.last.shape[0]:
        found.append(f"{len(document['files'])} TIFFs for {file.last.shape[0]} time points")
    if stored is None or not is_of_version(row, stored):
        found.append(f"the row speaks of {row.get('etag')}, the blob is {stored and stored.etag}")
    elif document["input"]["md5"] != _md5(stored):
        found.append("the node read other bytes than those of the last version")
    return found


def _run(row: dict[str, Any]) -> rules.Run:
    return rules.Run(
        number=row["run"],
        state=State(row["state"]),
        reason=row.get("reason", ""),
        etag=row.get("etag", ""),  # none once its image was deleted
        md5=row.get("md5"),
        task_id=row.get("task_id", ""),
        tiffs=row.get("tiffs", 0),
        failures=len(attempts_of(row.get("attempts", ""))),
        requeues=row.get("requeues", 0),
        moves=[State(move.partition("@")[0]) for move in row.get("history", "").split()],
    )


def _has_failed(row: dict[str, Any] | None) -> bool:
    return row is not None and row["state"] == "FAILED"


def _md5(stored: BlobProperties) -> str:
    return bytes(stored.content_settings.content_md5 or b"").hex()
