"""A project's labels and features, as people read them."""

import re

import pytest

from batch_ops.image.facts import ProjectFacts
from tests.unit.inspection.conftest import put

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_many_and_hostile_class_names_stay_small(inspect):
    """255 labels with long names fit the table's property, and are counted right."""
    names = [("\N{SNOWMAN}\n" * 50).encode()] * 255
    colors = put("PixelClassification/LabelColors", [[255, 225, 25]] * 255)
    facts = await inspect(lambda file: (put("PixelClassification/LabelNames", names)(file), colors(file)))
    assert len(facts.classes) == 255
    assert len(facts.to_json().encode()) <= 5 * 1024


@pytest.mark.parametrize(
    ("stored", "shown"),
    [
        ([[255, 225, 25], [0, 0, 10]], ("#ffe119", "#00000a")),
        ([[255, 225, 25], [-1, 0, 10]], ()),
        ([[255, 225, 25], [0, 0, 256]], ()),
        ([[1.5, 2, 3]], ()),
        ([255, 225, 25], ()),
        (b"red", ()),
    ],
)
async def test_features_and_colours_are_told_as_ilastik_shows_them(inspect, stored, shown):
    """Colours that make no sense are none, and refuse nothing."""
    facts = await inspect(put("PixelClassification/LabelColors", stored))
    assert facts.label_colors == shown
    assert all(re.fullmatch(r"[A-Z][A-Za-z ]+ [\d.]+(, [\d.]+)*", named) for named in facts.features)
    assert facts.features
    assert ProjectFacts.from_json(facts.to_json()) == facts
