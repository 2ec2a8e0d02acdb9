"""Who compares the pixel engine with ilastik, and what becomes of what was found."""

from dataclasses import replace
from datetime import timedelta

import pytest

from batch_ops.domain.orders import CollectOrder
from batch_ops.task.certificate import Certificate, Combination, EngineUse, name_of
from tests.world import NAME, World

FOLDER = "frozen"


@pytest.fixture
async def certifying(world: World) -> World:
    """A project that may be computed by the engine."""
    world.blobs.upload("projects", "fly.json", b'{"engine": "certified"}')
    return world


def role(world: World, name: str) -> str:
    (spec,) = [spec for task, spec in world.tasks() if task.task_id == world.row(name).placement.task_id]
    return dict(spec.environment).get("ILASTIK_TASK_ENGINE", "")


def found(world: World, name: str, *, differing: int = 0, made: str = "2026-11-29T12:00:00Z") -> EngineUse:
    """What the task of this file found."""
    record = world.row(name)
    combination = Combination(
        project_sha256=record.plan.tool.project_digest,
        export_source="Simple Segmentation",
        dtype="uint8",
        axes="tzyxc",
        channels=1,
        depth=36,
        ilastik_version="1.4.2",
        engine_version="1.0.0+0123",
        level="avx2",
    )
    task_id = record.placement.task_id
    certificate = Certificate(combination, 2_000_000, 11, differing, 0.0, 0.0, made, task_id, record.image_blob)
    return EngineUse("1.0.0+0123", not differing, combination.key, certificate, "They differ." if differing else "")


def failed(use: EngineUse) -> EngineUse:
    """The same, but a probe was ended."""
    assert use.made
    reason = "The engine ended with -9."
    return replace(use, computed=False, made=replace(use.made, voxels=0, probes=0, reason=reason), reason=reason)


async def publish(world: World, name: str, use: EngineUse) -> None:
    """A node computes this file, and what it found is collected."""
    record = await world.compute(name, engines=(use,))
    await world.collect(CollectOrder.of(record))


async def test_nobody_compares_unless_somebody_asked(world: World):
    """By default tasks are what they were."""
    await world.begin(NAME)
    assert role(world, NAME) == ""
    assert world.blobs.names(FOLDER, "") == [f"{world.row(NAME).plan.tool.project_digest}.ilp"]


async def test_the_first_run_of_a_kind_compares_for_all(certifying: World):
    """The others use what it finds; the certificates there are reach a task when it begins."""
    for name in (NAME, "fly/b.h5"):
        await certifying.begin(name)
    assert [role(certifying, name) for name in (NAME, "fly/b.h5")] == ["prober", "user"]
    (_, spec), *_ = certifying.tasks()
    digest = certifying.row(NAME).plan.tool.project_digest
    (brought,) = [file for file in spec.resource_files if file.path == "frozen"]
    assert brought.blob_prefix == f"{digest}/"
    assert [name for name in certifying.blobs.names(FOLDER) if name.startswith(brought.blob_prefix)]


async def test_a_prober_that_never_ends_is_followed_by_another(certifying: World):
    """After the time that a run may take, and an hour."""
    await certifying.begin(NAME)
    certifying.cloud.advance(certifying.row(NAME).plan.wall_clock + timedelta(hours=2))
    await certifying.begin("fly/b.h5")
    assert role(certifying, "fly/b.h5") == "prober"


async def test_a_damaged_note_of_the_prober_counts_for_nothing(certifying: World):
    """The next run compares; no claim fails."""
    await certifying.begin(NAME)
    (note,) = [name for name in certifying.blobs.names(FOLDER) if "/prober-" in name]
    certifying.blobs.upload(FOLDER, note, b'{"run": 1}')
    await certifying.begin("fly/b.h5")
    assert role(certifying, "fly/b.h5") == "prober"


async def test_about_one_of_so_many_files_is_compared_again():
    """Which ones depends on their names alone."""
    world = World(audit_every=4)
    world.project("fly")
    world.blobs.upload("projects", "fly.json", b'{"engine": "certified"}')
    names = [f"fly/{number}.h5" for number in range(40)]
    for name in names:
        await world.begin(name)
    assert 3 <= [role(world, name) for name in names].count("auditor") <= 18


