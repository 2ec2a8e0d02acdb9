"""What must be true once the faults are over and the system has settled."""

import hashlib
import io
import json
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from typing import Any

import tifffile
from azure.storage.blob import BlobProperties

from batch_ops.adapters.row_texts import attempts_of
from batch_ops.containers.results import PROBLEM, PROVENANCE
from batch_ops.domain import naming
from batch_ops.domain.provenance import LOG
from batch_ops.domain.transitions import NODE_LOSSES
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
    return (
        row["etag"] == stored.etag.strip('"')
        or row.get("md5") == bytes(stored.content_settings.content_md5 or b"").hex()
    )


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
    found += [f"{queue} holds {count} messages." for queue, count in books.poison.items() if count]
    found += [f"The worklist has an open entry {intent['RowKey']}." for intent in books.intents]
    alike: dict[Content, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for file in files:
        row = books.rows.get(file.name)
        told = [*_of_end(file, row, books), *_of_tasks(file.name, books)]
        if row is not None and row["state"] == "SUCCEEDED":
            told += _of_results(file, row, books, read)
            if file.last is not None and file.name in books.results:
                leaves = [leaf for leaf in books.results[file.name] if leaf.endswith(".tiff")]
                alike[file.last][pixels(file.name, leaves, read)].append(file.name)
        elif row is not None:
            told += _of_problem(file.name, row, books, read)
        if (row is None or row["state"] != "FAILED") and (left := books.staging.get(file.name)):
            told.append(f"staging still holds {sorted(left)}")
        found += [f"{file.name!r} ({file.fate}): {sentence}." for sentence in told]
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
    """No version is segmented twice, except after a loss that the ledger has recorded."""
    found = []
    done: Counter[str] = Counter()
    allowed: Counter[str] = Counter()
    for number, run in books.runs[name].items():
        version = run.get("md5") or run["etag"]
        tasks = [task for task in books.tasks[name] if naming.run_of_task(task.id) == number]
        failed = len(attempts_of(run.get("attempts", "")))
        requeues = sum(put_back(task) for task in tasks)
        done[version] += sum(books.ran[task.id] for task in tasks)
        allowed[version] += failed + requeues
        well = len([task for task in tasks if task.execution_info.exit_code == 0])
        if well > 1 + failed:
            found.append(f"{well} tasks of run {number} ended well, with {failed} failed attempts in the row")
        if len(tasks) > 1 + failed:
            found.append(f"run {number} had {len(tasks)} tasks, with {failed} failed attempts in the row")
        current = next((task for task in tasks if task.id == run.get("task_id")), None)
        if current and run["state"] == "SUCCEEDED" and put_back(current) > run.get("requeues", 0):
            found.append(f"run {number} does not tell that Batch put its task back")
        found += [f"the task {task.id} is {task.state}" for task in tasks if task.state != "completed"]
    for version, times in done.items():
        if times > 1 + allowed[version]:
            found.append(f"version {version} was segmented {times} times, with {allowed[version]} losses on record")
    known = set(books.runs[name])
    found += [f"no run knows the task {t.id}" for t in books.tasks[name] if naming.run_of_task(t.id) not in known]
    return found


def _of_results(file: File, row: dict[str, Any], books: Books, read: Read) -> list[str]:
    """Exactly one whole set of TIFFs, of the last version and the row's run."""
    blobs = books.results.get(file.name, {})
    if PROVENANCE not in blobs:
        return [f"there is no provenance.json beside {sorted(blobs)}"]
    document = json.loads(read(file.name, PROVENANCE))
    named = {entry["name"]: (entry["length"], entry["md5"]) for entry in document["files"]}
    found = []
    if set(blobs) != {PROVENANCE, *named, *([LOG] if document["log"] else [])}:
        found.append(f"the results are {sorted(blobs)}, provenance.json names {sorted(named)}")
    for leaf in sorted(set(named) & set(blobs)):
        data = read(file.name, leaf)
        if (len(data), hashlib.md5(data).hexdigest()) != named[leaf]:  # noqa: S324 - as in the manifest
            found.append(f"{leaf} is not what provenance.json says")
    stored = books.inputs.get(file.name)
    if file.last is not None:
        if len(named) != file.last.shape[0]:
            found.append(f"{len(named)} TIFFs for {file.last.shape[0]} time points")
        if stored is None or not is_of_version(row, stored):
            found.append(f"the row speaks of {row['etag']}, the blob is {stored and stored.etag}")
        elif document["input"]["md5"] != bytes(stored.content_settings.content_md5 or b"").hex():
            found.append("the node read other bytes than those of the last version")
    told = (document["run"]["number"], document["run"]["task_id"], document["input"]["etag"], len(named))
    if told != (row["run"], row["task_id"], row["etag"], row["tiffs"]) and not _only_touched(document, row):
        found.append(f"provenance.json tells of {told}, the row of {row['run']}, {row['task_id']}, {row['etag']}")
    strangers = {leaf for leaf, blob in blobs.items() if (blob.metadata or {}).get("run") != str(row["run"])}
    if strangers:
        found.append(f"{sorted(strangers)} are of another run than {row['run']}")
    return found


def _only_touched(document: dict[str, Any], row: dict[str, Any]) -> bool:
    """The same bytes were uploaded again after the results were there: only the row follows."""
    return (document["run"]["number"], document["input"]["md5"]) == (row["run"], row.get("md5"))


def _of_problem(name: str, row: dict[str, Any], books: Books, read: Read) -> list[str]:
    leaves = set(books.results.get(name, {}))
    if row["state"] == "CANCELLED":
        # Results of an older version stay.
        return [f"a cancelled file has {sorted(leaves)}"] if leaves and PROVENANCE not in leaves else []
    if leaves != {PROBLEM}:
        return [f"{row['state']}, but its results are {sorted(leaves)}"]
    if row.get("reason", "") not in read(name, PROBLEM).decode():
        return [f"PROBLEM.txt does not say {row.get('reason')!r}"]
    return []
