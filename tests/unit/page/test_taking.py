"""What can be taken from the page: parts of images to train on."""

import asyncio
import io
import json
from dataclasses import replace

import h5py
import pytest

from batch_ops.domain.errors import CannotCut, CannotUnpack
from batch_ops.domain.file_record import State
from batch_ops.domain.page_groups import PageGroups
from batch_ops.domain.purge import NOTICE
from batch_ops.image.facts import SMALL_CUT_LIMITS
from batch_ops.page.shown import previews
from batch_ops.task.pictures import Contrast, PicturesWanted
from tests.fakes.check import IMAGE
from tests.fakes.pixels import pixels_like
from tests.unit.page.browser import Browser
from tests.waiting import until
from tests.world import World

GROUPS = PageGroups.parse('{"g1": ["fly"]}')


@pytest.fixture
async def world() -> World:
    """A file that is done, of an image tzyx of 2 x 8 x 64 x 64."""
    world = World(signs_in=True, page_groups=GROUPS)
    await world.begin("fly/a.h5")
    await world.finish("fly/a.h5")
    return world


async def test_a_part_of_an_image_is_cut_out_to_train_on(world: World):
    """By whoever sees the file: these very pixels, as a file that ilastik opens, which the browser keeps."""
    viewer = Browser(world, "viewer", groups=("g1",))
    assert "crop" in (await viewer.see("file", name="fly/a.h5")).all("section", "aria-labelledby")
    answer = await viewer.get("crop", name="fly/a.h5", box="t=1,z=2:5,y=:10,x=60:")
    assert answer.headers["content-disposition"] == "attachment; filename*=UTF-8''a.h5_crop_t1_z2-5_y0-10_x60-64.h5"
    with h5py.File(io.BytesIO(answer.get_body())) as file:
        axes = "".join(tag["key"] for tag in json.loads(file["data"].attrs["axistags"])["axes"])
        assert (axes, file["data"].shape) == ("zyxc", (3, 10, 4, 1))
        assert (file["data"][..., 0] == pixels_like(IMAGE)[1, 2:5, :10, 60:]).all()


@pytest.mark.parametrize(
    ("box", "said"),
    [("q=1", "no range of an axis"), ("x=60:70", "goes from 0 to 64"), ("t=0:2", "training images have no axis t")],
)
async def test_what_can_not_be_cut_out_is_said(world: World, box, said):
    """In a sentence, and nothing is taken."""
    answer = await Browser(world, "admin").get("crop", name="fly/a.h5", box=box)
    assert (answer.status_code, said in answer.get_body().decode()) == (422, True)


async def test_a_part_may_not_be_larger_than_the_host_holds(world: World):
    """It is measured before a pixel is read."""
    record = (await world.steering.show("fly/a.h5"))[-1]
    world.cloud.reset_counters()
    with pytest.raises(CannotCut, match="is the most here"):
        await world.system.cropping.one(record, {}, "", 1000)
    refused = world.cloud.calls["blobs.read"]
    await world.system.cropping.one(record, {}, "", 10**6)
    assert world.cloud.calls["blobs.read"] == refused + 1


async def test_the_page_cuts_at_a_small_cost_and_two_at_a_time(world: World):
    """One more is asked to try again, and may once another has ended."""
    viewer, pixels = Browser(world, "viewer", groups=("g1",)), world.pixels
    pixels.may_end.clear()
    async with asyncio.TaskGroup() as group:
        both = [group.create_task(viewer.get("crop", name="fly/a.h5")) for _ in range(2)]
        await until(lambda: len(pixels.limits) == 2)
        async with asyncio.timeout(10):
            third = await viewer.get("crop", name="fly/a.h5")
        assert (third.status_code, third.headers["retry-after"]) == (429, "20")
        pixels.may_end.set()
    assert [task.result().status_code for task in both] == [200, 200]
    assert (await viewer.get("crop", name="fly/a.h5")).status_code == 200
    assert pixels.limits == [SMALL_CUT_LIMITS] * 3


@pytest.mark.parametrize(
    ("fault", "said"), [(CannotUnpack("it is compressed with Blosc"), "hdf5plugin"), (CannotCut("x"), "too much for")]
)
async def test_what_the_page_can_not_cut_an_operator_can(world: World, fault, said):
    """By a command on a computer of their own: nothing is to be installed where the page runs."""
    world.pixels.fault = fault
    answer = await Browser(world, "viewer", groups=("g1",)).get("crop", name="fly/a.h5")
    text = answer.get_body().decode()
    assert (answer.status_code, said in text, "on their own computer" in text) == (422, True, True)
    assert "beside this command" not in text


async def test_an_image_that_was_replaced_is_not_cut(world: World):
    """Its description is not that of the new one."""
    world.drop("fly/a.h5", b"another")
    answer = await Browser(world, "admin").get("crop", name="fly/a.h5")
    assert (answer.status_code, "uploaded anew" in answer.get_body().decode()) == (422, True)


async def test_it_is_foreseen_when_a_file_is_done(world: World):
    """By the clock once it computes; before that only how long that takes; of what is over nothing."""
    row = await world.begin("fly/b.h5")
    seconds = row.plan.forecast.seconds
    assert seconds
    viewer = Browser(world, "viewer", groups=("g1",))
    assert "once a machine takes it" in (await viewer.see("file", name="fly/b.h5")).text
    world.batch.run(row.placement.task_id)
    await world.tick()
    assert world.row("fly/b.h5").state is State.RUNNING
    assert "Foreseen: done about 2026-03-01 12:0" in (await viewer.see("file", name="fly/b.h5")).text
    assert "Foreseen: " not in (await viewer.see("file", name="fly/a.h5")).text


async def test_times_are_a_bar_without_gaps(world: World):
    """Each stretch begins where the one before has ended."""
    seen = await Browser(world, "admin").see("file", name="fly/a.h5")
    bars = [a for tag, a in seen.tags if tag == "rect" and (a.get("class") or "").startswith("fill-")]
    ends = [int(a["x"] or 0) + int(a["width"] or 0) for a in bars]
    assert [int(a["x"] or 0) for a in bars] == [0, *ends[:-1]]
    assert ends[-1] == 100


async def test_pictures_of_a_removed_file_are_not_shown_for_the_next_of_its_name(world: World):
    """Browsers keep a picture by its address, and the next file counts its runs from 1 again."""

    def addresses() -> set[str]:
        row = world.row("fly/a.h5")
        assert row.run == 1
        drawn = replace(row, plan=replace(row.plan, pictures=PicturesWanted(Contrast("uint8", ((0.0, 9.0),)))))
        return {picture.url for pair in previews(drawn) for picture in pair}

    before = addresses()
    assert len(before) == 2
    assert addresses() == before
    await world.system.purging.announce([world.row("fly/a.h5")], NOTICE)
    world.cloud.advance(NOTICE)
    assert await world.system.purging.purge([world.row("fly/a.h5")]) == {}
    await world.begin("fly/a.h5")
    await world.finish("fly/a.h5")
    assert before.isdisjoint(addresses())
