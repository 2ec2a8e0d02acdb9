"""The parts of a file's record, each one noun. Frozen; a part that nothing is known of yet is its default."""

from dataclasses import dataclass
from datetime import datetime

from batch_ops.domain.batch_task import NO_TASK, TaskRef
from batch_ops.domain.prices import NodeKind
from batch_ops.task.objects import ObjectCounts


@dataclass(frozen=True, slots=True)
class Placement:
    """Where the run takes place, and what has become of its task.

    `attempt` counts the Batch tasks of a run. `job_id` and `task_id` are stored before the task is created and never
    derived again. `previous`: the task that this one replaces, until that one has been ended. `slot_price_micro` is
    what the task's part of its node costs an hour, in millionths of the currency; None where that is not known.
    """

    pool_id: str = ""
    job_id: str = ""
    task_id: str = ""
    attempt: int = 0
    alone: bool = False
    previous: TaskRef = NO_TASK
    node_id: str = ""
    node_size: str = ""
    node_kind: NodeKind | None = None
    slot_price_micro: int | None = None
    exit_code: int | None = None
    requeues: int = 0
    node_losses: int = 0
    missing_since: datetime | None = None

    @property
    def task(self) -> TaskRef:
        """The task of the current attempt."""
        return TaskRef(self.job_id, self.task_id)


@dataclass(frozen=True, slots=True)
class Times:
    """The times of what happened to the run. `not_before`: when to try again after a fault.

    `failed_seconds`: for how long nodes worked on it in stretches that are over: on attempts that failed and were
    followed by another, on tasks that Batch put back into their queue, and on parts of the image. `purge_at`: from then
    on an operator may remove the file with all that came of it; None where nobody has announced that.
    """

    dropped_at: datetime | None = None
    updated_at: datetime | None = None
    submitted_at: datetime | None = None
    task_started_at: datetime | None = None
    task_ended_at: datetime | None = None
    finished_at: datetime | None = None
    not_before: datetime | None = None
    failed_seconds: int | None = None
    purge_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Steered:
    """What somebody who is known by name had done with a run: `retry` or `cancel`."""

    what: str
    by: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Spent:
    """What the work of nodes that is over has cost; of a run that has ended, all of it.

    `cost_micro`, in millionths of `cost_currency`, is for `priced_seconds` of the node seconds: what the others cost is
    not known. None in a row of a version that did not count costs, and until the first stretch of work is over.
    """

    cost_micro: int | None = None
    priced_seconds: int | None = None
    cost_currency: str = ""


@dataclass(frozen=True, slots=True)
class ImageCounts:
    """The objects of one of the images of a file; `folder`: of its results."""

    folder: str
    counts: ObjectCounts


@dataclass(frozen=True, slots=True)
class Published:
    """The published results: the number of TIFFs, the bytes of all results but the log, and the counts of objects.

    `counts` is None where none were counted, or where they are too many for a row. `class_pixels`: how many pixels the
    segmentation has of each class, the first first; () where nobody looked. Of a file with several images, which may
    overlap, each has its own counts in `image_counts`.
    """

    tiffs: int = 0
    result_bytes: int = 0
    counts: ObjectCounts | None = None
    class_pixels: tuple[int, ...] = ()
    image_counts: tuple[ImageCounts, ...] = ()

    @property
    def all_counts(self) -> tuple[ImageCounts, ...]:
        """The counts of each image; that of a single one has no folder."""
        return (*((ImageCounts("", self.counts),) if self.counts else ()), *self.image_counts)
