"""The host as a process: start, faults of the app, settings, stop, kill and what comes after."""

import asyncio
import base64
import json
import signal
import time
from urllib.parse import urlsplit

import psutil
import pytest
from azure.storage.queue.aio import QueueServiceClient

from local_cloud.azurite.server import Azurite, Ports
from tests.local_cloud.functions.conftest import KEY
from tests.waiting import until


async def test_status_functions_and_manual_start(account, start_host):
    """The admin routes tell that it runs and what, and start timers and queue functions by hand."""
    host = await start_host("--host-id", "my-host")
    status, body = await host.request("/admin/host/status")
    assert status == 200
    assert json.loads(body)["state"] == "Running"
    assert json.loads(body)["id"] == "my-host"
    functions = {entry["name"]: entry["trigger"] for entry in json.loads((await host.request("/admin/functions"))[1])}
    assert functions["echo"] == f"queue 'echo-{account.word}'"
    assert functions["tick"] == "timer '0 0 3 1 1 *'"
    assert (await host.request("/admin/functions/tick", b"{}"))[0] == 202
    await host.line(" tick ", "past_due=false")
    assert (await host.request("/admin/functions/echo", json.dumps({"input": "by hand"}).encode()))[0] == 202
    await host.line("echo got a message", 'body="by hand"')
    assert (await host.request("/admin/functions/none", b"{}"))[0] == 404
    assert (await host.request("/admin/functions/tick", b"no json"))[0] == 400
    assert (await host.request("/api/anything"))[0] == 404


async def test_the_admin_routes_are_for_who_has_the_key(start_host):
    """Without it nobody learns of functions or starts one; a page of another host may not even with it."""
    host = await start_host()
    routes = [("GET", "/admin/host/status"), ("GET", "/admin/functions"), ("POST", "/admin/functions/tick")]
    for headers in ({}, {"x-functions-key": "another"}, {"x-functions-key": "\u00e9"}):
        for method, path in routes:
            assert (await host.request_as(headers, method, path))[0] == 401
        assert await host.request_as(headers, "GET", "/") == (200, b"The function host answers.\n")
    for headers in ({"Origin": "http://evil.example"}, {"Host": "evil.example"}):
        for method, path in [*routes, ("GET", "/")]:
            assert (await host.request_as(headers | {"x-functions-key": KEY}, method, path))[0] == 403


@pytest.mark.slow
async def test_log_levels_of_host_json_are_kept(account, start_host):
    """A function whose level is Error shows its errors only."""
    host = await start_host()
    await account.put(f"quiet-{account.word}", account.word)
    await host.line("quiet says", account.word)
    assert not host.matching("not to be seen")
    assert not host.matching("Executing 'quiet'")


@pytest.mark.slow
async def test_a_function_over_its_time_limit_has_failed(account, start_host):
    """functionTimeout cancels the function, and its message is tried again."""
    host = await start_host(AzureFunctionsJobHost__functionTimeout="00:00:01")
    await account.put(f"slow-{account.word}", json.dumps({"word": account.word, "seconds": 30}))
    await host.line("ran longer than functionTimeout, 1 s")
    await host.line("Executing 'slow'", "dequeue count 2")
    assert not host.matching("slow ended")


async def test_sigterm_lets_running_functions_end(account, start_host):
    """After SIGTERM nothing new is pulled, what runs ends and is settled, and the exit code is 0."""
    host = await start_host()
    await account.put(f"slow-{account.word}", json.dumps({"word": account.word, "seconds": 1}))
    await host.line("slow began", account.word)
    host.process.send_signal(signal.SIGTERM)
    await host.line("The host stops")
    await account.put(f"echo-{account.word}", "too late")
    assert await host.ended() == 0
    assert host.matching("slow ended", account.word)
    assert await account.count(f"slow-{account.word}") == 0
    assert await account.visible(f"echo-{account.word}")


