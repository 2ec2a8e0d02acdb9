"""Looks again at images that waited for a project, or were rejected under it, when the project changed."""

import logging
from datetime import timedelta

from attrs import define

from batch_ops.concurrency import for_all
from batch_ops.domain import naming
from batch_ops.domain.file_record import State
from batch_ops.domain.orders import LookOrder
from batch_ops.domain.settings import Settings
from batch_ops.ports.services import Outbox
from batch_ops.ports.tables import Ledger, ProjectNotes, Worklist
from batch_ops.task.plain_text import plain
from batch_ops.tools.profiles import shipped

log = logging.getLogger("batch_ops")

# Other instances may remember the old project for this long (`containers.classifiers`).
SEEN_BY_ALL = timedelta(seconds=6)


def project_of_blob(name: str) -> str | None:
    """Return the project that a blob in `projects` belongs to: by the suffix of a tool or `.json`, or in capitals."""
    for suffix in (naming.PROJECT_SUFFIX, naming.CONFIG_SUFFIX, *shipped().suffixes):
        if name.endswith((suffix, suffix.upper())) and len(name) > len(suffix):
            return name[: -len(suffix)]
    return None


@define(kw_only=True, eq=False)
class ProjectChanged:
    """Orders by message, as if the images' own events had come again: a project may have many."""

    _ledger: Ledger
    _worklist: Worklist
    _notes: ProjectNotes
    _outbox: Outbox
    _settings: Settings

    async def __call__(self, project: str) -> int:
        """Order the images to be looked at again; return their number."""
        board = await self._worklist.board()
        names = {i.name for i in board.open if i.waiting and naming.composed(project) in naming.projects_of(i.name)}
        for folder in naming.spellings(project):
            names.update(await self._notes.rejected(folder))
            if self._settings.rerun_finished:
                # The one place that reads a project's history: an operator asked for it.
                names.update([r.name async for r in self._ledger.files(folder) if r.state is State.SUCCEEDED])

        async def look(name: str) -> None:
            await self._outbox.look_again(LookOrder(name, f"project-{naming.file_hash(name)}"), SEEN_BY_ALL)

        await for_all(sorted(names), look)
        if names:
            log.info("The project %s changed: %d images are looked at again.", plain(project), len(names))
        return len(names)
