"""The queue trigger's rules, on a real Azurite."""

import asyncio
import base64
import contextlib
from collections.abc import Awaitable, Callable

import pytest_asyncio

from local_cloud.functions.host_json import QueueOptions
from local_cloud.functions.queue_listener import Backoff, QueueListener
from local_cloud.functions.stopping import Stopping
from tests.waiting import until

QUICK = {"max_polling_interval": 0.2}


class Handler:
    """Records bodies; waits while the gate is closed; fails while told to. `stop` ends its listener."""

    stop: Callable[[], Awaitable[None]]

    def __init__(self, fails, is_open):
        self.gate = asyncio.Event()
        if is_open:
            self.gate.set()
        self.began: list[str] = []
        self.counts: list[int] = []
        self.ended: list[str] = []
        self.fails = fails

    async def __call__(self, message, body):
        self.began.append(body)
        self.counts.append(message.dequeue_count)
        await self.gate.wait()
        self.ended.append(body)
        return not self.fails


@pytest_asyncio.fixture
async def listen(account):
    """Starts listeners on queue `q-<word>`; gives their handlers, whose `stop` ends them, and stops them at the end."""
    async with contextlib.AsyncExitStack() as stack:

        async def start(fails=False, is_open=True, poison=True, hold_seconds=600.0, **options):
            name, handler = f"q-{account.word}", Handler(fails, is_open)
            stopping = Stopping()
            listener = QueueListener(
                account.queues.get_queue_client(name),
                account.queues.get_queue_client(f"{name}-poison") if poison else None,
                QueueOptions(**{**QUICK, **options}),
                handler,
                stopping,
                hold_seconds=hold_seconds,
            )
            task = asyncio.create_task(listener.run())

            async def stop():
                stopping.set()
                handler.gate.set()
                async with asyncio.timeout(10):
                    await task

            stack.push_async_callback(stop)
            handler.stop = stop
            return handler

        yield start


async def test_success_deletes_the_message(account, listen):
    """A message that was dealt with is gone, and its text was decoded from base64."""
    handler = await listen()
    await account.put(f"q-{account.word}", "häl\nlo")
    await until(lambda: handler.ended)
    await until(lambda: gone(account))
    assert handler.ended == ["häl\nlo"]
    assert await account.count(f"q-{account.word}-poison") == 0


async def gone(account):
    return await account.count(f"q-{account.word}") == 0


async def test_a_queue_that_comes_later_is_found(account, listen):
    """A queue need not exist when the host starts."""
    handler = await listen()
    await asyncio.sleep(0)
    await account.put(f"q-{account.word}", "x")
    await until(lambda: handler.ended)


async def test_failures_come_again_and_end_in_the_poison_queue(account, listen):
    """A failing message is tried maxDequeueCount times, then moved, its stored text unchanged."""
    handler = await listen(fails=True, max_dequeue_count=3)
    await account.put(f"q-{account.word}", "bad")
    await until(lambda: account.visible(f"q-{account.word}-poison"))
    assert handler.counts == [1, 2, 3]
    assert await account.visible(f"q-{account.word}-poison") == [base64.b64encode(b"bad").decode()]
    await until(lambda: gone(account))


async def test_a_failed_message_waits_for_the_visibility_timeout(account, listen):
    """visibilityTimeout is the pause before a failed message is seen again."""
    handler = await listen(fails=True, visibility_timeout=2.0)
    loop = asyncio.get_running_loop()
    await account.put(f"q-{account.word}", "bad")
    await until(lambda: len(handler.counts) == 1)
    began = loop.time()
    await until(lambda: len(handler.counts) == 2)
    assert loop.time() - began > 0.9  # the service counts in whole seconds


