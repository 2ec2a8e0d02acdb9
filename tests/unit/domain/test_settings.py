"""Settings: typed, with defaults, every fault at once."""

from datetime import timedelta

import pytest

from batch_ops.domain.errors import SettingsError
from batch_ops.domain.settings import from_mapping

GOOD = {
    "BATCH_ACCOUNT_ENDPOINT": "https://lab.westeurope.batch.azure.com",
    "BATCH_POOL_ID": "ilastik",
    "BATCH_POOL_IDENTITY": "/subscriptions/s/resourceGroups/g/providers/x/y",
    "DATA_STORAGE__blobServiceUri": "https://lab.blob.core.windows.net",
}


def test_defaults_need_three_values_and_a_storage_account():
    """The names of containers, queues and tables have defaults."""
    settings = from_mapping(GOOD)
    assert settings.input_container == "input"
    assert settings.grace == timedelta(seconds=60)
    assert not settings.uses_batch_key


def test_every_fault_is_reported_at_once():
    """An operator sees all that is wrong in one message."""
    with pytest.raises(SettingsError) as caught:
        from_mapping({"GRACE_SECONDS": "soon", "TASK_SLOTS_PER_NODE": "0", "TASK_SCRIPTS": "../x", "ENGINE": "none"})
    text = str(caught.value)
    for name in (
        "BATCH_ACCOUNT_ENDPOINT",
        "BATCH_POOL_ID",
        "BATCH_POOL_IDENTITY",
        "GRACE_SECONDS",
        "TASK_SLOTS_PER_NODE",
        "TASK_SCRIPTS",
        "ENGINE",
        "DATA_STORAGE",
    ):
        assert name in text


def test_units_are_in_the_names():
    """Minutes are minutes, hours are hours."""
    settings = from_mapping(GOOD | {"TASK_WALL_CLOCK_MINUTES": "90", "JOB_IDLE_HOURS": "12"})
    assert settings.wall_clock == timedelta(minutes=90)
    assert settings.job_idle == timedelta(hours=12)


def test_the_emulators_key_is_refused_in_azure():
    """A function app in Azure never runs on the storage emulator's public key."""
    values = GOOD | {"WEBSITE_SITE_NAME": "lab", "DATA_STORAGE": "AccountName=devstoreaccount1;AccountKey=x"}
    with pytest.raises(SettingsError, match="emulator"):
        from_mapping(values)


def test_a_key_needs_its_account():
    """A Batch key without the account's name is a mistake."""
    with pytest.raises(SettingsError, match="BATCH_ACCOUNT_NAME"):
        from_mapping(GOOD | {"BATCH_ACCOUNT_KEY": "x"})


@pytest.mark.parametrize("value", ["nan", "inf", "-1", "1" + 16 * "0"])
def test_an_impossible_duration_is_a_fault(value):
    """It is reported like any other fault, even if a clock could handle it."""
    with pytest.raises(SettingsError, match=r"SWEEP_HOURS is .*; it must be at least 0"):
        from_mapping(GOOD | {"SWEEP_HOURS": value})
