"""For how long nodes have worked on a run, and what that has cost. Pure.

A run's work is one stretch after the other: a task on a node, until the task ends or is put back into its queue, as
when Azure takes a spot node back. Of a stretch that is over, `Times.failed_seconds` and `Spent` have kept the sum; the
last one stands in the run's own times, until the run has ended.
"""

from dataclasses import replace
from datetime import datetime

from batch_ops.domain.batch_task import Task, TaskState
from batch_ops.domain.prices import cost_of
from batch_ops.domain.record_parts import Placement, Spent, Times


def seconds_of(times: Times) -> int:
    """Return for how long nodes have worked on a run, as far as Batch has said: every attempt, to the second."""
    return (times.failed_seconds or 0) + _last(times)


def spent_in_all(spent: Spent, times: Times, placement: Placement) -> Spent:
    """Add the last stretch, as long as it is known to have taken, to what the ones before it have cost.

    Where the price of its node is not known, its seconds are not among the priced ones.
    """
    seconds, price = _last(times), placement.slot_price_micro
    priced = seconds if price is not None else 0
    return replace(
        spent,
        cost_micro=(spent.cost_micro or 0) + cost_of(priced, price or 0),
        priced_seconds=(spent.priced_seconds or 0) + priced,
    )


def stretch_over(times: Times) -> Times:
    """Add the last stretch to those that are over; none has begun since."""
    return replace(times, task_started_at=None, task_ended_at=None, failed_seconds=seconds_of(times) or None)


def started(task: Task) -> datetime | None:
    """Return since when a node works on the task: one that waits for a node may still say when the last one began."""
    return None if task.state is TaskState.ACTIVE else task.started


def stretch_ended(times: Times, requeues: int, task: Task) -> datetime | None:
    """Return when the last stretch was over, if the task is not any more at what it was at; None while it goes on.

    `times` and `requeues` are those of the row. Batch may put a task back without counting it, and tells the time of
    it only where it counts.
    """
    before, again = times.task_started_at, started(task)
    if before is None or again == before:
        return None
    if again is None:
        is_over = task.state in {TaskState.ACTIVE, TaskState.PREPARING} or task.requeues > requeues
        until = task.changed
    else:
        is_over, until = again > before, again
    if not is_over:
        return None
    if task.requeued is not None and before < task.requeued < until:
        return task.requeued
    return until


def _last(times: Times) -> int:
    ended = times.task_ended_at or times.finished_at
    if not ended or not times.task_started_at:
        return 0
    return max(0, round((ended - times.task_started_at).total_seconds()))
