"""What the use cases need from the world, one protocol per service. Adapters and fakes pass the same contract suites.

Any call may raise `errors.ServiceFault` when the service can't answer now.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from batch_ops.domain.batch_task import JobState, Task
from batch_ops.domain.blob import Blob
from batch_ops.domain.orders import CollectOrder, LookOrder, PoisonMessage
from batch_ops.domain.pool_status import PoolStatus
from batch_ops.domain.task_spec import TaskSpec
from batch_ops.image.boxes import Box
from batch_ops.image.facts import CUT_LIMITS, CheckLimits, HasCompanion, ImageOptions, ProjectFacts, Refused, Verdict
from batch_ops.image.training_file import Cut
from batch_ops.task.run_plan import ImageDescription

# The largest page of a listing of blobs.
LARGEST_PAGE = 5000


@dataclass(frozen=True, slots=True)
class Fence:
    """The condition of a write: `etag` of the blob to be replaced, or None if there must be none."""

    etag: str | None


class BlobStore(Protocol):
    """The containers of the data account."""

    async def head(self, container: str, name: str) -> Blob | None:
        """Return the blob's properties; None if there is no blob."""

    async def read(
        self, container: str, name: str, offset: int, length: int, *, etag: str | None = None
    ) -> tuple[Blob, bytes]:
        """Read a range and the properties of its version, in one call. A range past the end is empty.

        An archived blob reads as empty without `etag` (see its `tier`); with one it is a `ServiceFault`.
        Raises `BlobMissing`, and `BlobChanged` if `etag` is given and the blob is another version.
        """

    def list(self, container: str, prefix: str, *, flat: bool = True) -> AsyncIterator[Blob]:
        """List the blobs with this prefix, with metadata, in the service's order; not flat: only this folder's own."""

    async def page(self, container: str, marker: str, most: int = LARGEST_PAGE) -> tuple[Sequence[Blob], str]:
        """Return a page of all blobs in the service's order, and the marker of the next ("": this is the last).

        A marker that the service no longer accepts starts again from the beginning.
        """

    async def put(
        self,
        container: str,
        name: str,
        data: bytes,
        *,
        fence: Fence,
        metadata: Mapping[str, str],
        content_type: str,
    ) -> str:
        """Write a small blob and return its ETag. Raises `BlobChanged` if the fence does not hold."""

    async def copy(
        self,
        source: tuple[str, str],
        target: tuple[str, str],
        *,
        fence: Fence,
        metadata: Mapping[str, str],
        length: int | None = None,
        source_etag: str | None = None,
    ) -> Blob:
        """Start a server-side copy and return the target, whose `copy_status` may be `pending`.

        With the source's `length`, a complete copy is not looked up again: half the calls, but no `md5`.
        Raises `BlobMissing` for the source, `BlobChanged` if the fence does not hold or the source is not
        version `source_etag`.
        """

    async def delete(self, container: str, name: str, *, etag: str | None = None) -> None:
        """Delete a blob (of that version), if it exists. Raises `BlobChanged`."""

    async def kept_after_deletion(self) -> timedelta:
        """Return for how long the account can bring back what was deleted; 0 where it is gone at once.

        Raises `NotAllowed`.
        """

    def url(self, container: str, name: str = "") -> str:
        """Return the URL of a container or blob, percent-encoded."""


