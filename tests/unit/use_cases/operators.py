"""What operators' tests share: files that are begun, and files that fail."""

from batch_ops.domain.file_record import FileRecord, State
from batch_ops.domain.selection import Selection
from tests.world import World


async def begin(world: World, *names: str) -> None:
    """These files are dropped, and their tasks created."""
    for name in names:
        world.drop(name)
        await world.start(name)


async def fail(world: World, name: str) -> FileRecord:
    """The file's task runs out of disk, which ends a run at once."""
    row = world.row(name)
    world.batch.run(row.placement.task_id)
    world.tell(row.placement.task_id, "DISK_FULL", "The disk is full.", 74)
    world.batch.complete(row.placement.task_id, 74)
    await world.tick()
    failed: FileRecord = world.row(name)
    assert failed.state is State.FAILED
    return failed


async def retry(world: World, *, force: bool = False, **what) -> dict[str, int]:
    """As the command does it; why some were left alone."""
    plan = await world.steering.plan_retry(Selection(**what), force=force)
    await world.steering.retry(plan.chosen)
    await world.deliver()
    return dict(plan.left)
