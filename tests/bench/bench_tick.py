"""A reconcile tick on top of finished rows: calls, entities examined and seconds; and listing every task beside it."""

import asyncio
import time
from datetime import timedelta

from batch_ops.model import FileRecord, State
from tests.world import World


async def tick(finished: int, changed: int, latency_ms: int) -> None:
    """`finished` files in the ledger, `changed` tasks that changed since the last tick; the fakes count."""
    world = World()
    world.project("fly")
    for number in range(finished):
        done = FileRecord(f"fly/old{number}.h5", 1, State.SUCCEEDED, "e", 1, "c", run_key="k")
        await world.ledger.claim(done, None)
    for number in range(changed):
        world.drop(f"fly/new{number}.h5")
        await world.start(f"fly/new{number}.h5")
    for _ in range(2):
        await world.tick(timedelta(seconds=1))
    for task, _ in world.tasks():
        world.batch.run(task.task_id)
    world.cloud.reset_counters()

    async def slow(label: str, when: object) -> None:
        if str(when) == "before":
            await asyncio.sleep(latency_ms / 1000)

    world.cloud.hook = slow
    began = time.monotonic()
    await world.tick(timedelta(seconds=1))
    seconds = time.monotonic() - began
    requests, examined = sum(world.cloud.requests.values()), sum(world.cloud.examined.values())
    print(f"{finished} finished rows, {changed} changed tasks: {requests} calls, {examined} entities, {seconds:.2f} s")
    listing = finished / 1000 + changed / 1000
    print(
        f"  naive, listing every task each tick: {listing:.0f} list calls, {finished + changed} tasks read, each time"
    )


async def main(latency_ms: int, finished: int) -> None:
    """The three ticks of the table."""
    for changed in (0, 100, 10_000):
        await tick(finished, changed, latency_ms)
