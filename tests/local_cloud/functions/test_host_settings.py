"""host.json and app settings."""

import json

import pytest

from local_cloud.functions.app_settings import effective, is_disabled, read_values, resolve
from local_cloud.functions.errors import SettingsError
from local_cloud.functions.host_json import HostOptions, QueueOptions, read_host_json


def host(tmp_path, settings=None, **content):
    path = tmp_path / "host.json"
    path.write_text(json.dumps({"version": "2.0", **content}))
    return read_host_json(path, settings or {})


def queues(tmp_path, **options):
    return host(tmp_path, extensions={"queues": options}).queues


def test_defaults_are_those_of_azure(tmp_path):
    """An empty host.json means what the real host's documentation says."""
    assert host(tmp_path) == HostOptions(1800.0, QueueOptions(16, 8, 5, 0.0, 60.0, base64=True))


def test_every_queue_option_is_read(tmp_path):
    """Numbers, times and the message encoding come through."""
    assert queues(
        tmp_path,
        batchSize=32,
        newBatchThreshold=0,
        maxDequeueCount=1,
        visibilityTimeout="00:01:30",
        maxPollingInterval="00:00:02",
        messageEncoding="none",
    ) == QueueOptions(32, 0, 1, 90.0, 2.0, False)


def test_the_threshold_follows_the_batch(tmp_path):
    """Half a batch, unless it is given."""
    assert queues(tmp_path, batchSize=4).new_batch_threshold == 2


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("00:10:00", 600.0),
        ("1.02:03:04.5", 93784.5),
        ("00:00:00.25", 0.25),
        ("01:30", 5400.0),
        ("-1", None),
        (-1, None),
    ],
)
def test_times(tmp_path, text, seconds):
    """Times are .NET's: [days.]hours:minutes[:seconds]; a function timeout of -1 is none."""
    assert host(tmp_path, functionTimeout=text).function_timeout == seconds


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("batchSize", 33),
        ("batchSize", 0),
        ("batchSize", "many"),
        ("newBatchThreshold", -1),
        ("maxDequeueCount", 0),
        ("visibilityTimeout", "soon"),
        ("messageEncoding", "rot13"),
    ],
)
def test_an_option_without_meaning_is_reported(tmp_path, key, value):
    """The sentence names file, key and value."""
    with pytest.raises(SettingsError, match=rf"host\.json.*{key} is .*{value}"):
        queues(tmp_path, **{key: value})


def test_a_timeout_of_zero_is_refused(tmp_path):
    """A limit that no function can keep is a mistake."""
    with pytest.raises(SettingsError, match="functionTimeout"):
        host(tmp_path, functionTimeout="00:00:00")


def test_settings_override_the_file(tmp_path):
    """AzureFunctionsJobHost__a__b replaces a.b, whatever the case, also where the file has no such section."""
    settings = {
        "AzureFunctionsJobHost__Extensions__Queues__BatchSize": "2",
        "AzureFunctionsJobHost__functionTimeout": "00:00:09",
        "AzureFunctionsJobHost__logging__logLevel__default": "Error",
    }
    options = host(tmp_path, settings, extensions={"queues": {"batchSize": 8, "maxDequeueCount": 7}})
    assert options.queues.batch_size == 2
    assert options.queues.max_dequeue_count == 7
    assert options.function_timeout == 9.0
    assert options.log_levels == {"default": "Error"}


def test_missing_and_broken_host_json_are_reported(tmp_path):
    """Each has a sentence of its own."""
    with pytest.raises(SettingsError, match=r"needs a host\.json"):
        read_host_json(tmp_path / "host.json", {})
    for content, sentence in (("[1]", 'must be an object with "version"'), ("{}", '"version"'), ("{", "is not JSON")):
        (tmp_path / "host.json").write_text(content)
        with pytest.raises(SettingsError, match=sentence):
            read_host_json(tmp_path / "host.json", {})


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("{", "is not JSON"),
        ("[]", "no object 'Values'"),
        ('{"Values": []}', "no object 'Values'"),
        ('{"IsEncrypted": true, "Values": {}}', "func settings decrypt"),
        ('{"Values": {"A": 1, "B": "x"}}', "must be a string, but these are not: A"),
    ],
)
def test_a_settings_file_without_meaning_is_reported(tmp_path, content, sentence):
    """local.settings.json holds strings in Values; anything else is an error, as with Core Tools."""
    path = tmp_path / "local.settings.json"
    path.write_text(content)
    with pytest.raises(SettingsError, match=sentence):
        read_values(path)


def test_values_under_the_environment(tmp_path):
    """The file's values are read, and the process environment wins."""
    path = tmp_path / "local.settings.json"
    path.write_text('{"IsEncrypted": false, "Values": {"A": "file", "B": "file"}, "Host": {}}')
    assert effective(read_values(path), {"B": "environment"}) == {"A": "file", "B": "environment"}


def test_percent_names_are_resolved():
    """%NAME% is a setting, anywhere in the text; a missing one is named with its place."""
    assert resolve("a-%X%-%Y%", {"X": "1", "Y": "2"}, "here") == "a-1-2"
    assert resolve("plain", {}, "here") == "plain"
    with pytest.raises(SettingsError, match="The queue refers to %Z%"):
        resolve("%Z%", {}, "The queue")


@pytest.mark.parametrize(
    ("name", "value", "disabled"),
    [
        ("AzureWebJobs.tick.Disabled", "true", True),
        ("AzureWebJobs_tick_Disabled", "1", True),
        ("AzureWebJobs.tick.Disabled", "false", False),
        ("AzureWebJobs.other.Disabled", "true", False),
    ],
)
def test_a_function_can_be_switched_off_by_a_setting(name, value, disabled):
    """AzureWebJobs.<function>.Disabled works as in Azure."""
    assert is_disabled("tick", {name: value}) is disabled
