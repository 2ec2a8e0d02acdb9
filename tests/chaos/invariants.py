"""What must be true of every history once the faults are over and some days have passed."""

import hashlib
import json
from collections import Counter, defaultdict
from itertools import pairwise
from typing import Any

from batch_ops.containers.results import PROBLEM, PROVENANCE
from batch_ops.domain import naming
from batch_ops.domain.batch_task import TaskState
from batch_ops.domain.blob import Blob
from batch_ops.domain.file_record import FileRecord, State
from batch_ops.domain.provenance import LOG
from batch_ops.domain.transitions import ALLOWED
from tests.chaos.nodes import FINAL_FATES, doom, tiffs
from tests.chaos.world import NEEDS, World


def complaints(world: World) -> list[str]:
    """Every broken rule as a sentence."""
    found = [*world.wrong, *_of_the_host(world), *_of_rest(world), *_of_histories(world), *_of_completions(world)]
    for name in sorted({*world.ledger.trail, *world.blobs.names("input")}):
        found += _of_a_file(world, name)
    return found


def _of_the_host(world: World) -> list[str]:
    found = [f"A fault in the code: {fault}" for fault in world.host.faults]
    found += [f"A fault of the simulation: {fault!r}" for fault in world.timeline.faults]
    found += [f"Poison: {message.body!r}" for message in world.host.poison]
    return found


def _of_rest(world: World) -> list[str]:
    found = [f"On the worklist: {intent}" for intent in world.intents()]
    found += [f"{name} fell out of sight until the sweep found it" for name in world.worklist.put_back]
    for name, trail in world.ledger.trail.items():
        if not trail[-1].state.is_final:
            found.append(f"{name} is open: {trail[-1].state} {trail[-1].reason!r}")
    found += [f"The job {job} is {state}" for job, state in world.batch.jobs().items() if state != "completed"]
    found += [f"In staging: {blob}" for blob in world.blobs.names("staging")]
    found += [f"Undelivered, and nobody cared: {blob}" for blob in world.blobs.names("dead-letter")]
    for name, stored in world.blobs._container("frozen").blobs.items():
        is_copied = stored.blob.copy_status in {None, "success"}
        if is_copied and name != naming.frozen_blob(hashlib.sha256(stored.data).hexdigest()):
            found.append(f"Frozen under another digest than its own: {name}")
    for task, _ in world.batch.tasks():
        if task.state is not TaskState.COMPLETED:
            found.append(f"The task {task.task_id} is {task.state}")
    return found


def _of_histories(world: World) -> list[str]:
    """Row by row along the table of transitions; a run never comes back."""
    found = []
    for name, trail in world.ledger.trail.items():
        for before, after in pairwise(trail):
            same = before.run == after.run
            if (same and after.state not in ALLOWED[before.state]) or after.run < before.run:
                found.append(f"{name} went from run {before.run} {before.state} to run {after.run} {after.state}")
    return found


def _of_completions(world: World) -> list[str]:
    """No version was segmented twice by one classifier, except after a loss or a failure that was recorded."""
    by_key: dict[tuple[str, str, str], set[str]] = defaultdict(set)
    for done in world.nodes.completions:
        by_key[done.name, done.etag, done.digest].add(f"{done.task_id}/{done.execution}")
    found = []
    for (name, etag, digest), executions in by_key.items():
        if len(executions) < 2:
            continue
        recorded: Counter[int] = Counter()
        for record in world.ledger.trail[name]:
            recorded[record.run] = max(recorded[record.run], len(record.tries.attempts))
        allowed = 1 + sum(recorded.values()) + world.nodes.losses[name] + world.retried[name]
        if world.settings.rerun_finished:
            # A classifier that came back after another one.
            allowed += sum(hashlib.sha256(content).hexdigest() == digest for content in world.classifiers) - 1
        if len(executions) > allowed:
            found.append(f"{name} {etag} was segmented {len(executions)} times by {digest[:6]}: {sorted(executions)}")
    return found


