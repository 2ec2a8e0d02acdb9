"""Nothing is lost and nothing is done twice while real processes are killed: the smallest soak."""

from pathlib import Path

import pytest

from tests.soak.__main__ import table
from tests.soak.plan import Fate, Fault, plan
from tests.soak.soak import soak

SEED = 3


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_small_soak(tmp_path: Path):
    """Twelve files of every fate, host and Batch killed twice each, storage paused and cut: no rule is broken."""
    said: list[str] = []
    wanted = plan(12, 40, SEED)
    assert {file.fate for file in wanted.files} == set(Fate)
    report = soak(wanted, tmp_path, said.append)
    assert report.complaints == [], "\n".join([*said, table(report)])
    assert (report.faults[Fault.KILL_HOST], report.faults[Fault.KILL_BATCH]) == (2, 2)
    assert report.ends["SUCCEEDED"] >= 6