async def test_a_certificate_lies_beside_its_classifier_before_a_result_names_it(certifying: World):
    """The provenance says who computed, and by which certificate."""
    await certifying.begin(NAME)
    use = found(certifying, NAME)
    await publish(certifying, NAME, use)
    place = f"{certifying.row(NAME).plan.tool.project_digest}/{name_of(use.certificate)}"
    assert Certificate.parse(certifying.blobs.content(FOLDER, place)) == use.made
    (told,) = certifying.provenance(NAME)["engine"]
    assert told["computed_by"] == "re-implementation, certified against ilastik 1.4.2"
    assert (told["certificate"], told["engine_version"]) == (place, "1.0.0+0123")


@pytest.mark.parametrize(("before", "after", "kept"), [(0, 1, 1), (1, 0, 1), (0, 0, 0)])
async def test_a_difference_is_the_last_word(certifying: World, before, after, kept):
    """An audit that finds one takes the certificate's place; nothing takes the place of a difference."""
    await certifying.begin(NAME)
    use = found(certifying, NAME, differing=before)
    await publish(certifying, NAME, use)
    await certifying.begin("fly/b.h5")
    await publish(certifying, "fly/b.h5", found(certifying, "fly/b.h5", differing=after, made="2026-11-30T12:00:00Z"))
    place = f"{certifying.row(NAME).plan.tool.project_digest}/{name_of(use.certificate)}"
    there = Certificate.parse(certifying.blobs.content(FOLDER, place))
    assert there.differing == kept
    assert there.made.startswith("2026-11-29" if before else "2026-11-30")
    told = [warning.sentence for warning in certifying.row("fly/b.h5").plan.warnings if "engine" in warning.code]
    revoked = (before, after) == (0, 1)
    assert [("2026-11-29T12:00:00Z" in one, "retry --project fly" in one) for one in told] == [(True, True)] * revoked


async def test_what_could_not_be_compared_is_not_stored_and_revokes_nothing(certifying: World):
    """A probe was killed: that says nothing of pixels. What older versions stored of such is replaced."""
    await certifying.begin(NAME)
    use = found(certifying, NAME)
    place = f"{certifying.row(NAME).plan.tool.project_digest}/{name_of(use.certificate)}"
    await publish(certifying, NAME, failed(use))
    assert place not in certifying.blobs.names(FOLDER)
    certifying.blobs.upload(FOLDER, place, failed(use).made.to_json())
    for name, what in (("fly/b.h5", found), ("fly/c.h5", lambda *of: failed(found(*of)))):
        await certifying.begin(name)
        await publish(certifying, name, what(certifying, name))
        kept = Certificate.parse(certifying.blobs.content(FOLDER, place))
        assert (kept.is_equal, kept.image) == (True, "fly/b.h5")
        assert not [warning for warning in certifying.row(name).plan.warnings if "engine" in warning.code]


async def test_an_image_in_parts_is_compared_once_and_what_was_found_is_kept(certifying: World):
    """One of its parts compares; what joins them neither does nor needs a certificate."""
    certifying.blobs.upload("projects", "fly.json", b'{"engine": "certified", "parts": 4}')
    own = (await certifying.begin(NAME)).placement.task_id
    parts = [f"{own}-p{number}" for number in (1, 2, 3, 4)]
    for task_id in parts:
        certifying.batch.run(task_id)
        certifying.work(task_id)
        certifying.batch.complete(task_id)
    await certifying.tick()
    use = found(certifying, NAME, differing=1)
    assert use.made
    use = replace(use, made=replace(use.made, task_id=parts[0]))
    await publish(certifying, NAME, use)

    told = {task.task_id: dict(spec.environment).get("ILASTIK_TASK_ENGINE", "") for task, spec in certifying.tasks()}
    assert [told[task_id] for task_id in (*parts, own)] == ["prober", "user", "user", "user", ""]
    place = f"{certifying.row(NAME).plan.tool.project_digest}/{name_of(use.certificate)}"
    assert Certificate.parse(certifying.blobs.content(FOLDER, place)) == use.made


async def test_what_another_task_wrote_is_no_certificate(certifying: World):
    """A manifest comes from a machine that ran other people's data."""
    await certifying.begin(NAME)
    use = found(certifying, NAME)
    assert use.made
    await publish(certifying, NAME, replace(use, made=replace(use.made, task_id="another")))
    assert not [name for name in certifying.blobs.names(FOLDER) if "certificate" in name]
