"""The commands that sum up: months, costs, counts of objects."""

import csv
from dataclasses import replace
from datetime import timedelta

import pytest

from batch_ops.domain.prices import NodePrices
from batch_ops.domain.selection import Selection
from batch_ops.task.objects import COMPONENTS
from tests.world import NAME


async def test_a_month_is_summed_up_by_project(operator):
    """What ended in it, the hours of nodes and their cost; this month unless another one is named."""
    operator.world.new_process(prices=NodePrices.parse('{"Standard_D4ds_v5": {"dedicated": 0.36}}'))
    await operator.world.begin("fly/a.h5", "fly/b.h5", "worm/a.h5")
    operator.world.batch.run(operator.world.row("fly/a.h5").placement.task_id)
    await operator.world.tick(timedelta(hours=2))
    plan = await operator.world.steering.plan_cancel(Selection(names=("fly/a.h5",)))
    await operator.world.steering.cancel(plan.chosen)
    await operator.world.fill_disk("fly/b.h5")
    lines = (await operator.types("month")).out.splitlines()
    assert [line.split() for line in lines[1:-1]] == [["fly", "0", "0", "1", "0", "1", "2.0", "0.7200", "USD"]]
    assert lines[-1] == "In all: 2.0 node hours, cost 0.7200 USD."
    [row] = (await operator.types("month", "2026-03", "--json", "--project", "fly")).json
    assert (row["month"], row["project"], row["cancelled"], row["node_seconds"]) == ("2026-03", "fly", 1, 7200)
    assert (row["cost_micro"], row["currency"], row["unpriced_seconds"]) == (720_000, "USD", 0)
    assert (await operator.types("month", "2026-02")).out == "No run ended in 2026-02.\n"


@pytest.mark.parametrize(
    ("price", "shown", "in_all"),
    [
        ("{}", "not known", "cost not known. The price of 1.0 of the hours is not known (setting NODE_PRICES)."),
        ('{"Standard_D4ds_v5": {"dedicated": 0.36}}', "0.3600 USD", "cost 0.3600 USD."),
    ],
)
async def test_what_a_file_has_cost_is_shown(operator, price, shown, in_all):
    """What is not known is not free: neither of a file nor of a month."""
    operator.world.new_process(prices=NodePrices.parse(price))
    await operator.world.begin(NAME)
    operator.world.batch.run(operator.world.row(NAME).placement.task_id)
    await operator.world.tick(timedelta(hours=1))
    await operator.world.fill_disk(NAME)
    lines = [line.split(maxsplit=1) for line in (await operator.types("show", NAME)).out.splitlines()]
    assert ["cost", shown] in lines
    assert (await operator.types("month")).out.splitlines()[-1].endswith(in_all)


async def test_counts_are_csv_with_a_line_for_every_file(operator):
    """One for each class and time point; a file without numbers is not passed over, a formula not computed."""
    await operator.world.begin("fly/=a.h5", "fly/b.h5", "fly/-c.h5")
    await operator.world.finish("fly/=a.h5")
    answer = await operator.types("counts", "--project", "fly")
    counted = {row["file"]: row for row in csv.DictReader(answer.out.splitlines())}
    assert counted.keys() == {"fly/=a.h5", "fly/b.h5", "fly/-c.h5"}
    row = counted["fly/=a.h5"]
    assert [row[name] for name in ("class_name", "objects", "mean_size", "total_size", "unit")] == [
        *("cell", "10", "10.0", "100.0", "px")
    ]
    assert (counted["fly/b.h5"]["state"], counted["fly/b.h5"]["objects"]) == ("ACTIVE", "")
    assert "cell: 10 (connected components" in (await operator.types("show", "fly/=a.h5")).out
    assert (row["objects_are"], counted["fly/b.h5"]["objects_are"]) == (COMPONENTS, "")
    rows = {row["file"]: row for row in (await operator.types("counts", "--json")).json}
    assert rows["fly/=a.h5"]["objects"] == 10
    assert rows["fly/=a.h5"]["classifier_since"] == "2026-03-01T12:00:00Z"


async def test_names_say_plate_well_and_site(operator):
    """By the pattern beside the classifier, as it is now; a broken one is complained about, the counts are there."""
    await operator.world.begin("fly/P1/B07_s2.h5", "fly/P1/odd.h5", "worm/P1/B07_s2.h5")
    operator.world.blobs.upload("projects", "fly.json", b'{"name_pattern": "{plate}/{well}_s{site}"}')
    rows = {row["file"]: row for row in (await operator.types("counts", "--json")).json}
    found = {name: [row[field] for field in ("plate", "well", "site", "condition")] for name, row in rows.items()}
    none = [None] * 4
    assert found["fly/P1/B07_s2.h5"] == ["P1", "B07", "2", None]
    assert (found["fly/P1/odd.h5"], found["worm/P1/B07_s2.h5"]) == (none, none)
    operator.world.blobs.upload("projects", "fly.json", b'{"name_pattern": "{plait}"}')
    answer = await operator.types("counts", "--project", "fly")
    assert (answer.code, len(answer.out.splitlines())) == (0, 3)
    assert "unknown field '{plait}'" in answer.err


async def test_counts_of_several_classifiers_only_if_that_is_asked_for(operator):
    """They can't be compared; nothing is written then."""
    operator.world.project("worm", b"another classifier")
    await operator.world.begin("fly/a.h5", "worm/a.h5")
    await operator.world.finish("fly/a.h5")
    await operator.world.finish("worm/a.h5")
    answer = await operator.types("counts")
    assert (answer.code, answer.out) == (1, "")
    assert "2 different classifiers" in answer.err
    assert len((await operator.types("counts", "--mixed")).out.splitlines()) == 3


async def test_counts_that_are_too_many_for_a_row_are_said_to_be(operator):
    """Their line has no numbers, as that of a file without objects; a sentence says where they are."""
    await operator.world.begin("fly/a.h5", "fly/b.h5")
    await operator.world.finish("fly/a.h5")
    assert (await operator.types("counts")).err == ""
    entry = await operator.world.ledger.get("fly/a.h5")
    assert entry is not None
    published = replace(entry.record.published, counts=None)
    await operator.world.ledger.advance(entry, replace(entry.record, published=published))
    answer = await operator.types("counts")
    assert answer.err == "The counts of 'fly/a.h5' are too many for a row: they stand in its objects.csv.\n"
    assert len(answer.out.splitlines()) == 3