class BatchService(Protocol):
    """The Batch account. Tells errors apart by their codes, never by types."""

    async def create_job(self, job_id: str, pool_id: str) -> None:
        """Create the job on a pool; an existing one is success."""

    async def create_task(self, job_id: str, spec: TaskSpec) -> bool:
        """Create a task; return whether it is new (False: there is one of this id).

        Raises `JobMissing`, `JobClosed`.
        """

    async def task(self, job_id: str, task_id: str) -> Task | None:
        """Return the task; None if the job has none of this id. Raises `JobMissing`."""

    def changed(self, job_id: str, since: datetime | None) -> AsyncIterator[Task]:
        """List the tasks whose state changed at or after a time of the service's clock. Raises `JobMissing`."""

    async def terminate_task(self, job_id: str, task_id: str) -> None:
        """End a task; one that is completed or gone is success."""

    async def delete_task(self, job_id: str, task_id: str) -> None:
        """Delete a task, with what its node keeps of it; one that is gone is success."""

    async def close_job(self, job_id: str) -> None:
        """Terminate the job; one that is closed or gone is success."""

    async def is_done(self, job_id: str) -> bool:
        """Return whether every task of the job is completed; a job that is gone is done."""

    async def is_dedicated(self, pool_id: str, node_id: str) -> bool | None:
        """Return whether the node is no spot node, which Azure may take back; None if it is not in the pool.

        Raises `NotAllowed` where the app may not look at nodes.
        """

    async def pool(self, pool_id: str) -> PoolStatus | None:
        """Look at a pool and its broken nodes; None if there is none. Raises `NotAllowed`."""

    async def remove_nodes(self, pool_id: str, node_ids: Sequence[str]) -> None:
        """Have nodes leave the pool; what they are working on is queued again. Those that are gone are success.

        Raises `NotAllowed`. While the pool changes its size it is a `ServiceFault`.
        """

    async def job_state(self, job_id: str) -> JobState:
        """Return the state of the job; one that is gone counts as closed."""


class Outbox(Protocol):
    """The queues `collect` and `blob-created`."""

    async def send(self, order: CollectOrder, delay: timedelta = timedelta()) -> None:
        """Order the results of a run to be collected after the delay."""

    async def look_again(self, order: LookOrder, delay: timedelta = timedelta()) -> None:
        """Order an image to be looked at after the delay, as if an event had come."""


class PoisonQueues(Protocol):
    """Where the Functions host puts messages that failed too often; `queue` is the queue they came from."""

    async def counts(self) -> Mapping[str, int]:
        """Count the messages of each queue, approximately."""

    async def peek(self) -> Sequence[PoisonMessage]:
        """Read the oldest of each queue, at most 32, without changing them."""

    def take(self, queue: str) -> AsyncIterator[PoisonMessage]:
        """Take every message, hidden from others for some minutes; settle each with one of the following."""

    async def put_back(self, message: PoisonMessage) -> None:
        """Send it to its queue unchanged, then drop it: a crash leaves two, never none."""

    async def drop(self, message: PoisonMessage) -> None:
        """Delete it, if it exists."""

    async def release(self, message: PoisonMessage) -> None:
        """Make it visible to others again, if it exists."""


class RangeReader(Protocol):
    """One version of a blob, read in ranges."""

    @property
    def size(self) -> int:
        """Length in bytes."""

    async def read(self, offset: int, length: int) -> bytes:
        """Read exactly `length` bytes from `offset`; the range lies within `size`."""


class PixelSource(Protocol):
    """Reads pixels of strangers' files without trusting them."""

    async def cut(
        self, reader: RangeReader, image: ImageDescription, box: Box, limits: CheckLimits = CUT_LIMITS
    ) -> Cut:
        """Read the pixels of a box of an image, as it was described, at the cost of `limits` at most.

        Raises `CannotCut`; errors of the reader pass.
        """


class ImageCheck(Protocol):
    """Checks HDF5 files without trusting them."""

    async def check_image(
        self,
        name: str,
        reader: RangeReader,
        project: ProjectFacts,
        options: ImageOptions,
        limits: CheckLimits,
        *,
        head: bytes = b"",
    ) -> Verdict | HasCompanion:
        """Judge whether the project can segment this image; `head` is its beginning, if read already.

        Errors of the reader end the check and are passed on.
        """

    async def inspect_project(self, name: str, source: RangeReader | bytes) -> ProjectFacts | Refused:
        """Find out what a classifier requires of its images."""
