"""Functions, triggers and connections as the host understands them."""

import pytest

from local_cloud.functions.errors import BindingError, SettingsError
from local_cloud.functions.schedule import Schedule
from local_cloud.functions.storage import Storage
from local_cloud.functions.triggers import QueueTrigger, Retry, TimerTrigger, parse_trigger

QUEUE = {"type": "queueTrigger", "name": "m", "queueName": "In-%X%", "connection": "DATA"}
TIMER = {"type": "timerTrigger", "name": "t", "schedule": "0 * * * * *"}


def test_a_queue_trigger():
    """The queue's name is resolved and in lower case, as queue names are; the connection is a setting's name."""
    assert parse_trigger("f", [QUEUE], {"X": "A"}) == QueueTrigger("m", "in-a", "DATA")


def test_a_queue_trigger_without_connection_uses_the_hosts():
    """As in Azure, the default is AzureWebJobsStorage."""
    assert parse_trigger("f", [QUEUE | {"connection": None}], {"X": "A"}) == QueueTrigger(
        "m", "in-a", "AzureWebJobsStorage"
    )


@pytest.mark.parametrize(
    ("options", "startup", "monitor"),
    [
        ({}, False, True),
        ({"runOnStartup": True, "useMonitor": False}, True, False),
        ({"useMonitor": True, "schedule": "*/30 * * * * *"}, False, False),
    ],
)
def test_a_timer_trigger(options, startup, monitor):
    """A status is kept unless it is switched off or the timer runs more than once a minute."""
    binding = TIMER | options
    assert parse_trigger("f", [binding], {}) == TimerTrigger("t", Schedule(binding["schedule"]), startup, monitor)


def test_two_triggers_are_refused():
    """A function has one trigger."""
    with pytest.raises(BindingError, match="'f' has 2 triggers"):
        parse_trigger("f", [QUEUE, TIMER], {"X": ""})


def test_retry_delays():
    """Fixed delays are fixed; growing ones stay between their bounds, also after many tries."""
    assert [Retry(3, 5.0).delay(n) for n in (1, 2, 9)] == [5.0, 5.0, 5.0]
    assert [Retry(-1, None, 2.0, 10.0).delay(n) for n in (1, 2, 3, 4, 5, 5000)] == [2.0, 3.0, 7.0, 10.0, 10.0, 10.0]


@pytest.mark.parametrize(
    ("settings", "url"),
    [
        ({"DATA__queueServiceUri": "https://acc.queue.core.windows.net"}, "https://acc.queue.core.windows.net/"),
        ({"data__ACCOUNTNAME": "acc", "DATA__clientId": "id"}, "https://acc.queue.core.windows.net/"),
        ({"DATA": "UseDevelopmentStorage=true"}, "http://127.0.0.1:10001/devstoreaccount1/"),
    ],
)
async def test_connections_without_a_connection_string(settings, url):
    """An address with an identity, an account's name, or the emulator's short form, whatever the case."""
    async with Storage(settings) as storage:
        client = await storage.queues("DATA")
        assert client.url == url
        assert await storage.queues("DATA") is client


@pytest.mark.parametrize("settings", [{}, {"DATA": ""}, {"DATA__blobServiceUri": "https://x"}, {"DATA": "nonsense"}])
async def test_a_connection_without_meaning_is_reported(settings):
    """The sentence names the setting."""
    async with Storage(settings) as storage:
        with pytest.raises(SettingsError, match="'DATA'"):
            await storage.queues("DATA")
