"""What many ask for at the same time goes in few calls, and each gets its own answer."""

import asyncio

import pytest

from batch_ops.concurrency import Coalesced, answers_of


class Service:
    """Doubles numbers; a call lasts until `go` is set. Odd ones below zero are refused, 0 fails the whole call."""

    def __init__(self):
        self.calls = []
        self.go = asyncio.Event()

    async def __call__(self, key, items):
        self.calls.append((key, list(items)))
        await self.go.wait()
        if 0 in items:
            raise OSError("the call failed")
        return [ValueError(str(item)) if item < 0 else 2 * item for item in items]


async def asked(together, *items, key="k"):
    """Askers that have all asked by now, one after the other."""
    tasks = []
    for item in items:
        tasks.append(asyncio.create_task(together(key, item)))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    return tasks


async def test_answers_come_in_the_order_of_the_items_whoever_is_ready_first():
    """And no more are asked for at a time than is said."""
    asking, most = 0, 0

    async def answer(item):
        nonlocal asking, most
        asking += 1
        most = max(most, asking)
        for _ in range(10 - item):
            await asyncio.sleep(0)
        asking -= 1
        return 2 * item

    assert await answers_of(range(10), answer, at_once=3) == [2 * item for item in range(10)]
    assert most == 3
    assert await answers_of([], answer) == []


async def test_the_first_item_is_sent_at_once_and_later_ones_with_the_next_call():
    """Nobody waits for company; a burst costs few calls."""
    service = Service()
    tasks = await asked(Coalesced(service, 10), 1, 2, 3, 4)
    assert service.calls == [("k", [1])]
    service.go.set()
    assert await asyncio.gather(*tasks) == [2, 4, 6, 8]
    assert service.calls == [("k", [1]), ("k", [2, 3, 4])]


async def test_no_call_holds_more_than_it_may():
    """What is too much for one call goes with the one after it, in order."""
    service = Service()
    tasks = await asked(Coalesced(service, 2), 1, 2, 3, 4)
    service.go.set()
    await asyncio.gather(*tasks)
    assert [items for _, items in service.calls] == [[1], [2, 3], [4]]


async def test_each_caller_gets_its_own_result():
    """A refusal is raised to the asker that it is about, and to nobody else."""
    service = Service()
    tasks = await asked(Coalesced(service, 10), 1, 2, -3, 4)
    service.go.set()
    ends = await asyncio.gather(*tasks, return_exceptions=True)
    assert [str(end) for end in ends] == ["2", "4", "-3", "8"]
    with pytest.raises(ValueError, match="-3"):
        tasks[2].result()


async def test_a_failed_call_fails_all_of_it_and_none_of_the_next():
    """What comes afterwards is tried again."""
    service = Service()
    together = Coalesced(service, 2)
    tasks = await asked(together, 1, 0, 2, 3)
    service.go.set()
    ends = await asyncio.gather(*tasks, return_exceptions=True)
    assert [str(end) for end in ends] == ["2", "the call failed", "the call failed", "6"]
    assert await together("k", 5) == 10


async def test_a_cancelled_caller_cancels_no_other():
    """The call that it began goes on for the others."""
    service = Service()
    tasks = await asked(Coalesced(service, 10), 1, 2, 3)
    tasks[0].cancel()
    tasks[1].cancel()
    service.go.set()
    ends = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(end) for end in ends] == [asyncio.CancelledError, asyncio.CancelledError, int]


async def test_what_nobody_waits_for_any_more_is_not_sent():
    """A caller that gave up does not learn what came of it, and would leave behind what nobody knows of."""
    service = Service()
    tasks = await asked(Coalesced(service, 10), 1, 2, 3)
    tasks[2].cancel()
    await asyncio.sleep(0)
    service.go.set()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert service.calls == [("k", [1]), ("k", [2])]


async def test_keys_do_not_wait_for_each_other():
    """One call at a time is a rule for each key."""
    service = Service()
    together = Coalesced(service, 10)
    tasks = await asked(together, 1, key="a") + await asked(together, 2, key="b")
    assert service.calls == [("a", [1]), ("b", [2])]
    service.go.set()
    assert await asyncio.gather(*tasks) == [2, 4]
