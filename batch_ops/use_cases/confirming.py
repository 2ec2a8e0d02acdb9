"""An operator says which axes the images of a project have that do not say it themselves: once for each kind."""

from dataclasses import dataclass

from attrs import define

from batch_ops.concurrency import for_all
from batch_ops.domain import naming
from batch_ops.domain.errors import IlastikBatchError
from batch_ops.domain.file_record import FileRecord
from batch_ops.domain.orders import LookOrder
from batch_ops.image.axes import AxesError, checked
from batch_ops.image.image_axes import kind_of
from batch_ops.ports.services import Outbox
from batch_ops.ports.tables import Ledger, ProjectNotes, Worklist
from batch_ops.task.plain_text import plain
from batch_ops.task.run_plan import AxesSource


class CannotConfirm(IlastikBatchError):
    """The text says why these axes can't be confirmed by this file."""


@dataclass(frozen=True, slots=True)
class Confirmed:
    """From now on images of this kind of this project have these axes; `looked`: files that waited for it."""

    project: str
    kind: str
    axes: str
    looked: int


@define(kw_only=True, eq=False)
class Confirming:
    """May be repeated; the last answer counts for all runs that begin after it."""

    _ledger: Ledger
    _worklist: Worklist
    _notes: ProjectNotes
    _outbox: Outbox

    async def __call__(self, name: str, axes: str) -> Confirmed:
        """Keep the axes for images like this one, and look again at all of its project that wait.

        Raises `CannotConfirm`, `ServiceFault`.
        """
        entry = await self._ledger.get(name)
        shape = self._shape(name, entry.record if entry else None)
        image = entry.record.image_blob if entry else name
        try:
            checked(axes, len(shape))
        except AxesError as reason:
            raise CannotConfirm(f"These can't be the axes of '{plain(name)}': {reason}.") from reason
        project, kind = naming.composed(naming.classifier_of(image)), kind_of(shape)
        await self._notes.answer(project, kind, axes)
        board = await self._worklist.board()
        waiting = {i.name for i in board.open if i.waiting and project in naming.projects_of(i.name)}

        async def look(one: str) -> None:
            await self._outbox.look_again(LookOrder(one, f"confirm-{naming.file_hash(one)}"))

        await for_all(sorted(waiting), look)
        return Confirmed(project, kind, axes, len(waiting))

    def _shape(self, name: str, record: FileRecord | None) -> tuple[int, ...]:
        """Return the shape of an image that does not say its axes."""
        if record is None:
            raise CannotConfirm(f"Nothing is known about a file '{plain(name)}'.")
        image = record.plan.image
        if not image.is_known:
            raise CannotConfirm(f"'{plain(name)}' does not wait for its axes: {record.reason}")
        if image.axes and image.axes_source is not AxesSource.CONFIGURATION:
            raise CannotConfirm(
                f"The axes of '{plain(name)}' ({image.axes}) were not asked for; to set them for images without "
                'axistags, write "axes" into the configuration of its project.'
            )
        return image.shape
