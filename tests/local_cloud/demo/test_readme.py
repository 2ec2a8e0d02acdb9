"""The README says what is so."""

import re
from pathlib import Path

import pytest

from batch_ops.domain.errors import SettingsError
from batch_ops.domain.file_record import State
from batch_ops.domain.settings import from_mapping
from local_cloud.demo.dropped import FileState

REPOSITORY = Path(__file__).resolve().parents[3]
README = (REPOSITORY / "README.md").read_text()


class AskedFor(dict[str, str]):
    """An empty mapping that remembers which names were looked up."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def get(self, name: str, default: object = None) -> object:  # type: ignore[override]
        self.names.add(name)
        return default

    def __missing__(self, name: str) -> str:
        self.names.add(name)
        raise KeyError(name)


def test_every_setting_stands_in_the_table() -> None:
    """Each setting that the app reads is explained, by its name."""
    asked = AskedFor()
    with pytest.raises(SettingsError):
        from_mapping(asked)
    by_azure_itself = {"WEBSITE_SITE_NAME"}
    assert len(asked.names) > 20
    assert {name for name in asked.names - by_azure_itself if f"`{name}`" not in README} == set()


def test_every_state_stands_in_the_table() -> None:
    """Each state is explained, and the demo knows it."""
    assert [state for state in State if f"| `{state}` |" not in README] == []
    assert {str(state) for state in State} == {str(state) for state in FileState}
    assert {str(s) for s in FileState if s.is_end} == {str(s) for s in State if s.is_final}


def test_make_targets_exist() -> None:
    """`make x` in the README is a target of the Makefile."""
    targets = set(re.findall(r"^([a-z-]+):", (REPOSITORY / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"\bmake ([a-z-]+)", README))
    assert named
    assert named <= targets


def test_links_lead_somewhere() -> None:
    """Files that the README and the coverage list link to exist."""
    for page in (REPOSITORY / "README.md", REPOSITORY / "local_cloud/COVERAGE.md"):
        links = re.findall(r"\]\(([^)#:]+)\)", page.read_text())
        assert links
        assert [link for link in links if not (page.parent / link).exists()] == []


def test_picture_is_small() -> None:
    """The README's picture is quick to load."""
    assert 10_000 < (REPOSITORY / "local_cloud/sample_data/segmentation.png").stat().st_size <= 150_000
