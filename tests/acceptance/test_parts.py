"""An image in parts on its way through the real processes: the results are those of one task."""

import json
import re

import pytest

from tests.acceptance.lab import NODE_PRICE

_UUID = re.compile(rb"urn:uuid:[0-9a-f-]{36}")


def made(lab, name: str) -> dict[str, bytes]:
    """The results of a file, without what is new in each run."""
    found = {leaf: _UUID.sub(b"", data) for leaf, data in lab.results(name).items()}
    return {leaf: data for leaf, data in found.items() if leaf.endswith((".tiff", ".csv", ".png"))}


@pytest.mark.parametrize("parts", [2, pytest.param(5, marks=pytest.mark.slow)])
def test_an_image_in_parts_has_the_results_of_one_task(lab, parts):
    """TIFFs, objects and pictures are the same, byte for byte; row and provenance name every part and what it cost."""
    lab.project("whole", parts=1)
    lab.project("parted", parts=parts)
    for project in ("whole", "parted"):
        lab.image(f"{project}/well {parts}.h5", seed=3)
    whole, row = (lab.wait(f"{project}/well {parts}.h5", seconds=180) for project in ("whole", "parted"))
    assert (whole["state"], row["state"]) == ("SUCCEEDED", "SUCCEEDED"), (whole["reason"], row["reason"])

    name = f"parted/well {parts}.h5"
    results = made(lab, name)
    assert results == made(lab, f"whole/well {parts}.h5")
    assert {leaf.rpartition(".")[2] for leaf in results} == {"tiff", "csv", "png"}
    document = json.loads(lab.results(name)["provenance.json"])
    own = row["task_id"]
    assert [part["task_id"] for part in document["parts"]["each"]] == [f"{own}-p{n}" for n in range(1, parts + 1)]
    tasks = lab.tasks(name)
    assert sorted(task.id for task in tasks) == sorted([own, *(f"{own}-p{n}" for n in range(1, parts + 1))])
    spans = (task.execution_info.end_time - task.execution_info.start_time for task in tasks)
    seconds = sum(round(span.total_seconds()) for span in spans)
    assert row["cost_micro"] == pytest.approx(
        seconds * NODE_PRICE / 3600 * 1e6, abs=len(tasks) * NODE_PRICE / 3600 * 1e6
    )
    assert lab.staged(name) == []
