"""How an image is cut, and what the tasks of its parts are told."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_ops.task.contract import TaskEnvironment, TaskEnvironmentError
from batch_ops.task.parts import Division, PartRun, PartsError, Region, TaskParts, part_id, part_of
from batch_ops.task.strict_json import ManifestError
from tests.unit.task.test_contract import TASK

_TASK = "cells-abcdefghijklmnopqrstuvwxyz-3-2"


@given(st.integers(2, 3000), st.integers(2, 500), st.integers(0, 60))
def test_each_pixel_is_in_one_part_and_has_its_halo(size: int, number: int, halo: int) -> None:
    """Parts follow one another, differ by one pixel at most, and read the halo as far as the image has it."""
    cut = Division("z", size, min(number, size), min(halo, size))
    regions = [cut.region(part) for part in range(1, cut.number + 1)]
    kept = [region.kept for region in regions]

    assert [pixel for first, end in kept for pixel in range(first, end)] == list(range(size))
    sizes = {end - first for first, end in kept}
    assert max(sizes) - min(sizes) <= 1
    assert all(r.read == (max(0, r.kept[0] - cut.halo), min(size, r.kept[1] + cut.halo)) for r in regions)


def test_a_part_is_a_box_of_the_image() -> None:
    """Its shape, where it begins, and the shape of the image that a part's belongs to."""
    cut = Division("z", 20, 4, 2)
    region = cut.region(2)

    assert region == Region("z", (3, 12), (5, 10))
    assert region.of_shape("tzyx", (7, 20, 30, 40)) == (7, 9, 30, 40)
    assert region.corner("tzyx") == (0, 3, 0, 0)
    assert cut.whole("tzyx", (7, 9, 30, 40)) == (7, 20, 30, 40)
    assert cut.words(2) == "part 2 of 4 (z 5 to 9)"
    assert Division("t", 3, 3).words(1) == "part 1 of 3 (t 0)"


@pytest.mark.parametrize(
    "cut",
    [
        ("x", 9, 2, 0),
        ("", 9, 2, 0),
        ("zy", 9, 2, 0),
        ("t", 9, 1, 0),
        ("t", 3, 4, 0),
        ("t", 900, 501, 0),
        ("t", 9, 2, 10),
    ],
)
def test_what_can_not_be_cut_is_refused(cut: tuple[str, int, int, int]) -> None:
    """Never along x, into one part, into more than there are pixels or than 500, or with a halo beyond the image."""
    with pytest.raises(PartsError):
        Division(*cut)


@pytest.mark.parametrize(
    "told", [TaskParts(Division("z", 20, 4, 2), 3), TaskParts(Division("t", 20, 4), 0, {2: 3, 4: 2})]
)
def test_what_a_task_is_told_is_read_as_it_was_written(told: TaskParts) -> None:
    """Which part it computes, or by which attempts the parts were computed that it joins."""
    assert TaskParts.from_json(told.to_json()) == told
    assert TaskEnvironment.from_env(replace(TASK, parts=told.to_json()).to_env()).of_parts == told


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        "{}",
        '{"axis":"t","size":9,"number":2,"halo":0,"part":3}',
        '{"axis":"t","size":"9","number":2,"halo":0}',
        '{"axis":"t","size":9,"number":2,"halo":0,"attempts":[1]}',
        '{"axis":["t"],"size":9,"number":2,"halo":0}',
    ],
)
def test_a_task_that_is_told_nonsense_of_parts_is_refused(text: str) -> None:
    """By the app, which would write it, and on the node."""
    with pytest.raises(PartsError):
        TaskParts.from_json(text)
    with pytest.raises(TaskEnvironmentError):
        replace(TASK, parts=text).to_env()


def test_the_ids_of_parts_belong_to_their_run() -> None:
    """Attempts of parts and of the task that joins them count by themselves."""
    told = TaskParts(Division("t", 20, 3), attempts={2: 7})
    stem = "cells-abcdefghijklmnopqrstuvwxyz-3"

    assert told.task_ids(_TASK) == [f"{stem}-1-p1", f"{stem}-7-p2", f"{stem}-1-p3"]
    assert part_of(part_id(_TASK, 7, 2)) == (2, 7)
    assert part_of(_TASK) is None


@pytest.mark.parametrize("change", [{"task_id": "a b"}, {"started": "now"}, {"node": 3}, {"more": 1}])
def test_a_manifest_says_of_parts_nothing_else(change: dict[str, object]) -> None:
    """It comes from a machine that ran other people's data."""
    told = {
        "task_id": "a-1-1-p1",
        "execution": "20261122T085551Z-1f0c3a9e",
        "node": "tvm-1",
        "started": "2026-11-22T08:55:51Z",
        "finished": "2026-11-22T08:56:51Z",
    }
    assert PartRun.read(told).node == "tvm-1"
    with pytest.raises(ManifestError):
        PartRun.read({**told, **change})
