"""What must be true of every history once the faults are over and some days have passed.

The common rules, over what a simulation has, and those that only a simulation can check: what each TIFF holds.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Coroutine, Iterable
from typing import Any

from batch_ops.containers.results import PROBLEM
from batch_ops.domain import naming
from batch_ops.domain.file_record import FileRecord, State
from batch_ops.domain.prices import cost_of
from batch_ops.task.failure_kinds import FailureKind
from tests import rules
from tests.chaos.fates import FINAL_FATES, doom
from tests.chaos.nodes import outputs
from tests.chaos.services import NEEDS
from tests.chaos.simulation import Simulation
from tests.executions import LOG, md5


def complaints(world: Simulation) -> list[str]:
    """Every broken rule as a sentence."""
    found = [*world.judge.wrong, *_of_the_host(world), *_of_rest(world), *_of_completions(world)]
    found += [*_of_index(world), *_of_sums(world)]
    tasks: dict[str | None, list[rules.Task]] = defaultdict(list)
    for task, _ in world.batch.tasks():
        seen = rules.Task(task.task_id, task.state.name.lower(), bool(task.succeeded), task.requeues)
        tasks[naming.file_of_task(task.task_id)].append(seen)
    for name in sorted({*world.ledger.trail, *world.blobs.names("input")}):
        broken = rules.of_runs(_runs(world, name), tasks[naming.file_hash(name)]) + _of_a_file(world, name)
        found += [f"{name}: {sentence}" for sentence in broken]
    return found


def _of_the_host(world: Simulation) -> list[str]:
    found = [f"A fault in the code: {fault}" for fault in world.host.faults]
    found += [f"A fault of the simulation: {fault!r}" for fault in world.timeline.faults]
    return found


def _of_rest(world: Simulation) -> list[str]:
    poison = Counter(f"{message.queue}-poison ({message.text!r})" for message in world.poison.messages())
    # What nodes upload that were given up is left to the rule of the storage account.
    staged = [name for name in world.blobs.names("staging") if world.nodes.zombies.isdisjoint(name.split("/"))]
    found = rules.of_rest(world.worklist.intents(), poison, staged)
    found += [f"{name} fell out of sight until the sweep found it" for name in world.worklist.put_back]
    for name, trail in world.ledger.trail.items():
        if not trail[-1].state.is_final:
            found.append(f"{name} is open: {trail[-1].state} {trail[-1].reason!r}")
    found += [f"The job {job} is {state}" for job, state in world.batch.jobs().items() if state != "completed"]
    found += [f"Undelivered, and nobody cared: {blob}" for blob in world.blobs.names("dead-letter")]
    return found


def _of_index(world: Simulation) -> list[str]:
    """Whoever is in the index has the copies of just his row; an older version leaves gaps, which can be filled."""
    if world.climate.older_machines:
        for project in {*map(naming.project_of, world.ledger.trail)}:
            _at_once(world.index.fill(project))
    found = world.ledger.misindexed()
    found += [f"{name} fell out of the index" for name in world.ledger.trail if not world.ledger.is_indexed(name)]
    return found


def _at_once[T](call: Coroutine[Any, Any, T]) -> T:
    """Run a call that has nothing to wait for: time stands still."""
    try:
        call.send(None)
    except StopIteration as done:
        found: T = done.value
        return found
    raise AssertionError(f"{call} waits.")


def _of_sums(world: Simulation) -> list[str]:
    """Every run counts once, with what it cost, if no older version has ended it."""
    if world.climate.older_machines:
        return []
    names = {*world.ledger.trail, *world.ledger.removed}
    lives = [life for name in names for life in world.ledger.lives(name)]
    ended = Counter(run.state.lower() for life in lives for run in _runs_of(life).values())
    # Its own row says so of a run that another one overtook.
    open_at_last = sum(count for state, count in ended.items() if not State(state.upper()).is_final)
    sums = world.ledger.all_sums()
    counted = {state.lower(): getattr(sums, state.lower()) for state in State if state.is_final}
    wanted = {state: ended[state] for state in counted} | {"superseded": ended["superseded"] + open_at_last}
    found = [] if counted == wanted else [f"{counted} runs ended by the sums, {wanted} by their rows"]
    runs = [run for name in world.ledger.trail for run in _at_once(world.ledger.runs(name))]
    every = [*runs, *world.ledger.removed_runs]
    paid = (sums.node_seconds, sums.priced_seconds, sums.cost_micro)
    owed = tuple(
        map(sum, zip(*((r.node_seconds, r.spent.priced_seconds, r.spent.cost_micro) for r in every), strict=True))
    )
    if paid != (owed or (0, 0, 0)):
        found.append(f"{paid} node seconds, those with a price and their cost by the sums, {owed} by the rows")
    if world.climate.patience is not None:
        found += _of_costs(world, runs)
    return found


def _of_costs(world: Simulation, runs: list[FileRecord]) -> list[str]:
    """Where nothing goes wrong a run costs what its nodes worked, to the second of each task."""
    if not world.settings.prices:
        return []
    worked: dict[tuple[str, int | None], list[float]] = defaultdict(list)
    for task, _ in world.batch.tasks():
        if task.started and task.ended:
            of = (naming.file_of_task(task.task_id) or "", naming.run_of_task(task.task_id))
            worked[of].append((task.ended - task.started).total_seconds())
    found = []
    for run in runs:
        tasks = worked[naming.file_hash(run.name), run.run]
        seconds, price = round(sum(tasks)), world.settings.prices.highest or 0
        off = abs((run.spent.cost_micro or 0) - cost_of(seconds, price))
        if run.state is State.SUCCEEDED and off > max(1, len(tasks)) * price // 3600:
            found.append(f"Run {run.run} of {run.name} cost {run.spent.cost_micro}, its nodes worked for {seconds} s")
    return found


def _of_completions(world: Simulation) -> list[str]:
    """No version was segmented twice by one classifier, except after a loss or a failure that was recorded.

    One is the results of an image that was deleted just then, and came back as it was.
    """
    executions: dict[tuple[str, str, str, int], set[str]] = defaultdict(set)
    for done in world.nodes.completions:
        executions[done.name, done.etag, done.digest, done.part].add(f"{done.task_id}/{done.execution}")
    losses = {}
    for version in executions:
        name, etag, digest, _ = version
        # What was removed for good, and comes back, is segmented anew.
        losses[version] = world.nodes.losses[name] + world.retried[name] + len(world.ledger.removed.get(name, ()))
        for life in world.ledger.lives(name):
            runs = _runs_of(life)
            of_it = {record.run for record in life if record.image.etag == etag}
            # What a node has computed of a run that was given up is thrown away.
            thrown = sum(runs[run].reason.startswith(("The file was deleted", "Cancelled by")) for run in of_it)
            losses[version] += thrown + sum(run.failures for run in runs.values())
        if world.settings.rerun_finished:
            # A classifier that came back after another one.
            losses[version] += sum(hashlib.sha256(content).hexdigest() == digest for content in world.classifiers) - 1
            losses[version] += world.configured
    return rules.of_segmentations({version: len(several) for version, several in executions.items()}, losses)


def _of_a_file(world: Simulation, name: str) -> list[str]:
    record = world.known(name)
    stored = world.blobs.find("input", record.image_blob if record else name)
    if stored is None:
        if record is not None and record.state not in {State.CANCELLED, State.SUCCEEDED, State.REJECTED, State.FAILED}:
            return [f"it was deleted, but is {record.state}"]
        return []
    if record is None:
        return ["it has no row"]
    if record.purging is not None and (record.source or record.purging == stored.blob.etag):
        # A removal that broke off: whoever calls it again goes on with it, and until then nothing is run.
        return []
    folder, run, content = _folder(world, name), _run(record), stored.data
    # A rerun whose image was deleted stays so when that comes back: whoever began it may repeat it.
    is_given_up = bool(record.source) and not record.image.etag
    if record.source and not is_given_up:
        # A rerun is of the version that it found.
        content = world.versions[record.source, record.image.etag]
    if record.state is State.CANCELLED and (is_given_up or name in world.cancelled):
        return ["it was cancelled, but has a PROBLEM.txt"] if PROBLEM in folder.runs else []
    doomed = doom(content)
    if not record.source and world.is_rerun(naming.project_of(name)):
        wanted, as_wanted = State.REJECTED, "holds a project that was segmented again" in record.reason
    elif content.startswith((b"REFUSE", NEEDS)) and not record.plan.image.is_known and record.state is State.FAILED:
        # It was not checked: the node has refused it.
        wanted, as_wanted = State.FAILED, record.kind is FailureKind.COMMAND
    elif content.startswith(b"REFUSE"):
        wanted, as_wanted = State.REJECTED, content[6:].decode().strip() in record.reason
    elif doomed is not None:
        wanted, as_wanted = State.FAILED, record.kind is FINAL_FATES[doomed]
    else:
        wanted, as_wanted = State.SUCCEEDED, True
    if record.state is not wanted or not as_wanted:
        return [f"{content!r} ended as {record.state}, {record.kind} ({record.reason})"]
    if wanted is not State.SUCCEEDED:
        return rules.of_problem(run, folder)
    # An edit of the properties alone may go unnoticed.
    if (
        not record.source
        and record.image.etag != stored.blob.etag
        and (record.image.length, record.image.md5)
        != (
            stored.blob.length,
            stored.blob.md5,
        )
    ):
        return [f"it is now {stored.blob.etag}, its row speaks of {record.image.etag}"]
    return rules.of_results(run, folder) or _of_content(world, name, content, folder)


def _of_content(world: Simulation, name: str, content: bytes, folder: rules.Folder) -> list[str]:
    """provenance.json, which the results keep to, names what this content becomes by a classifier that fits."""
    document = folder.provenance()
    digest = document["project"]["sha256"]
    classifiers = {hashlib.sha256(c).hexdigest(): c for c in world.classifiers}
    made = outputs(naming.nickname(name), content, digest, document["run"]["execution"], document["schema"])
    expected = {path: md5(data) for path, data in made.items()}
    named = {file["name"]: file["md5"] for file in document["files"]}
    if document["schema"] > 1:
        named = {output["path"]: output["md5"] for output in document["outputs"]}
        expected[document["log"]] = md5(LOG)
    found = []
    if named != expected:
        found.append(f"provenance.json names {sorted(named)} of other content than {sorted(expected)}")
    if (
        world.settings.rerun_finished
        and not world.row(name).source
        and classifiers.get(digest) != world.classifiers[-1]
    ):
        found.append("it was not segmented again by the last classifier")
    if digest not in classifiers:
        found.append("it was segmented by a classifier that nobody uploaded")
    elif content.startswith(NEEDS) and content.split()[1] not in classifiers[digest].split():
        found.append("it was segmented by a classifier that does not fit")
    return found


def _folder(world: Simulation, name: str) -> rules.Folder:
    results = world.results(name)
    prefix = naming.results_folder(name)
    blobs = world.blobs.containers["results"].blobs
    return rules.Folder({leaf: blobs[prefix + leaf].blob.meta("run") for leaf in results}, results.__getitem__)


def _runs(world: Simulation, name: str) -> dict[int, rules.Run]:
    """Every run as it ended."""
    return _runs_of(world.ledger.trail.get(name, ()))


def _runs_of(life: Iterable[FileRecord]) -> dict[int, rules.Run]:
    return {number: _run(record) for number, record in {record.run: record for record in life}.items()}


def _run(record: FileRecord) -> rules.Run:
    return rules.Run(
        number=record.run,
        state=record.state,
        reason=record.reason,
        etag=record.image.etag,
        md5=record.image.md5,
        task_id=record.placement.task_id,
        tiffs=record.published.tiffs,
        failures=len(record.tries.attempts),
        requeues=record.placement.requeues,
        moves=[move.state for move in record.history],
    )
