"""What a claim plans beside its ids: the forecast, and what it warns of."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from batch_ops.domain.blob import Blob, ImageVersion
from batch_ops.domain.file_record import FileRecord, State
from batch_ops.domain.forecast import forecast
from batch_ops.domain.node_disk import disk_fault, least_gb, most_gb
from batch_ops.domain.planning import claimed
from batch_ops.domain.project import Project
from batch_ops.domain.project_config import ProjectConfig
from batch_ops.domain.task_spec import task_spec
from batch_ops.image.facts import Accepted, ProjectFacts, Unchecked
from batch_ops.image.page_memory import page_bytes
from batch_ops.task.result_form import COMPRESSED_TIFF, HDF5, TIFF, ResultForm
from batch_ops.task.run_plan import Forecast, ImageDescription, RunPlan, RunWarning
from batch_ops.task.stored_export import StoredExport
from tests import fakes
from tests.fakes.check import PROJECT
from tests.world import SETTINGS

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
FRESH = FileRecord("fly/a.h5", 1, State.WAITING, ImageVersion("e", 1), "c")


def project(columns: int, sigma: float = 0.0, config: ProjectConfig = ProjectConfig()) -> Project:  # noqa: B008
    """A classifier of two classes with so many features of one value each."""
    facts = replace(PROJECT, scalar_features=columns, eigen_2d=0, eigen_3d=0, sigma_3d=sigma)
    return Project("fly", "p", "d", facts, config)


def image(axes: str, *shape: int) -> ImageDescription:
    return ImageDescription("data", axes, True, shape, "uint8")


# With the real ilastik: threads, peak memory in MB, seconds. The first one's largest sigma is not on record.
MEASURED = [
    pytest.param(image("tyxzc", 10, 300, 275, 50, 1), project(21, 1.6).facts, 2, 420, 61, id="a series of stacks"),
    pytest.param(image("yx", 2048, 2048), project(49).facts, 1, 1274, 32, id="a plane, one thread"),
    pytest.param(image("yx", 2048, 2048), project(49).facts, 2, 1363, 17, id="a plane, two threads"),
    pytest.param(image("yx", 2048, 2048), project(49).facts, 4, 1508, 27, id="a plane, four threads on two cores"),
]


@pytest.mark.parametrize(("described", "facts", "threads", "megabytes", "seconds"), MEASURED)
def test_the_forecast_is_near_what_was_measured(
    described: ImageDescription, facts: ProjectFacts, threads: int, megabytes: int, seconds: int
):
    """Memory within a quarter, time within a factor of 2.5."""
    foreseen = forecast([described], facts, threads)
    assert foreseen.memory_bytes
    assert foreseen.seconds
    assert 0.75 <= foreseen.memory_bytes / (megabytes * 10**6) <= 1.25
    assert 1 / 2.5 <= foreseen.seconds / seconds <= 2.5


def test_features_in_3d_need_planes_around_the_page():
    """A stack with wide filters takes gigabytes: measured 8.7 GB with four threads, 31 features taken for 60 values."""
    foreseen = forecast([image("zyx", 20, 2048, 2048)], project(60, 5.0).facts, 4)
    assert foreseen.memory_bytes
    assert 0.75 <= foreseen.memory_bytes / 8.7e9 <= 1.25


@pytest.mark.parametrize(
    ("settings", "pool", "alone"),
    [
        ({}, "ilastik", True),
        ({"large_pool_id": "big", "large_slot_memory_mb": 60_000}, "big", True),
        ({"large_pool_id": "big", "large_slot_memory_mb": 60_000, "slot_memory_mb": 24_000}, "ilastik", False),
        ({"large_pool_id": "big", "large_slot_memory_mb": 60_000, "slots_per_node": 2}, "ilastik", True),
    ],
    ids=["one pool", "a large pool", "enough memory", "enough on a whole node"],
)
def test_a_page_that_ilastik_would_wait_for_ever_for_gets_more_memory_from_the_start(settings, pool, alone):
    """Seen with the real one: of 212 bytes a pixel, it never begins above 28 million pixels with 12 GB free."""
    classifier = project(45)
    assert page_bytes(image("yx", 7_000, 4_000), classifier.facts, 4) == pytest.approx(12e9, rel=0.02)
    chosen = replace(SETTINGS, **{"pool_id": "ilastik", "slot_threads": 4, "slot_memory_mb": 12_000, **settings})
    for width, (wanted, apart) in ((8_000, (pool, alone)), (6_000, ("ilastik", False))):
        here = claimed(FRESH, classifier, Accepted(image("yx", width, 4_000)), chosen, NOW).placement
        assert (here.pool_id, here.alone) == (wanted, apart)
        assert here.job_id.startswith(f"{SETTINGS.job_prefix}-{wanted}-")
    # Pages of probabilities: ilastik divides their pixels by the number of the classes before it plans.
    shared = replace(classifier, config=ProjectConfig(export_source="Probabilities"))
    assert not claimed(FRESH, shared, Accepted(image("yx", 8_000, 4_000)), chosen, NOW).placement.alone


@pytest.mark.parametrize(("slots", "alone"), [(1, False), (2, False), (4, True)])
def test_a_file_that_needs_more_than_its_share_of_the_disk_has_a_node_to_itself(slots, alone):
    """Other slots' files take theirs at the same time: 40 GB of 100 are too much for one of four."""
    settings = replace(SETTINGS, node_disk_gb=100, slots_per_node=slots, slot_memory_mb=10**6)
    record = replace(FRESH, image=ImageVersion("e", 40 * 10**9))
    here = claimed(record, project(3), Accepted(image("yx", 100, 100)), settings, NOW).placement
    assert (here.alone, here.pool_id) == (alone, settings.pool_id)


