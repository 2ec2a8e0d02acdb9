"""The simulator's command line."""

import re
import time
from pathlib import Path

import pytest
from PIL import Image

from local_cloud.autoscale import parse
from local_cloud.autoscale.command import main
from local_cloud.autoscale.simulation.clock import Settings, simulate
from local_cloud.autoscale.simulation.trace import generate
from tests.local_cloud.autoscale import plot

_ROOT = Path(__file__).parents[3]
_FORMULA = str(_ROOT / "deploy" / "pool" / "autoscale.formula")


def test_formulas_are_compared_in_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    """A row for each trace and formula, parameters in the formula's name."""
    assert main(["documented", f"{_FORMULA}:spotNodes=0", "--trace", "single", "--trace", "steady"]) == 0
    rows = capsys.readouterr().out.splitlines()[2:]
    names = [[cell.strip() for cell in row.split("|")[1:3]] for row in rows]
    assert names == [
        ["single", "documented"],
        ["single", "autoscale spotNodes=0"],
        ["steady", "documented"],
        ["steady", "autoscale spotNodes=0"],
    ]


def test_a_saved_trace_is_one_that_is_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The CSV that one run saves is what another reads."""
    saved = tmp_path / "arrivals.csv"
    assert main(["documented", "--trace", "bursty", "--save-trace", str(saved)]) == 0
    assert main(["documented", "--trace", str(saved)]) == 0
    assert "arrivals" in capsys.readouterr().out


def test_runs_are_drawn(tmp_path: Path) -> None:
    """A picture has ink in every panel, a column a formula."""
    picture = tmp_path / "plot.png"
    plot.main(["documented", _FORMULA, "--trace", "bursty", "--png", str(picture)])
    with Image.open(picture) as image:
        width, height = image.size
        for row in range(3):
            for column in range(2):
                box = (width * column // 2, height * row // 3, width * (column + 1) // 2, height * (row + 1) // 3)
                assert len(set(image.crop(box).get_flattened_data())) > 3


def test_prices_and_outages_are_arguments(capsys: pytest.CaptureFixture[str]) -> None:
    """With free spot nodes only an outage costs money."""
    arguments = [_FORMULA, "--trace", "nightly", "--price-spot", "0", "--preemptions", "0"]
    assert main(arguments) == 0
    free = capsys.readouterr().out
    assert main([*arguments, "--outage", "20", "22"]) == 0
    paid = capsys.readouterr().out
    assert free.splitlines()[2].split("|")[-3].strip() == "0.00"
    assert float(paid.splitlines()[2].split("|")[-3]) > 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere.formula"], "nowhere.formula"),
        (["BAD"], r"Line 2, Col 5: the variable \$y is not defined"),
        (["documented:maxnodes=3"], "no parameter 'maxnodes'"),
        (["documented", "--trace", "nowhere.csv"], "nowhere.csv"),
        (["documented", "--save-trace", "all.csv"], "one trace"),
        (["documented", "--trace", "single", "--interval", "1"], "5 minutes to 168 hours"),
        (["documented", "--trace", "single", "--task-slots", "2"], "needs 2 slots"),
        (["documented", "--trace", "single", "--node-start", "9", "3"], "lesser first"),
    ],
)
def test_faults_of_the_user_are_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    """Exit code 2 and a sentence on stderr; no traceback."""
    bad = tmp_path / "bad.formula"
    bad.write_text("a = 1;\nx = y;")
    assert main([str(bad) if argument == "BAD" else argument for argument in arguments]) == 2
    stderr = capsys.readouterr().err
    assert re.search(message, stderr)
    assert len(stderr.splitlines()) == 1


def test_failed_evaluations_are_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The table is followed by how many evaluations failed and why the first did."""
    formula = tmp_path / "unguarded.formula"
    formula.write_text("$TargetDedicatedNodes = max($PendingTasks.GetSample(TimeInterval_Minute * 15));")
    assert main([str(formula), "--trace", "single"]) == 0
    assert "Insufficient data from data set: $PendingTasks wanted 70%" in capsys.readouterr().out


def test_a_day_takes_less_than_two_seconds() -> None:
    """Hours in milliseconds: 24 h with 288 evaluations; about 0.2 s of CPU on an idle machine."""
    formula = parse(Path(_FORMULA).read_text(encoding="utf-8"))
    trace = generate("steady", 1)
    began = time.process_time()
    simulate(formula, trace, Settings())
    assert time.process_time() - began < 2