@pytest.mark.slow
async def test_a_function_that_will_not_end_is_cancelled_and_its_message_freed(account, start_host):
    """Stopping is bounded: what still runs then counts as failed, and its message is visible at once."""
    host = await start_host("--stop-seconds", "0.5")
    await account.put(f"slow-{account.word}", json.dumps({"word": account.word, "seconds": 4}))
    await host.line("slow began", account.word)
    assert await host.end() == 0
    assert host.matching("was cancelled because the host stops")
    assert any(account.word in text for text in await decoded(account, f"slow-{account.word}"))


async def decoded(account, queue):
    return [base64.b64decode(text).decode() for text in await account.visible(queue)]


@pytest.mark.slow
async def test_a_killed_host_keeps_its_messages_hidden_but_not_its_timers(account, start_host):
    """After SIGKILL the message waits out its ten minutes, while the timers of a restarted host tick at once."""
    first = await start_host(TICK_SCHEDULE="* * * * * *")
    await first.line(" tick ", "past_due")
    await account.put(f"slow-{account.word}", json.dumps({"word": account.word, "seconds": 30}))
    await first.line("slow began", account.word)
    await first.end(signal.SIGKILL)
    second = await start_host(TICK_SCHEDULE="* * * * * *")
    await second.line(" tick ", "past_due")
    assert not second.matching("is not free yet")  # another host would have waited for up to 60 s
    assert await account.count(f"slow-{account.word}") == 1
    assert await account.visible(f"slow-{account.word}") == []


@pytest.mark.slow
async def test_two_hosts_do_not_both_tick(account, start_host):
    """A second live host with the same id waits for the lock, and has it as soon as the first ends."""
    first = await start_host(TICK_SCHEDULE="* * * * * *")
    await first.line(" tick ", "past_due")
    second = await start_host(TICK_SCHEDULE="* * * * * *")
    await second.line("is not free yet", "Host.Functions.tick.Listener")
    await first.line(" tick ", "past_due", count=len(first.matching(" tick ", "past_due")) + 2)
    assert not second.matching(" tick ", "past_due")
    await first.end()
    await second.line(" tick ", "past_due", seconds=15)


@pytest.mark.slow
async def test_a_missed_run_is_made_up_for_once(account, start_host):
    """A timer whose time passed while no host ran is run once at the start, and told that it is past due."""
    first = await start_host(TICK_SCHEDULE="0 0 3 1 1 *")
    blob = account.blobs.get_blob_client("azure-webjobs-hosts", f"timers/{account.word}/Host.Functions.tick/status")
    await until(blob.exists)
    await first.end()
    last = "2025-01-01T03:00:00+00:00"
    await blob.upload_blob(
        json.dumps({"Last": last, "Next": "2026-01-01T03:00:00+00:00", "LastUpdated": last}), overwrite=True
    )
    second = await start_host(TICK_SCHEDULE="0 0 3 1 1 *")
    await second.line(" tick ", "past_due=true", "status=true")
    await until(lambda: later_than_2026(blob))
    await second.end()
    third = await start_host(TICK_SCHEDULE="0 0 3 1 1 *")
    await third.end()
    assert not third.matching(" tick ", "past_due")


async def later_than_2026(blob):
    status = json.loads(await (await blob.download_blob()).readall())
    return not status["Next"].startswith("2026-01-01")


@pytest.mark.slow
async def test_the_environment_wins_over_the_settings_file(account, start_host):
    """As with Core Tools, a variable of the process is stronger than local.settings.json."""
    host = await start_host(PATH="/from/the/file", ONLY_IN_FILE="yes")
    await host.request("/admin/functions/echo", b'{"input": "setting PATH"}')
    await host.request("/admin/functions/echo", b'{"input": "setting ONLY_IN_FILE"}')
    assert "/from/the/file" not in await host.line("setting PATH is ")
    await host.line("setting ONLY_IN_FILE is yes")


