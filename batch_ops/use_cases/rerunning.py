"""Segments the files of a project once more, with its classifier of today, beside the results that are there."""

import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from attrs import define

from batch_ops.concurrency import for_all
from batch_ops.containers.reruns import Reruns
from batch_ops.domain import naming
from batch_ops.domain.errors import IlastikBatchError
from batch_ops.domain.file_record import State
from batch_ops.domain.orders import LookOrder
from batch_ops.ports.services import Outbox
from batch_ops.ports.tables import Ledger
from batch_ops.task.plain_text import plain

_NAME = re.compile(r"[A-Za-z0-9_-]{1,40}")
_ENDED = {State.SUCCEEDED, State.REJECTED, State.FAILED}


class CannotRerun(IlastikBatchError):
    """The text says why the project can't be segmented under this name."""


@dataclass(frozen=True, slots=True)
class Rerun:
    """What is segmented again: into `folder`, the images by their new names; how many are left alone, by reason."""

    project: str
    folder: str
    images: Mapping[str, str]
    left: Mapping[str, int]


@define(kw_only=True, eq=False)
class Rerunning:
    """May be repeated: it takes up what lacks, and images that were uploaded anew; no version has two runs by it.

    So a rerun may hold results of two classifiers where the project's has changed meanwhile: provenance and counts tell
    which, and another name gives all of them one.
    """

    _ledger: Ledger
    _reruns: Reruns
    _outbox: Outbox
    _clock: Callable[[], datetime]

    async def plan(self, project: str, name: str) -> Rerun:
        """Find the files whose run has ended, by reading the rows of the project. Raises `CannotRerun`."""
        if not _NAME.fullmatch(name):
            raise CannotRerun("The name of a rerun has 1 to 40 of the characters A-Z a-z 0-9 _ -.")
        if naming.RERUN_MARK in project and await self._reruns.has(f"{project}/"):
            raise CannotRerun(f"'{plain(project)}' is a rerun itself; name the project that it is one of.")
        folder = f"{project}{naming.RERUN_MARK}{name}"
        if not await self._reruns.has(f"{folder}/"):
            await self._check_free(folder)
        images: dict[str, str] = {}
        left: Counter[str] = Counter()
        async for record in self._ledger.files(project):
            rest = record.name.removeprefix(f"{project}/")
            if record.state not in _ENDED or not record.image.etag:
                left["it has not ended, or its image is gone"] += 1
            elif not naming.is_possible(new := f"{folder}/{rest}"):
                left["its new name would be too long"] += 1
            elif new in images:
                # `a.h5` and `default/a.h5` are two files of one project.
                left["another file of the project has its name"] += 1
            else:
                images[new] = record.name
        return Rerun(project, folder, images, left)

    async def _check_free(self, folder: str) -> None:
        """Refuse a folder that is somebody's project, also one whose images have been deleted since."""
        if not await self._reruns.is_free(folder):
            raise CannotRerun(f"There are files in '{plain(folder)}/' of the input; choose another name.")
        async for record in self._ledger.files(folder):
            if not record.source:
                raise CannotRerun(f"There are results or rows of a project '{plain(folder)}'; choose another name.")

    async def begin(self, rerun: Rerun) -> None:
        """Note the rerun, then order every file by message. Raises `ServiceFault`."""
        await self._reruns.note(rerun.folder, rerun.project, self._clock())

        async def look(image: tuple[str, str]) -> None:
            new, source = image
            await self._outbox.look_again(LookOrder(new, f"rerun-{naming.file_hash(new)}", source=source))

        await for_all(rerun.images.items(), look)