def _of_a_file(world: World, name: str) -> list[str]:
    stored = world.blobs._container("input").blobs.get(name)
    record = world.known(name)
    if stored is None:
        if record is not None and record.state not in {State.CANCELLED, State.SUCCEEDED, State.REJECTED, State.FAILED}:
            return [f"{name} was deleted, but is {record.state}"]
        return []
    if record is None:
        return [f"{name} has no row"]
    ours = {blob.name: blob for blob in _folder(world, name)}
    leaves = {blob[len(naming.results_folder(name)) :] for blob in ours}
    if record.state is State.CANCELLED and name in world.cancelled:
        return [f"{name} was cancelled, but has a {PROBLEM}"] if PROBLEM in leaves else []
    content = stored.data
    if content.startswith(b"REFUSE"):
        return _problem(world, record, leaves, State.REJECTED, content[6:].decode().strip())
    if (fate := doom(content)) is not None:
        kind = FINAL_FATES[fate]
        found = _problem(world, record, leaves, State.FAILED, record.reason)
        return found if record.kind is kind else [*found, f"{name} failed as {record.kind}, not {kind}"]
    if record.state is not State.SUCCEEDED:
        return [f"{name} is {record.state} ({record.reason})"]
    return _results(world, record, stored.blob, content, leaves)


def _problem(world: World, record: FileRecord, leaves: set[str], state: State, sentence: str) -> list[str]:
    found = []
    if record.state is not state or sentence not in record.reason or not record.reason:
        found.append(f"{record.name} is {record.state} ({record.reason}), not {state} ({sentence})")
    if leaves != {PROBLEM}:
        found.append(f"The folder of {record.name} ({state}) holds {sorted(leaves)}")
    elif record.reason not in _read(world, record.name, PROBLEM).decode():
        found.append(f"PROBLEM.txt of {record.name} does not say {record.reason!r}")
    return found


def _results(world: World, record: FileRecord, blob: Blob, content: bytes, leaves: set[str]) -> list[str]:
    name = record.name
    # An edit of the properties alone may go unnoticed.
    if record.image.etag != blob.etag and (record.image.length, record.image.md5) != (blob.length, blob.md5):
        return [f"{name} is now {blob.etag}, its row speaks of {record.image.etag}"]
    if PROVENANCE not in leaves:
        return [f"{name} has no provenance.json: {sorted(leaves)}"]
    document: dict[str, Any] = json.loads(_read(world, name, PROVENANCE))
    found = []
    digest = document["project"]["sha256"]
    classifiers = {hashlib.sha256(c).hexdigest(): c for c in world.classifiers}
    expected = tiffs(naming.nickname(name), content, digest)
    named = {file["name"]: (file["length"], file["md5"]) for file in document["files"]}
    should = {leaf: (len(data), hashlib.md5(data).hexdigest()) for leaf, data in expected.items()}  # noqa: S324
    if named != should:
        found.append(f"provenance.json of {name} names {sorted(named)} of other content than {sorted(should)}")
    if leaves != {PROVENANCE, *expected, *([LOG] if document["log"] else [])}:
        found.append(f"The folder of {name} holds {sorted(leaves)}")
    found += [
        f"{name}: {leaf} is wrong" for leaf, d in expected.items() if leaf in leaves and _read(world, name, leaf) != d
    ]
    if world.settings.rerun_finished and classifiers.get(digest) != world.classifiers[-1]:
        found.append(f"{name} was not segmented again by the last classifier")
    if digest not in classifiers:
        found.append(f"{name} was segmented by a classifier that nobody uploaded")
    elif content.startswith(NEEDS) and content.split()[1] not in classifiers[digest].split():
        found.append(f"{name} was segmented by a classifier that does not fit")
    runs = {found.meta("run") for found in _folder(world, name)}
    if runs != {str(record.run)} or document["run"]["number"] != record.run:
        found.append(f"The folder of {name} (run {record.run}) holds blobs of the runs {sorted(map(str, runs))}")
    if record.outcome.tiffs != len(expected) or document["run"]["task_id"] != record.placement.task_id:
        found.append(f"The row of {name} tells of {record.outcome.tiffs} TIFFs of {record.placement.task_id}")
    return found


def _folder(world: World, name: str) -> list[Blob]:
    prefix = naming.results_folder(name)
    blobs = world.blobs._container("results").blobs
    # Another file's folder may lie in this one.
    names = (found for found in world.blobs.names("results", prefix) if "/" not in found[len(prefix) :])
    return [blobs[found].blob for found in names]


def _read(world: World, name: str, leaf: str) -> bytes:
    return world.blobs.content("results", naming.results_folder(name) + leaf)
