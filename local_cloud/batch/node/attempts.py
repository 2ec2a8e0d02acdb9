"""Start tasks, and the preparation and release tasks of jobs: run as often as their retries permit."""

from collections.abc import Awaitable, Callable

from local_cloud.batch.node.execution import EXIT_CODE, Ended
from local_cloud.batch.state.clock import Clock
from local_cloud.batch.state.node_records import StepInfo


async def run_step(
    once: Callable[[], Awaitable[Ended]], retries: int, clock: Clock, note: Callable[[StepInfo], None]
) -> StepInfo | None:
    """Run a step to its end, noting each try and the end; None, and nothing more noted, when it was stopped.

    Only a non-zero exit is retried; -1 retries have no limit.
    """
    tried, last_retry = 0, None
    while True:
        began = clock.now()
        note(StepInfo(True, began, retries=tried, last_retry=last_retry))
        ended = await once()
        if ended.stopped is not None:
            return None
        good = ended.exit_code == 0 and ended.failure is None and not ended.timed_out
        retryable = ended.exit_code not in (None, 0) and not ended.timed_out
        if good or not retryable or not (retries < 0 or tried < retries):
            break
        tried, last_retry = tried + 1, clock.now()
    trouble = None if good else (ended.failure or EXIT_CODE)
    info = StepInfo(False, began, clock.now(), ended.exit_code, trouble, tried, last_retry)
    note(info)
    return info
