"""Settings of the app from a file."""

import json

import pytest

from batch_ops.domain.errors import SettingsError
from batch_ops.settings_file import read_settings


@pytest.mark.parametrize(
    "content",
    [
        {"IsEncrypted": False, "Values": {"A": "1", "B": "x"}},
        {"A": "1", "B": "x"},
        [{"name": "A", "slotSetting": False, "value": "1"}, {"name": "B", "value": "x"}, {"name": "C", "value": None}],
    ],
)
def test_settings_come_from_a_file(tmp_path, content):
    """A local.settings.json, its values alone, or what the Azure CLI lists of an app."""
    file = tmp_path / "settings.json"
    file.write_text(json.dumps(content))
    assert read_settings(str(file)) == {"A": "1", "B": "x"}


@pytest.mark.parametrize("content", [None, "{", "3", '{"Values": 3}'])
def test_a_bad_settings_file_is_named(tmp_path, content):
    """The sentence has the path in it."""
    file = tmp_path / "settings.json"
    if content is not None:
        file.write_text(content)
    with pytest.raises(SettingsError, match=r"settings\.json"):
        read_settings(str(file))
