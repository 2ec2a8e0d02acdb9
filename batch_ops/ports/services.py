"""What the use cases need of the world, one protocol a service. Adapters and fakes pass the same contract suites.

Any call may raise `errors.ServiceFault` when the service can't answer now.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from batch_ops.domain.batch_task import JobState, Task
from batch_ops.domain.blob import Blob
from batch_ops.domain.checks import CheckLimits, ImageOptions, ProjectFacts, Refused, Verdict
from batch_ops.domain.orders import CollectOrder, LookOrder, PoisonMessage
from batch_ops.domain.task_spec import TaskSpec

# As many blobs as a listing gives at a time, at most.
LARGEST_PAGE = 5000


@dataclass(frozen=True, slots=True)
class Fence:
    """Write only over what was read: `etag` of the blob to be replaced, or None for "there is nothing"."""

    etag: str | None


class BlobStore(Protocol):
    """The containers of the data account."""

    async def head(self, container: str, name: str) -> Blob | None:
        """The blob's properties; None where there is none."""

    async def read(
        self, container: str, name: str, offset: int, length: int, *, etag: str | None = None
    ) -> tuple[Blob, bytes]:
        """A range and the properties of the version it came from, in one call. A range past the end is empty.

        So is an archived blob where no `etag` is given (its `tier` tells); with one it is a `ServiceFault`.
        Raises `BlobMissing`, and `BlobChanged` where `etag` is given and the blob is another version.
        """

    def list(self, container: str, prefix: str, *, flat: bool = True) -> AsyncIterator[Blob]:
        """The blobs whose names start so, with metadata, in the service's order; not flat: this folder's own only."""

    async def page(self, container: str, marker: str, most: int = LARGEST_PAGE) -> tuple[Sequence[Blob], str]:
        """One page of all blobs in the service's order, and the marker of the next ("": the last).

        A marker that the service no longer takes starts again from the beginning.
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
        """Write a small blob and give its ETag. Raises `BlobChanged` if the fence does not hold."""

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
        """Start a server-side copy and give the target as it is now: its `copy_status` may be `pending`.

        With the source's `length`, if it is known, a complete copy is not looked at: half the calls, and no `md5`.
        Raises `BlobMissing` for the source, `BlobChanged` if the fence does not hold or the source is not of the
        version `source_etag`.
        """

    async def delete(self, container: str, name: str, *, etag: str | None = None) -> None:
        """Delete a blob (of that version); silent if it is gone. Raises `BlobChanged`."""

    def url(self, container: str, name: str = "") -> str:
        """The URL of a container or blob, percent-encoded."""


class BatchService(Protocol):
    """The Batch account. Decides on error codes, never on types."""

    async def create_job(self, job_id: str, pool_id: str) -> None:
        """Create the job on a pool; an existing one is success."""

    async def create_task(self, job_id: str, spec: TaskSpec) -> bool:
        """True if the task is new, False if a task of this id is already there.

        Raises `JobMissing`, `JobClosed`.
        """

    async def task(self, job_id: str, task_id: str) -> Task | None:
        """The task; None if the job has none of this id. Raises `JobMissing`."""

    def changed(self, job_id: str, since: datetime | None) -> AsyncIterator[Task]:
        """The tasks whose state changed at or after a time of the service's. Raises `JobMissing`."""

    async def terminate_task(self, job_id: str, task_id: str) -> None:
        """End a task; one that is completed or gone is success."""

    async def close_job(self, job_id: str) -> None:
        """Terminate the job; one that is closed or gone is success."""

    async def is_done(self, job_id: str) -> bool:
        """Whether every task of the job is completed; a job that is gone is done."""

    async def was_preempted(self, pool_id: str, node_id: str) -> bool:
        """Whether the node was a spot node that Azure took back; a node that is gone was not."""

    async def job_state(self, job_id: str) -> JobState:
        """Whether the job works; one that is gone counts as closed."""


class Outbox(Protocol):
    """The queues `collect` and `blob-created`."""

    async def send(self, order: CollectOrder, delay: timedelta = timedelta()) -> None:
        """Ask for the results of a run to be collected, not before the delay is over."""

    async def look_again(self, order: LookOrder, delay: timedelta = timedelta()) -> None:
        """Ask for an image to be looked at, as if an event had come, not before the delay is over."""


class PoisonQueues(Protocol):
    """Where the Functions host puts messages that failed too often; `queue` is the one that they failed in."""

    async def counts(self) -> Mapping[str, int]:
        """About how many there are of each queue."""

    async def peek(self) -> Sequence[PoisonMessage]:
        """The oldest of each queue, at most 32, left where they are."""

    def take(self, queue: str) -> AsyncIterator[PoisonMessage]:
        """Every message, hidden from others for some minutes; whoever takes it settles it by one of the following."""

    async def put_back(self, message: PoisonMessage) -> None:
        """Send it to its queue as it was, then drop it: a crash leaves two, never none."""

    async def drop(self, message: PoisonMessage) -> None:
        """Delete it; silent if it is gone."""

    async def release(self, message: PoisonMessage) -> None:
        """Leave it where it is and let others see it; silent if it is gone."""


class RangeReader(Protocol):
    """One version of a blob, read in ranges."""

    @property
    def size(self) -> int:
        """Length in bytes."""

    async def read(self, offset: int, length: int) -> bytes:
        """Exactly so many bytes from `offset`; nobody asks for what lies beyond `size`."""


class ImageCheck(Protocol):
    """Looks into HDF5 files without trusting them."""

    async def check_image(
        self,
        name: str,
        reader: RangeReader,
        project: ProjectFacts,
        options: ImageOptions,
        limits: CheckLimits,
        *,
        head: bytes = b"",
    ) -> Verdict:
        """Whether the project can segment this image; `head` is its beginning, read already.

        What the reader raises ends the check and reaches the caller.
        """

    async def inspect_project(self, name: str, source: RangeReader | bytes) -> ProjectFacts | Refused:
        """What a classifier asks of its images."""