HEAD = "import azure.functions as func\napp = func.FunctionApp()\n"
BLOB = "@app.blob_trigger(arg_name='b', path='c/{n}', connection='DATA')\ndef f(b: func.InputStream): ..."
QUEUE = "@app.queue_trigger(arg_name='m', queue_name='q', connection='NONE')\ndef f(m: func.QueueMessage): ..."
OUTPUT = "@app.queue_output(arg_name='o', queue_name='q', connection='DATA')\n"
TIMER = "@app.timer_trigger(arg_name='t', schedule='{}')\n"
TICK = "def f(t: func.TimerRequest): ..."
BOTH = "def f(t: func.TimerRequest, o: func.Out[str]): ..."
NOT_LOADED = "function_app.py cannot be loaded"


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (HEAD + BLOB, ["'f'", "'b'", "blobTrigger", "func start"]),
        (HEAD + TIMER.format("0 * * * * *") + OUTPUT + BOTH, ["'f'", "'o'", "type 'queue'"]),
        (HEAD + TIMER.format("every day") + TICK, ["'f'", "every day", "six fields"]),
        (HEAD + TIMER.format("%NOT_SET%") + TICK, ["'f'", "%NOT_SET%", "no app setting"]),
        (HEAD + QUEUE, ["no storage connection 'NONE'"]),
        ("import no_such_module", [NOT_LOADED, "no_such_module"]),
        ("x = 1", [NOT_LOADED, "Could not find top level function app"]),
        ("def f(:", [NOT_LOADED, "SyntaxError"]),
    ],
)
async def test_an_app_that_cannot_be_run_is_refused_at_the_start(start_host, tmp_path, source, words):
    """A sentence names the function, the binding or the setting, or shows the app's own error; the exit code is 1."""
    (tmp_path / "app").mkdir()
    (tmp_path / "app/function_app.py").write_text(source)
    (tmp_path / "app/host.json").write_text('{"version": "2.0"}')
    host = await start_host(app=tmp_path / "app", ready=False)
    assert await host.process.wait() == 1
    refusal = await host.line("The function host cannot run: ")
    said = "\n".join(host.lines[host.lines.index(refusal) :])
    for word in words:
        assert word in said
    assert ("Traceback" in said) == (NOT_LOADED in words)


async def test_a_host_without_a_master_key_does_not_start(start_host):
    """An empty one would let everybody in."""
    host = await start_host("--key-env", "NO_SUCH_KEY", ready=False)
    assert await host.process.wait() == 1
    await host.line("The function host cannot run: The environment has no master key in NO_SUCH_KEY.")


@pytest.mark.slow
async def test_an_idle_host_is_small_and_quiet(account, start_host):
    """At rest the process needs less than 100 MB and hardly any processor time."""
    host = await start_host()
    process = psutil.Process(host.process.pid)
    assert process.memory_info().rss < 100e6
    before, began = process.cpu_times(), time.monotonic()
    await asyncio.sleep(3)  # what is measured is a stretch of time
    used = sum(process.cpu_times()[:2]) - sum(before[:2])
    assert used / (time.monotonic() - began) < 0.35


@pytest.mark.slow
async def test_the_storage_may_go_away_and_come_back(start_host, tmp_path):
    """A host outlives a restart of its storage: queues and timers go on within seconds."""
    data = tmp_path / "storage"
    async with Azurite(data) as azurite:
        ends = azurite.endpoints
        ports = Ports(*(urlsplit(url).port or 0 for url in (ends.blob, ends.queue, ends.table)))
        storage = azurite.connection_string
        host = await start_host(AzureWebJobsStorage=storage, DATA=storage, WORD="w", TICK_SCHEDULE="* * * * * *")
        await host.line(" tick ", "past_due")
    await host.line("Host.Queues", "cannot be read")
    async with Azurite(data, ports=ports, key=ends.key), QueueServiceClient.from_connection_string(storage) as queues:
        queue = await queues.create_queue("echo-w")
        await queue.send_message(base64.b64encode(b"again").decode())
        await queue.close()
        await host.line("echo got a message", "body=again")
        await host.line(" tick ", "past_due", count=len(host.matching(" tick ", "past_due")) + 1)
    # And it can be stopped while the storage is away.
    assert await host.end() == 0
