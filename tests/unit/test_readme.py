"""The README tells what is so."""

import re
from pathlib import Path

from batch_ops.domain.file_record import State
from batch_ops.domain.settings import from_mapping

REPOSITORY = Path(__file__).resolve().parents[2]
README = (REPOSITORY / "README.md").read_text()


class Asked(dict[str, str]):
    """A mapping that remembers which names were asked for."""

    def __init__(self, values: dict[str, str]) -> None:
        super().__init__(values)
        self.names: set[str] = set()

    def get(self, name, default=None):
        self.names.add(name)
        return super().get(name, default)


def test_every_setting_is_in_the_table():
    """A setting that the app reads stands in the README."""
    values = Asked(
        {
            "BATCH_ACCOUNT_ENDPOINT": "https://x",
            "BATCH_POOL_ID": "p",
            "BATCH_POOL_IDENTITY": "/i",
            "DATA_STORAGE": "UseDevelopmentStorage=true",
        }
    )
    from_mapping(values)
    names = values.names - {"WEBSITE_SITE_NAME"}
    assert {name for name in names if f"`{name}`" not in README} == set()


def test_every_state_is_explained():
    """A state that a row may have stands in the README."""
    assert {state for state in State if f"| `{state}` |" not in README} == set()


def test_make_targets_of_the_readme_exist():
    """Every `make ...` that the README names is a target."""
    makefile = (REPOSITORY / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z][a-z-]*):", makefile, re.MULTILINE))
    assert set(re.findall(r"`?make ([a-z][a-z-]*)", README)) <= targets


def test_paths_of_the_readme_exist():
    """Every relative link leads somewhere."""
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)\)", README)
    assert [link for link in links if not (REPOSITORY / link).exists()] == []
