"""One project, for people who look: its classifier and configuration, what it has done lately and what that cost."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from attrs import define

from batch_ops.containers.classifiers import Classifiers
from batch_ops.domain import naming
from batch_ops.domain.file_record import FileRecord, State
from batch_ops.domain.month_sums import MonthSum, month_of
from batch_ops.domain.project import NoProject, Project
from batch_ops.domain.settings import Settings
from batch_ops.domain.worklist import Pause
from batch_ops.ports.services import BlobStore
from batch_ops.ports.tables import Ledger, Worklist
from batch_ops.use_cases.file_pages import FilePages, Wanted

# As many as a plot can show apart.
NEWEST = 200


@dataclass(frozen=True, slots=True)
class ProjectLook:
    """`since`: when the classifier of this content was first used, None where it was not yet. `files`: the newest of
    them, the newest first; `are_all`: there are no more. `sums`: of this month and the one before. `pauses`: that hold.
    """

    name: str
    classifier: Project | NoProject
    since: datetime | None
    files: Sequence[FileRecord]
    are_all: bool
    sums: Sequence[tuple[str, MonthSum]]
    pauses: Sequence[Pause]

    @property
    def uses(self) -> int:
        """How many of these files were segmented with this very classifier."""
        digest = self.classifier.digest if isinstance(self.classifier, Project) else None
        done = (record for record in self.files if record.state is State.SUCCEEDED)
        return sum(record.plan.tool.project_digest == digest for record in done)

    @property
    def is_known(self) -> bool:
        """Whether there is, or was, anything of this project."""
        is_there = isinstance(self.classifier, Project) or bool(self.files) or bool(self.pauses)
        return is_there or any(sums != MonthSum() for _, sums in self.sums)


@define(kw_only=True, eq=False)
class ProjectLooks:
    """Costs about ten calls side by side, whatever the project has done."""

    _classifiers: Classifiers
    _pages: FilePages
    _ledger: Ledger
    _worklist: Worklist
    _blobs: BlobStore
    _settings: Settings
    _clock: Callable[[], datetime]

    async def __call__(self, project: str) -> ProjectLook:
        """Look at a project; one that nobody knows of has nothing."""
        month = month_of(now := self._clock())
        months = (month, month_of(now.replace(day=1) - timedelta(days=1)))
        classifier, page, pauses, this, before = await asyncio.gather(
            self._classifiers.get(project),
            self._pages(Wanted(project, most=NEWEST)),
            self._worklist.pauses(),
            self._ledger.sums(project, months[0]),
            self._ledger.sums(project, months[1]),
        )
        return ProjectLook(
            name=project,
            classifier=classifier,
            since=await self._since(classifier),
            files=page.files,
            are_all=not page.following,
            sums=[(months[0], this), (months[1], before)],
            pauses=[one for one in pauses if naming.composed(one.project) in {"", naming.composed(project)}],
        )

    async def _since(self, classifier: Project | NoProject) -> datetime | None:
        if isinstance(classifier, NoProject):
            return None
        frozen = naming.frozen_blob(classifier.digest, classifier.suffix)
        blob = await self._blobs.head(self._settings.frozen_container, frozen)
        return blob.modified if blob else None
