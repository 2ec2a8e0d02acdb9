"""Classifiers are frozen once, whole, and used only then."""

import unicodedata
from dataclasses import replace
from datetime import timedelta

import pytest

from batch_ops.domain.file_record import State
from batch_ops.domain.orders import LookOrder
from batch_ops.task.stored_export import StoredExport
from batch_ops.use_cases.project_changed import SEEN_BY_ALL
from tests.fakes.check import PROJECT
from tests.world import NAME, World


@pytest.mark.parametrize("ends", ["success", "failed", "aborted"])
async def test_a_task_never_gets_half_a_classifier(world: World, ends):
    """While the service still copies it, images wait; a copy that came to nothing is begun again."""
    world.blobs.slow_copies = True
    row = await world.begin(NAME)
    assert (row.state, world.tasks()) == (State.WAITING, [])
    assert "still being copied" in row.reason
    world.blobs.slow_copies = False
    if ends == "success":
        world.blobs.finish_copies()
    else:
        world.blobs.abort_copies(status=ends)
    await world.tick(timedelta(minutes=11))
    assert world.row(NAME).state is State.ACTIVE
    assert [world.blobs.content("frozen", name) for name in world.blobs.names("frozen")] == [b"classifier"]


async def test_export_settings_that_nothing_can_be_exported_with_are_told_before_an_image_is(world: World):
    """Where the configuration wants them kept; without that, they do not matter."""
    world.check.project = replace(PROJECT, export=StoredExport(dtype="int64"))
    assert (await world.begin(NAME)).state is State.ACTIVE
    world.blobs.upload("projects", "fly.json", b'{"keep_export_settings": true}')
    world.cloud.advance(timedelta(seconds=6))
    row = await world.begin("fly/b.h5")
    assert row.state is State.WAITING_FOR_PROJECT
    assert "stores the type 'int64' for its export, which TIFF files can't have" in row.reason


async def test_a_replaced_classifier_is_noticed_within_seconds(world: World):
    """Images of a burst share a look; one that comes six seconds after a change gets the new classifier."""
    old = await world.begin(NAME)
    world.project("fly", b"a better classifier")
    assert (await world.begin("fly/b.h5")).plan.tool.project_digest == old.plan.tool.project_digest
    world.cloud.advance(timedelta(seconds=6))
    assert (await world.begin("fly/c.h5")).plan.tool.project_digest != old.plan.tool.project_digest


@pytest.mark.parametrize(
    ("stored", "beside", "dropped"),
    [
        ("Case.ILP", "Case.JSON", "Case/x.h5"),
        (unicodedata.normalize("NFC", "größe.ilp"), unicodedata.normalize("NFD", "größe.json"), "größe/x.h5"),
    ],
)
async def test_a_configuration_that_people_see_is_found(world: World, stored: str, beside: str, dropped: str):
    """As its project is."""
    world.blobs.upload("projects", stored, b"a classifier")
    world.blobs.upload("projects", beside, b'{"axes": "nonsense"}')
    world.drop(dropped)
    assert "must give axes" in (await world.start(dropped)).reason
    world.blobs.upload("projects", beside, b"{}")
    await world.look(LookOrder(beside, "event", "projects"))
    world.cloud.advance(SEEN_BY_ALL)
    assert dropped in [order.name for order in world.outbox.looks()]