def test_a_plain_copy_takes_its_room_on_the_disk():
    """As much as its pixels do, which may be little: so it never refuses a file, but gives it a node to itself."""
    where = project(3), replace(SETTINGS, node_disk_gb=100)
    one, other = image("zyx", 2000, 2000, 5000), image("zyx", 1000, 1000, 1000)
    verdict = Accepted(one, (), (other,), copy_bytes=40 * 10**9)
    # Beyond 4 GB beside what ilastik exports to HDF5.
    assert least_gb(10 * 10**9, verdict.images, *where) == pytest.approx(50, abs=0.1)
    assert most_gb(10 * 10**9, verdict, *where) == pytest.approx(91, abs=0.1)
    assert not disk_fault(Blob("fly/a.h5", "e", 50 * 10**9, NOW), verdict.images, *where)


@pytest.mark.parametrize(
    ("form", "least", "most"),
    [
        # Volumes of 1, 1 and 3 GB; the third is then the one that is being made.
        (ResultForm(), 5, 5),
        (ResultForm(COMPRESSED_TIFF), 3, 8),
        (ResultForm(HDF5), 3, 8),
        (ResultForm(TIFF, palette=True), 8, 8),
    ],
)
def test_of_several_images_only_one_is_made_at_a_time(form, least, most):
    """Of those before it there are results, which may be small where they are packed; all of it may be large."""
    images = [image("zyx", depth, 1000, 1000) for depth in (1000, 1000, 3000)]
    where = project(3, config=ProjectConfig(form=form)), SETTINGS
    assert least_gb(0, images, *where) == pytest.approx(least, abs=0.1)
    assert most_gb(0, Accepted(images[0], (), tuple(images[1:])), *where) == pytest.approx(most, abs=0.1)


def test_an_export_to_hdf5_lies_beside_the_tiffs_of_its_own_image():
    """The image beyond 4 GB comes first: when the other is written, what ilastik exported of it is gone."""
    images = [image("zyx", 5000, 1000, 1000), image("zyx", 3000, 1000, 1000)]
    assert least_gb(0, images, project(3), SETTINGS) == pytest.approx(10, abs=0.1)
    assert least_gb(0, images[::-1], project(3), SETTINGS) == pytest.approx(13, abs=0.1)


