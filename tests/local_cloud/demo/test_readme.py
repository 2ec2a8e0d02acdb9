"""What is said of the local cloud and its demo is so."""

import re
from pathlib import Path

from batch_ops.domain.file_record import State
from local_cloud.demo.dropped import FileState

LOCAL_CLOUD = Path(__file__).resolve().parents[3] / "local_cloud"


def test_the_demo_knows_every_state() -> None:
    """The demo, which knows nothing of the product, spells the states of a file as the product does."""
    assert {str(state) for state in State} == {str(state) for state in FileState}
    assert {str(s) for s in FileState if s.is_end} == {str(s) for s in State if s.is_final}


def test_links_of_the_coverage_list_lead_somewhere() -> None:
    """Files that the coverage list links to exist."""
    links = re.findall(r"\]\(([^)#:]+)\)", (LOCAL_CLOUD / "COVERAGE.md").read_text())
    assert links
    assert [link for link in links if not (LOCAL_CLOUD / link).exists()] == []


def test_picture_is_small() -> None:
    """The README's picture is quick to load."""
    assert 10_000 < (LOCAL_CLOUD / "sample_data/segmentation.png").stat().st_size <= 150_000
