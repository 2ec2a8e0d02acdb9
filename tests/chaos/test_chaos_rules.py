"""The rules of a simulation find what is broken. Those that it shares with soaks are tested there."""

from dataclasses import replace
from datetime import timedelta

import pytest

from batch_ops.domain import naming
from batch_ops.domain.file_index import keys_of
from batch_ops.domain.task_spec import task_spec
from tests.chaos import affairs
from tests.chaos.climate import Climate
from tests.chaos.invariants import complaints
from tests.chaos.nodes import Completion
from tests.chaos.scene import NAME
from tests.chaos.simulation import Simulation

FOLDER = naming.results_folder(NAME)


def a_tiff(world):
    """One result."""
    return next(world.blobs.find("results", name) for name in world.blobs.names("results", FOLDER) if "tiff" in name)


def a_manifest(world):
    """What makes an execution in staging whole."""
    return next(name for name in world.blobs.names("staging") if name.endswith("/manifest.json"))


def segment_it_again(world):
    done = world.nodes.completions[0]
    world.nodes.completions.append(Completion(done.name, 0, done.etag, done.digest, done.task_id, "another"))


@pytest.mark.parametrize(
    ("spoil", "word"),
    [
        (lambda world: world.blobs.remove("results", a_tiff(world).blob.name), "provenance.json names"),
        (lambda world: world.blobs.remove("results", f"{FOLDER}pictures/overview.png"), "provenance.json names"),
        (lambda world: world.blobs.upload("results", f"{FOLDER}pictures/old.png", b"PNG"), "old.png"),
        (segment_it_again, "segmented 2 times"),
        (lambda world: world.blobs.upload("staging", "a/b", b"c"), "staging still holds a/b"),
        (lambda world: world.drop("fly/b.h5", b"image 2 vers 5"), "b.h5: it has no row"),
    ],
)
def test_what_is_broken_is_found(spoil, word):
    """A history that went well breaks no rule; a spoilt one breaks the rule of what was done to it."""
    world = Simulation()
    affairs.succeeded(world)
    world.come_to_rest()
    assert complaints(world) == []
    spoil(world)
    assert word in "\n".join(complaints(world))


def entry(world):
    """The file's row as it is."""
    return world.ledger.entry(NAME)


def go_back(world):
    """The row is written again as it was before it succeeded."""
    world.judge.row_written(replace(entry(world), record=world.ledger.trail[NAME][-2]))


def forget_copies(world):
    """A version that thinks its copies in the index are there, although they are not."""
    for key in keys_of(NAME, entry(world).indexed):
        world.judge.copy_written(key, None, None)
    world.judge.row_written(entry(world))


def write_over(world):
    """A run that was overtaken wakes up late and knows no fence."""
    older = {**dict(a_tiff(world).blob.metadata), "run": "0"}
    world.blobs.upload("results", a_tiff(world).blob.name, b"TIFF", metadata=older)


def remove_intent(world):
    """The worklist loses the file while its task runs."""
    world.timeline.run(world.worklist.remove(NAME, entry(world).record.intent))


def create_task(world, run, attempt):
    """Somebody creates another task of the file."""
    row = entry(world).record
    task_id = naming.task_id(NAME, run, attempt)
    spec = replace(task_spec(row, world.settings, world.blobs.url), id=task_id)
    world.timeline.run(world.batch.create_task(row.placement.job_id, spec))


@pytest.mark.parametrize(
    ("prepare", "spoil", "words"),
    [
        (affairs.succeeded, lambda w: w.blobs.remove("results", a_tiff(w).blob.name), "is not what the provenance"),
        (affairs.succeeded, lambda w: w.blobs.remove("results", f"{FOLDER}provenance.json"), "provenance.json went"),
        (affairs.rejected, lambda w: w.blobs.remove("results", f"{FOLDER}PROBLEM.txt"), "its PROBLEM.txt went away"),
        (affairs.succeeded, write_over, "of run 1 was overwritten by run 0"),
        (affairs.succeeded, go_back, "from run 1 SUCCEEDED to run 1 COLLECTING"),
        (affairs.succeeded, forget_copies, "its copies in the index are []"),
        (affairs.succeeded, lambda w: w.blobs.upload("frozen", f"{'0' * 64}.ilp", b""), "another digest than its own"),
        (affairs.collecting, lambda w: w.blobs.remove("staging", a_manifest(w)), "its execution was removed"),
        (affairs.known_running, remove_intent, "intent id1 was removed"),
        (affairs.known_running, lambda w: create_task(w, 1, 2), "but no row had claimed it"),
        (affairs.known_running, lambda w: create_task(w, 2, 1), "now 2 tasks of its file are alive"),
    ],
)
def test_what_is_wrong_for_a_moment_is_found(prepare, spoil, words):
    """Also what would be right again at rest: every write is judged when it takes effect."""
    world = Simulation()
    prepare(world)
    assert world.judge.wrong == []
    spoil(world)
    assert words in "\n".join(world.judge.wrong)


def test_a_slow_file_is_found():
    """Where nothing goes wrong, every file is done some minutes after its last change."""
    world = Simulation(climate=Climate(patience=timedelta(minutes=1)))
    affairs.succeeded(world)
    assert "although nothing went wrong" in "\n".join(world.judge.wrong)
