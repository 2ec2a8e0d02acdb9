"""Images that do not say their axes wait until somebody says it once for all of their kind."""

import unicodedata
from dataclasses import replace

import pytest

from batch_ops.domain.file_record import State
from batch_ops.domain.selection import Selection
from batch_ops.use_cases.confirming import CannotConfirm
from tests.fakes.check import PROJECT, FakeCheck
from tests.world import MINUTE, World

FIRST, SECOND = "fly/a.h5", "fly/b.h5"
# What it was trained on had time and no z, so that time and z could be taken for each other.
SERIES = replace(PROJECT, axes="tyx", spatial_dimensions=2, chooses_2d=False, columns=5)


@pytest.fixture
async def asking(world: World) -> World:
    """Two images of one project that wait for their axes."""
    world.check = FakeCheck(world.cloud, project=SERIES)
    world.new_process()
    for name in (FIRST, SECOND):
        world.drop(name, b"UNSAID")
        await world.start(name)
    return world


async def test_it_waits_and_says_how_to_answer(asking: World):
    """In the row and in PROBLEM.txt; nothing is started, however often it is looked at, and it is not read again."""
    row = asking.row(FIRST)
    assert row.state is State.WAITING
    assert "files confirm fly/a.h5 --axes tyx" in row.reason
    assert "(n x n x n)" in row.reason
    assert row.reason in asking.results(FIRST)["PROBLEM.txt"].decode()
    looked = asking.cloud.calls["check._check_image"]
    for _ in range(3):
        await asking.tick(after=10 * MINUTE)
    assert asking.row(FIRST).reason == row.reason
    assert asking.cloud.calls["check._check_image"] == looked
    assert asking.tasks() == []


async def test_one_answer_counts_for_all_of_the_kind(asking: World):
    """For those that wait now, and for those that come later; a warning says so, and how to say otherwise."""
    confirmed = await asking.confirming(FIRST, "tyx")
    assert (confirmed.project, confirmed.kind, confirmed.looked) == ("fly", "n x n x n", 2)
    await asking.deliver()
    asking.drop("fly/c.h5", b"UNSAID")
    await asking.start("fly/c.h5")
    for name in (FIRST, SECOND, "fly/c.h5"):
        row = asking.row(name)
        assert (row.state, row.plan.image.axes, row.run) == (State.ACTIVE, "tyx", 1)
        assert [warning.code for warning in row.plan.warnings] == ["axes-confirmed"]
    done = await asking.finish(FIRST)
    assert done.reason.startswith("1 TIFF in the results. It does not say which of its dimensions (20 x 64 x 64)")
    assert "PROBLEM.txt" not in asking.results(FIRST)
    asking.drop("fly/d.h5", b"UNSURE It was too large.")
    await asking.start("fly/d.h5")
    task = next(spec for task, spec in asking.tasks() if task.task_id == asking.row("fly/d.h5").placement.task_id)
    assert dict(task.environment)["ILASTIK_TASK_CONFIRMED"] == '{"n x n x n": "tyx"}'


async def test_one_answer_counts_however_the_letters_of_the_project_are_composed(asking: World):
    """One classifier serves both spellings, and so does one answer."""
    names = [f"{unicodedata.normalize(form, 'zellé')}/a.h5" for form in ("NFC", "NFD")]
    asking.project("zellé")
    for name in names:
        asking.drop(name, b"UNSAID")
        await asking.start(name)
    assert (await asking.confirming(names[1], "tyx")).project == "zellé"
    await asking.deliver()
    assert [asking.row(name).state for name in names] == [State.ACTIVE] * 2


async def test_another_answer_is_another_run(asking: World):
    """The axes are part of the run key, which without them stays what it was; what has run is run again by force."""
    keys = []
    for axes in ("tyx", "txy"):
        await asking.confirming(FIRST, axes)
        await asking.steering.retry((await asking.steering.plan_retry(Selection(names=(FIRST,)), force=True)).chosen)
        await asking.deliver()
        row = await asking.finish(FIRST)
        assert row.plan.image.axes == axes
        keys.append(row.plan.run_key)
        await asking.start(FIRST)
        assert asking.row(FIRST).run == row.run
    assert keys[0] != keys[1]


@pytest.mark.parametrize(("name", "axes"), [(FIRST, "yx"), (FIRST, "zyy"), (FIRST, "zyq"), ("fly/none.h5", "zyx")])
async def test_what_can_not_be_is_not_confirmed(asking: World, name, axes):
    """Letters that do not fit the image, and files that nobody knows."""
    with pytest.raises(CannotConfirm):
        await asking.confirming(name, axes)
    assert await asking.notes.answers("fly") == {}