def test_nothing_is_foreseen_of_an_image_that_was_not_checked():
    """Unknown is neither much nor little; the row says why, and what the configuration asks for is kept."""
    verdict = Unchecked("'a.h5' was not checked completely: 64 reads were not enough.")
    plan = claimed(FRESH, project(3, config=ProjectConfig(internal_path="v", axes="zyx")), verdict, SETTINGS, NOW).plan
    assert (plan.image.is_known, plan.image.internal_path, plan.image.axes) == (False, "v", "zyx")
    assert plan.forecast == Forecast()
    assert plan.warnings == (RunWarning("not-checked", verdict.sentence),)


def test_stored_export_settings_are_kept_where_the_configuration_says_so():
    """Outputs, row and key of the run tell it; objects can't be counted then. Without them, nothing changes."""
    plain = project(3)
    stored = replace(plain, facts=replace(plain.facts, export=StoredExport((0, 2, 0, 0), dtype="uint16")))
    verdict = Accepted(image("zyx", 5, 40, 30))

    def plan(used: Project, *, keep: bool) -> RunPlan:
        used = replace(used, config=replace(used.config, keep_export_settings=keep))
        return claimed(FRESH, used, verdict, SETTINGS, NOW).plan

    assert plan(plain, keep=True) == plan(plain, keep=False) == plan(stored, keep=False)
    kept = plan(stored, keep=True)
    assert (kept.outputs[0].pages, kept.outputs[0].page_shape) == (5, (38, 30))
    assert kept.tool.export_settings == "the region from (0, 2, 0, 0) to the end, the type uint16"
    assert (kept.objects, kept.pictures) == (None, None)
    assert kept.run_key != plan(stored, keep=False).run_key
    [warning] = kept.warnings
    assert kept.tool.export_settings in warning.sentence


def test_the_form_of_the_results_is_planned():
    """It is part of the run's key, promises and disk; a palette only where values are those of classes."""
    described = image("zyx", 5, 400, 300)
    verdict = Accepted(described)

    def plan(config: ProjectConfig) -> RunPlan:
        return claimed(FRESH, project(3, config=config), verdict, SETTINGS, NOW).plan

    plain, formed = plan(ProjectConfig()), plan(ProjectConfig(form=ResultForm(COMPRESSED_TIFF, palette=True)))
    assert (plain.tool.result_form, formed.tool.result_form) == ("", "compressed-tiff palette")
    assert [output.path for output in formed.outputs] == ["a.ome.tiff"]
    assert formed.run_key != plain.run_key
    gray = plan(ProjectConfig(form=ResultForm(TIFF, palette=True), export_source="Probabilities"))
    assert (gray.tool.result_form, [warning.code for warning in gray.warnings]) == ("", ["no-palette"])
    assert gray.run_key == plan(ProjectConfig(export_source="Probabilities")).run_key
    used = project(3), project(3, config=ProjectConfig(form=ResultForm(COMPRESSED_TIFF)))
    least = [least_gb(0, [described], one, SETTINGS) for one in used]
    most = [most_gb(0, Accepted(described), one, SETTINGS) for one in used]
    assert least[0] == least[1] == most[0]
    assert most[1] == pytest.approx(2 * most[0])


def test_the_images_of_a_file_are_one_run():
    """Promised in a folder each, where they are alike together; time and disk add up, memory does not."""
    first, other = (replace(image("zyx", 20, 300, 400), folder=name) for name in ("s00", "s01"))
    alone = claimed(FRESH, project(3), Accepted(image("zyx", 20, 300, 400)), SETTINGS, NOW).plan
    plan = claimed(FRESH, project(3), Accepted(first, (), (other,)), SETTINGS, NOW).plan
    assert plan.images == (first, other)
    assert plan.run_key == alone.run_key
    (promise,) = plan.outputs
    assert promise.paths == tuple(f"{name}/{alone.outputs[0].path}" for name in ("s00", "s01"))
    assert promise.total_bytes == 2 * alone.outputs[0].total_bytes
    assert plan.forecast.memory_bytes == alone.forecast.memory_bytes
    assert plan.forecast.seconds
    assert alone.forecast.seconds
    assert plan.forecast.seconds >= 2 * alone.forecast.seconds - 1


