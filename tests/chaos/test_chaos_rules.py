"""The rules of a simulation find what is broken. Those that it shares with soaks are tested there."""

from dataclasses import replace

import pytest

from batch_ops.domain import naming
from batch_ops.domain.file_record import State
from tests.chaos import affairs
from tests.chaos.invariants import complaints
from tests.chaos.nodes import Completion
from tests.chaos.scene import NAME
from tests.chaos.simulation import Simulation

FOLDER = naming.results_folder(NAME)


def a_tiff(world):
    """One result."""
    return next(world.blobs.find("results", name) for name in world.blobs.names("results", FOLDER) if "tiff" in name)


def segment_it_again(world):
    done = world.nodes.completions[0]
    world.nodes.completions.append(Completion(done.name, done.etag, done.digest, done.task_id, "another"))


def move_back(world):
    trail = world.ledger.trail[NAME]
    trail.append(trail[-1])
    trail[-2] = replace(trail[-1], state=State.REJECTED)


@pytest.mark.parametrize(
    ("spoil", "word"),
    [
        (lambda world: world.blobs.remove("results", a_tiff(world).blob.name), "provenance.json names"),
        (lambda world: world.blobs.remove("results", f"{FOLDER}pictures/overview.png"), "provenance.json names"),
        (lambda world: world.blobs.upload("results", f"{FOLDER}pictures/old.png", b"PNG"), "old.png"),
        (segment_it_again, "segmented 2 times"),
        (move_back, "from run 1 REJECTED to run 1 SUCCEEDED"),
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
