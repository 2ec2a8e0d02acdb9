"""What we rely on in Microsoft's worker library, which has no documented contract: through the host, on a real app."""

import json
from importlib.metadata import version


def field(line: str, name: str) -> str:
    return line.split(f" {name}=", 1)[1].split(" ")[0]


def test_the_library_is_the_one_that_was_tried():
    """Another version of the library must pass this file before the pin is moved."""
    assert version("azure-functions-runtime") == "1.3.0"


async def test_a_queue_function_gets_the_message_with_its_attributes(account, start_host):
    """Text, id, dequeue count and times of the message reach an asynchronous function, on the main thread."""
    host = await start_host()
    body = 'hällo "細胞" 100%\n'
    await account.put(f"echo-{account.word}", body)
    line = await host.line("echo got a message")
    assert f"body={json.dumps(body, ensure_ascii=False)}" in line
    assert field(line, "dequeue_count") == "1"
    assert field(line, "inserted") == "true"
    assert field(line, "thread") == "true"
    assert field(line, "function") == "echo"
    assert field(line, "cwd").endswith("tests/data/function_app")
    assert len(field(line, "message")) == 36


async def test_asynchronous_functions_share_one_loop_and_run_together(account, start_host):
    """Two invocations are inside the function at the same time, and all use one event loop."""
    host = await start_host()
    for word in "ab":
        await account.put(f"slow-{account.word}", json.dumps({"word": account.word + word, "seconds": 1}))
        await account.put(f"echo-{account.word}", word)
    await host.line("slow began", account.word, "together=2")
    await host.line("slow ended", count=2)
    await host.line("echo got a message", count=2)
    assert len({field(line, "loop") for line in host.matching("echo got a message")}) == 1


async def test_a_synchronous_function_runs_in_a_thread(account, start_host):
    """It gets its message, and what it logs is told apart by its invocation, as on the main thread."""
    host = await start_host()
    await account.put(f"echo-sync-{account.word}", json.dumps({"word": account.word}))
    line = await host.line("sync got", account.word)
    assert " echo_sync " in line


async def test_an_exception_comes_back_with_its_traceback(account, start_host):
    """A function that raises has failed; the log has type, text and the line in the app."""
    host = await start_host()
    await account.put(f"fails-{account.word}", f"no {account.word}")
    await host.line(f"ValueError: no good: no {account.word}")
    assert host.matching("Executed 'fails' (failed")
    assert host.matching("function_app.py", "in fails")


async def test_a_timer_function_is_told_that_it_is_on_time(start_host):
    """A timer under a minute runs on its schedule, not past due and without a status."""
    host = await start_host(TICK_SCHEDULE="* * * * * *")
    line = await host.line(" tick ", "past_due=", count=2)
    assert field(line, "past_due") == "false"
    assert field(line, "status") == "false"


async def test_a_timer_with_retries_is_told_the_count(start_host):
    """@app.retry reaches the host through the library, and the count of tries the function's context."""
    host = await start_host()
    assert (await host.request("/admin/functions/failing_tick", b"{}"))[0] == 202
    await host.line("Executed 'failing_tick' (failed", count=3)
    assert [field(line, "retry") for line in host.matching("failing tick")] == ["0", "1", "2"]