async def test_a_message_tried_too_often_is_moved_untried(account, listen):
    """A message whose count is above the limit, as after crashes, goes to the poison queue without another try."""
    queue = account.queues.get_queue_client(f"q-{account.word}")
    await account.put(f"q-{account.word}", "crashes")
    for _ in range(3):
        async for message in queue.receive_messages(visibility_timeout=60):
            await queue.update_message(message, visibility_timeout=0)
            break
    handler = await listen(max_dequeue_count=3)
    await until(lambda: account.visible(f"q-{account.word}-poison"))
    assert handler.began == []


async def test_text_that_is_not_base64_is_moved_untried(account, listen):
    """A message put in plainly by mistake does not block the queue, and is kept for people as it is."""
    handler = await listen()
    await account.put(f"q-{account.word}", "plain text!", raw=True)
    await until(lambda: account.visible(f"q-{account.word}-poison"))
    assert await account.visible(f"q-{account.word}-poison") == ["plain text!"]
    assert handler.began == []


async def test_plain_text_is_taken_where_host_json_says_so(account, listen):
    """messageEncoding none hands over the text as it is."""
    handler = await listen(base64=False)
    await account.put(f"q-{account.word}", "plain text!", raw=True)
    await until(lambda: handler.ended == ["plain text!"])


async def test_a_failed_message_of_a_poison_queue_stays_hidden(account, listen):
    """Functions on poison queues have no further poison queue; their failures wait out the hold."""
    handler = await listen(fails=True, poison=False)
    await account.put(f"q-{account.word}", "bad")
    await until(lambda: handler.ended)
    await handler.stop()
    assert handler.counts == [1]
    assert await account.visible(f"q-{account.word}") == []
    assert await account.count(f"q-{account.word}") == 1


async def test_batch_and_threshold_bound_what_runs(account, listen):
    """At most batchSize are pulled at once, and more only when newBatchThreshold or fewer run."""
    for number in range(9):
        await account.put(f"q-{account.word}", str(number))
    handler = await listen(is_open=False, batch_size=3, new_batch_threshold=3)
    await until(lambda: len(handler.began) == 6)  # 3, and as 3 run another 3; then more than 3 run
    assert len(await account.visible(f"q-{account.word}")) == 3
    handler.gate.set()
    await until(lambda: gone(account))
    assert sorted(handler.ended) == [str(number) for number in range(9)]


async def test_a_long_run_keeps_its_message(account, listen):
    """The hold is renewed while the function runs, and the message can still be deleted after it."""
    handler = await listen(is_open=False, hold_seconds=2.0)
    await account.put(f"q-{account.word}", "long")
    await until(lambda: handler.began)
    loop = asyncio.get_running_loop()
    began = loop.time()
    await until(lambda: loop.time() - began > 5)
    assert handler.counts == [1]
    assert await account.visible(f"q-{account.word}") == []
    handler.gate.set()
    await until(lambda: gone(account))
    assert handler.counts == [1]


async def test_stopping_waits_for_what_runs_and_pulls_nothing_new(account, listen):
    """After the wish to stop, running messages are settled and new ones left alone."""
    handler = await listen(is_open=False)
    await account.put(f"q-{account.word}", "first")
    await until(lambda: handler.began)
    stopping = asyncio.create_task(handler.stop())
    await stopping
    await account.put(f"q-{account.word}", "second")
    assert handler.ended == ["first"]
    assert await account.count(f"q-{account.word}") == 1


def test_pauses_grow_from_a_tenth_of_a_second_to_the_most():
    """Empty polls are 0.1 s apart at first, then about twice as long each, never longer than the setting."""
    backoff = Backoff(0.1, 2.0, chance=lambda least, most: 1.0)
    assert [round(backoff.next(), 3) for _ in range(7)] == [0.1, 0.2, 0.4, 0.8, 1.6, 2.0, 2.0]
    backoff.reset()
    assert backoff.next() == 0.1


def test_pauses_have_some_chance_in_them():
    """So that many hosts do not poll in step."""
    low = Backoff(0.1, 9.0, chance=lambda least, most: least)
    high = Backoff(0.1, 9.0, chance=lambda least, most: most)
    assert [low.next(), low.next()] < [high.next(), high.next()]
