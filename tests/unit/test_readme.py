"""The README tells what is so."""

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