@pytest.mark.parametrize(("memory_mb", "codes"), [(1_000, ["axes", "memory"]), (1_000_000, ["axes"])])
def test_a_run_that_may_need_more_memory_than_it_has_is_warned_of(memory_mb, codes):
    """It runs nevertheless; what the check warns of comes first."""
    verdict = Accepted(image("yx", 2048, 2048), (RunWarning("axes", "..."),))
    record = claimed(FRESH, project(49), verdict, replace(SETTINGS, slot_memory_mb=memory_mb), NOW)
    assert record.state is State.SUBMITTING
    assert [warning.code for warning in record.plan.warnings] == codes


@pytest.mark.parametrize(
    ("shown", "more", "parts"),
    [
        ({}, (), 4),
        ({"channels": (0, 2)}, (), None),
        ({"planes": "tz"}, (), None),
        ({}, (ImageDescription("b", "tzyx", True, (8, 6, 90, 90), "uint8", folder="b"),), None),
        ({"axes": "yx", "shape": (3, 90)}, (), None),
    ],
)
def test_an_image_is_planned_in_parts_where_its_pixels_are_the_files(shown, more, parts):
    """As many as its project wants; what is joined or picked of a file on the node is a single task."""
    one = replace(ImageDescription("a", "tzyx", True, (8, 6, 90, 90), "uint8"), **shown)
    fresh = FileRecord("fly/a.h5", 1, State.WAITING, ImageVersion("e", 1), "c")
    wants = project(9, config=ProjectConfig(parts=4))
    run = claimed(fresh, wants, Accepted(one, more_images=more), SETTINGS, NOW)

    assert (len(run.parts.each) if run.parts else None) == parts
    assert run.reason.startswith("It is computed in 4 parts along t;" if parts else "Its task is being created.")


def test_an_image_is_one_task_where_no_disk_holds_what_is_joined():
    """The file, what its parts became, and the whole."""
    one = ImageDescription("a", "tzyx", True, (8, 600, 900, 900), "uint8")
    wants = project(9, config=ProjectConfig(parts=4))
    fresh = FileRecord("fly/a.h5", 1, State.WAITING, ImageVersion("e", 4 * 10**9), "c")
    parts = [
        claimed(fresh, wants, Accepted(one), replace(SETTINGS, node_disk_gb=disk), NOW).parts for disk in (0, 11, 12)
    ]
    assert [found is not None for found in parts] == [True, False, True]


def test_chosen_channels_are_part_of_the_run():
    """Of its key, and of what the node is asked for where nobody has looked into the file; else nothing changes."""

    def plan(config: ProjectConfig, verdict: Accepted | Unchecked) -> RunPlan:
        return claimed(FRESH, project(3, config=config), verdict, SETTINGS, NOW).plan

    chosen = ProjectConfig(channels=(2, "GFP"))
    described = Accepted(image("zyx", 5, 400, 300))
    unchecked = Unchecked("It was not checked.")
    assert plan(chosen, described).run_key != plan(ProjectConfig(), described).run_key
    assert plan(chosen, described).wanted_channels == plan(ProjectConfig(), unchecked).wanted_channels == ""
    assert plan(chosen, unchecked).wanted_channels == '[2, "GFP"]'
    frozen = replace(project(3, config=chosen), digest="0" * 64)
    spec = task_spec(claimed(FRESH, frozen, unchecked, SETTINGS, NOW), SETTINGS, fakes.FakeBlobs().url)
    assert dict(spec.environment)["ILASTIK_TASK_CHANNELS"] == '[2, "GFP"]'
