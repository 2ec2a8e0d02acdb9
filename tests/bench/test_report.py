"""The figures that a benchmark prints are what RESULTS.md holds, and what it counts is counted right."""

import json
import re

import pytest
from azure.core.exceptions import HttpResponseError
from azure.data.tables.aio import TableServiceClient

from local_cloud.azurite.server import Azurite
from tests.bench.report import REPOSITORY, RESULTS, Report, cpu_table
from tests.waiting import until


def report(figure: str) -> Report:
    made = Report("burst", "Burst", "make bench")
    made.table(("figure", "measured"), [("files/s", figure)])
    return made


def test_a_section_takes_the_place_of_the_older_one(tmp_path):
    """What stands around it stays, and to write twice is to write once."""
    file = tmp_path / "RESULTS.md"
    file.write_text("# Title\n\n<!-- burst -->\n\n<!-- end of burst -->\n\nThe rest.\n")
    for figure in ("1.0", "2.0", "2.0"):
        report(figure).write(file)
    text = file.read_text()
    assert text.startswith("# Title\n\n<!-- burst -->\n## Burst\n\n`make bench`")
    assert text.endswith("| files/s | 2.0 |\n<!-- end of burst -->\n\nThe rest.\n")
    assert text.count("| files/s |") == 1


def test_a_section_without_a_place_is_refused(tmp_path):
    """Nothing is written to the wrong place."""
    file = tmp_path / "RESULTS.md"
    file.write_text("# Title\n")
    with pytest.raises(ValueError, match="no place"):
        report("1.0").write(file)
    assert file.read_text() == "# Title\n"


@pytest.mark.parametrize(
    ("name", "file"),
    [
        *((name, RESULTS) for name in ("tick", "burst", "collect", "warm", "memory")),
        *(("measured", REPOSITORY / part / "BENCHMARKS.md") for part in ("local_cloud/batch", "deploy/pool/engine")),
    ],
)
def test_every_measure_has_its_place_in_the_results(name, file):
    """Measuring again is one command."""
    assert re.search(rf"<!-- {name} -->\n.*\n<!-- end of {name} -->", file.read_text(), re.DOTALL)


def test_cpu_is_reported_in_all_and_for_each():
    """Seconds by process, milliseconds a thing, and the sum of both."""
    made = Report("burst", "Burst", "make bench")
    cpu_table(made, {"a": 1.0, "b": 3.0}, 1000, "file")
    assert "| b | 3.0 | 3.0 |\n| together | 4.0 | 4.0 |" in made.markdown()


async def test_scans_are_refused_and_entities_counted_while_azurite_is_measured(tmp_path):
    """A query of a partition tells how many entities it answered with; one without is no cheap call here."""
    tally = tmp_path / "calls.json"

    def counted() -> dict[str, int]:
        found = json.loads(tally.read_text()) if tally.exists() else {}
        return {key.partition(" ")[2]: count for key, count in found.items()}

    async with (
        Azurite(tmp_path / "azurite", tally=tally) as azurite,
        TableServiceClient.from_connection_string(azurite.connection_string) as service,
    ):
        table = await service.create_table("files")
        for number in range(3):
            await table.create_entity({"PartitionKey": f"p{number % 2}", "RowKey": str(number)})
        assert len([row async for row in table.query_entities("PartitionKey eq 'p0'")]) == 2
        for scan in (table.list_entities(), table.query_entities("RowKey eq '1'")):
            with pytest.raises(HttpResponseError, match="refuses a scan"):
                [row async for row in scan]
        # It is written a moment after a call.
        expected = {"entities": 2, "POST files": 3, "GET files": 3}
        await until(lambda: {name: counted().get(name) for name in expected} == expected)
